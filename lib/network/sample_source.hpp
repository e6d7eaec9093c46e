// Samples that are asked for by number, so that data need not be whole in memory.
#pragma once

#include <assay/core/export.hpp>
#include <assay/network/samples.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace assay::network {

class ASSAY_API SampleSource {
  public:
    SampleSource() = default;
    SampleSource(const SampleSource&) = delete;
    SampleSource& operator=(const SampleSource&) = delete;
    SampleSource(SampleSource&&) = delete;
    SampleSource& operator=(SampleSource&&) = delete;
    virtual ~SampleSource() = default;

    [[nodiscard]] virtual Index count() const = 0;
    // Samples by number in the order given, into arrays that are reused; from any thread.
    virtual void read(const std::vector<Index>& chosen, Samples& into) const = 0;
    // These are needed soon.
    virtual void announce(const std::vector<Index>& chosen) const { static_cast<void>(chosen); }
};

class ASSAY_API SamplesInMemory : public SampleSource {
  public:
    // Throws Error where arrays are not of one length.
    explicit SamplesInMemory(Samples samples);
    // Of someone else, who must live longer.
    explicit SamplesInMemory(const Samples* samples);
    [[nodiscard]] Index count() const override { return samples_->count(); }
    void read(const std::vector<Index>& chosen, Samples& into) const override;

  private:
    Samples own_;
    const Samples* samples_;
};

// Rows `first` ... `first + count - 1`.
[[nodiscard]] ASSAY_API std::vector<Index> consecutive(Index first, Index count);
// All samples at once.
[[nodiscard]] ASSAY_API Samples read_all(const SampleSource& source);
// One sample, for its shapes; none where the source is empty.
[[nodiscard]] ASSAY_API Samples read_first(const SampleSource& source);
// Calls body(first, samples) for all samples in blocks of fixed size, in ascending order.
ASSAY_API void for_blocks(const SampleSource& source,
                          const std::function<void(Index, const Samples&)>& body);

} // namespace assay::network

// The two products with the data in which all the cost lies: B = X U^T and G = transconv(W, X).
// Three engines compute them with the same result: blocks of GEMM, cached spectra (overlap-save,
// exact), or a walk over non-zeros.
#pragma once

#include <assay/cnmf/time_axis.hpp>
#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/recording.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace assay::cnmf {

enum class Engine { automatic, gemm, fft, sparse };
enum class Precision { float64, float32 };

// Floating-point operations and bytes of data read, for reports.
struct Work {
    double flops = 0;
    double bytes = 0;
};

// What one pass over a recording tells.
struct Survey {
    Vector unit_power;       // squared norm of each unit
    double squared_norm = 0; // of everything
    double largest = 0;
    Index nonzeros = 0;
    std::string digest; // of shape, segments and non-zeros: equal data, equal digest, in any format
};

class ASSAY_API DataProducts {
  public:
    virtual ~DataProducts() = default;
    // X U^T (units x K L, lag-descending columns) for activations (rows x K) on `axis`.
    [[nodiscard]] virtual Matrix with_activations(const TimeMatrix& activations,
                                                  const Execution& run) = 0;
    // transconv(W, X) (rows x K, padding zero) for motifs (units x K L).
    [[nodiscard]] virtual TimeMatrix with_motifs(const Matrix& motifs, const Execution& run) = 0;
    [[nodiscard]] const TimeAxis& axis() const { return axis_; }
    [[nodiscard]] Engine engine() const { return engine_; }
    [[nodiscard]] const Work& work() const { return work_; }

  protected:
    DataProducts(TimeAxis axis, Engine engine) : axis_(std::move(axis)), engine_(engine) {}
    TimeAxis axis_;
    Engine engine_;
    Work work_;
};

// Blocks of bins of one recording, kept in memory where they fit; models of any L share them.
class BlockStore;

struct EngineChoice {
    Engine engine = Engine::automatic;
    Precision precision = Precision::float64;
    std::int64_t memory = 0; // bytes; 0: 60% of the machine's
};

// 60% of what is granted of the machine's.
[[nodiscard]] ASSAY_API std::int64_t default_memory();

// A recording ready to be factorised: surveyed once, its blocks cached and shared by the engines of
// all K and L.
class ASSAY_API Data {
  public:
    // Reads the recording once. Throws Error on negative or non-finite numbers (position named), or
    // when all are zero.
    Data(const Recording& recording, EngineChoice choice, const Execution& run);
    ~Data();

    [[nodiscard]] const Recording& recording() const { return *recording_; }
    [[nodiscard]] const Survey& survey() const { return survey_; }
    [[nodiscard]] const EngineChoice& choice() const { return choice_; }
    // The engine for `components` motifs of `lags` bins. `automatic` follows a cost model with
    // fixed rates, so that equal input means equal bits; it says what it chose and why through
    // run.monitor.
    // `preferred` stands in for `automatic`.
    [[nodiscard]] std::unique_ptr<DataProducts>
    products(Index components, Index lags, const Execution& run,
             Engine preferred = Engine::automatic) const;
    [[nodiscard]] bool streams() const;

  private:
    const Recording* recording_;
    EngineChoice choice_;
    Survey survey_;
    // Spectra of the data at one number of lags, shared by the engines that use them.
    struct SharedSpectra {
        Index lags = 0;
        std::shared_ptr<const void> spectra;
    };
    mutable SharedSpectra spectra_;
    mutable std::shared_ptr<BlockStore> dense_;
    mutable std::shared_ptr<BlockStore> sparse_;
};

[[nodiscard]] ASSAY_API std::string engine_name(Engine engine);

} // namespace assay::cnmf

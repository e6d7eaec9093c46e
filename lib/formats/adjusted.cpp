#include <assay/formats/adjusted.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace assay::formats {
namespace {

constexpr Index kBins = 4096;

class AdjustedRecording : public Recording {
  public:
    AdjustedRecording(std::unique_ptr<Recording> recording, bool clip, Vector offset, Vector factor)
        : recording_(std::move(recording)), clip_(clip), offset_(std::move(offset)),
          factor_(std::move(factor)) {
        segment_start = recording_->segment_start;
        bin_seconds = recording_->bin_seconds;
        unit_ids = recording_->unit_ids;
    }
    [[nodiscard]] Index units() const override { return recording_->units(); }
    [[nodiscard]] Index bins() const override { return recording_->bins(); }
    [[nodiscard]] bool in_memory() const override { return recording_->in_memory(); }
    [[nodiscard]] Matrix read(Index first_bin, Index count) const override {
        Matrix block = recording_->read(first_bin, count);
        // cwiseMax would turn NaN, which marks missing values, into 0.
        if (clip_) block = (block.array() < 0).select(0.0, block);
        block.colwise() += offset_;
        return factor_.asDiagonal() * block;
    }
    [[nodiscard]] SparseMatrix read_sparse(Index first_bin, Index count) const override {
        if ((offset_.array() != 0).any() || clip_) return Recording::read_sparse(first_bin, count);
        return factor_.asDiagonal() * recording_->read_sparse(first_bin, count);
    }

  private:
    std::unique_ptr<Recording> recording_;
    bool clip_;
    Vector offset_, factor_;
};

template <class Body>
void for_each_block(const Recording& recording, const Body& body) {
    for (Index t = 0; t < recording.bins(); t += kBins)
        body(recording.read(t, std::min(kBins, recording.bins() - t)));
}

// 95th percentile of all finite values; zeros are counted, not kept.
double high_percentile(const Recording& recording) {
    std::vector<double> values;
    std::int64_t zeros = 0;
    for_each_block(recording, [&](const Matrix& block) {
        for (Index i = 0; i < block.size(); ++i) {
            if (block.data()[i] == 0)
                ++zeros;
            else if (std::isfinite(block.data()[i]))
                values.push_back(block.data()[i]);
        }
    });
    const auto total = static_cast<std::int64_t>(values.size()) + zeros;
    const auto rank =
        static_cast<std::int64_t>(std::ceil(0.95 * static_cast<double>(total))) - 1 - zeros;
    if (rank < 0 || values.empty()) return 0;
    std::nth_element(values.begin(), values.begin() + rank, values.end());
    return values[static_cast<std::size_t>(rank)];
}

Vector scale_factors(const Recording& recording, Scale scale) {
    Vector measure = Vector::Zero(recording.units());
    for_each_block(recording, [&](const Matrix& block) {
        const Matrix finite = block.array().isFinite().select(block, 0.0);
        if (scale == Scale::l2)
            measure += finite.rowwise().squaredNorm();
        else if (scale == Scale::l1)
            measure += finite.cwiseAbs().rowwise().sum();
        else
            measure = measure.cwiseMax(finite.rowwise().maxCoeff());
    });
    if (scale == Scale::l2) measure = measure.cwiseSqrt();
    if (scale == Scale::max_p95) measure.array() += high_percentile(recording);
    return (measure.array() > 0).select(measure.cwiseInverse(), 1.0);
}

} // namespace

std::unique_ptr<Recording> adjusted(std::unique_ptr<Recording> recording,
                                    const RecordingOptions& options, Vector& unit_scale) {
    const Index units = recording->units();
    if (options.negatives != Negatives::error) {
        Vector offset = Vector::Zero(units);
        if (options.negatives == Negatives::offset) {
            for_each_block(*recording, [&](const Matrix& block) {
                const Matrix finite = block.array().isFinite().select(block, 0.0);
                offset = offset.cwiseMax(-finite.rowwise().minCoeff());
            });
        }
        recording = std::make_unique<AdjustedRecording>(std::move(recording),
                                                        options.negatives == Negatives::clip,
                                                        offset, Vector::Ones(units));
    }
    if (options.scale != Scale::none || options.unit_scale.size() > 0) {
        unit_scale = options.unit_scale.size() > 0 ? options.unit_scale
                                                   : scale_factors(*recording, options.scale);
        if (unit_scale.size() != units)
            throw Error(concat("has ", units, " units and the model's unit_scale ",
                               unit_scale.size(), "; as many are expected"));
        recording = std::make_unique<AdjustedRecording>(std::move(recording), false,
                                                        Vector::Zero(units), unit_scale);
    }
    return recording;
}

} // namespace assay::formats

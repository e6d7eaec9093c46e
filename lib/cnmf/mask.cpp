#include <assay/cnmf/mask.hpp>

#include <assay/cnmf/gram.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <iterator>

namespace assay::cnmf {

Mask::Mask(Index units, Index bins, const std::function<bool(Index, Index)>& used) {
    bin_start_.reserve(static_cast<std::size_t>(bins) + 1);
    bin_start_.push_back(0);
    for (Index bin = 0; bin < bins; ++bin) {
        for (Index unit = 0; unit < units; ++unit)
            if (!used(unit, bin)) units_.push_back(static_cast<std::int32_t>(unit));
        bin_start_.push_back(static_cast<std::int64_t>(units_.size()));
    }
    units_.shrink_to_fit();
}

std::function<bool(Index, Index)> by_value(const Recording& recording,
                                           std::function<bool(double)> used) {
    struct Block {
        Matrix values;
        Index first = 0;
    };
    const auto block = std::make_shared<Block>();
    return [&recording, used = std::move(used), block](Index unit, Index bin) {
        if (bin >= block->first + block->values.cols()) {
            block->first = bin;
            block->values = recording.read(bin, std::min<Index>(4096, recording.bins() - bin));
        }
        return used(block->values(unit, bin - block->first));
    };
}

Mask Mask::held_out(Index units, Index bins, const HoldOut& hold_out) {
    if (!(hold_out.share > 0)) return {};
    const Random random(hold_out.seed, "cnmf/holdout");
    const auto block = static_cast<std::uint64_t>(hold_out.block);
    return Mask(units, bins, [&](Index unit, Index bin) {
        // Each block of bins of a unit starts at its own random phase.
        const auto n = static_cast<std::uint64_t>(unit);
        const std::uint64_t phase =
            block > 1 ? random.below(block, n, {hold_out.repetition, 1, 0}) : 0;
        const std::uint64_t stretch = (static_cast<std::uint64_t>(bin) + phase) / block;
        return random.uniform(stretch, {hold_out.repetition, 0, n}) >= hold_out.share;
    });
}

Mask Mask::united(const Mask& other) const {
    if (other.empty()) return *this;
    if (empty()) return other;
    Mask both;
    both.bin_start_.push_back(0);
    for (Index bin = 0; bin + 1 < static_cast<Index>(bin_start_.size()); ++bin) {
        const Units mine = units_of(bin), theirs = other.units_of(bin);
        std::set_union(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                       std::back_inserter(both.units_));
        both.bin_start_.push_back(static_cast<std::int64_t>(both.units_.size()));
    }
    both.units_.shrink_to_fit();
    return both;
}

Mask::Units Mask::units_of(Index bin) const {
    if (empty()) return {nullptr, nullptr};
    const auto at = static_cast<std::size_t>(bin);
    return {units_.data() + bin_start_[at], units_.data() + bin_start_[at + 1]};
}

void Mask::check(Index units, Index bins, Index lags, Monitor& monitor) const {
    if (empty()) return;
    if (count() == units * bins) throw Error("every entry is masked; there is nothing to fit");
    std::vector<Index> masked_bins(static_cast<std::size_t>(units), 0);
    for (const std::int32_t unit : units_) ++masked_bins[static_cast<std::size_t>(unit)];
    const auto lost = std::count(masked_bins.begin(), masked_bins.end(), bins);
    if (lost > 0)
        monitor.warn(concat(lost, lost == 1 ? " unit is" : " units are", " masked throughout"));
    Index run = 0, longest = 0;
    for (Index bin = 0; bin < bins; ++bin) {
        const Units masked = units_of(bin);
        run = masked.end() - masked.begin() == units ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    if (longest >= lags)
        monitor.warn(concat("a stretch of ", longest,
                            " bins is masked in all units; --segments states gaps better"));
    if (2 * count() > units * bins)
        monitor.warn("more than half of the entries are masked; the fit converges slowly (for gaps "
                     "see --segments)");
}

MaskedRecording::MaskedRecording(const Recording& recording, const Mask& mask)
    : recording_(&recording), mask_(&mask) {
    segment_start = recording.segment_start;
    bin_seconds = recording.bin_seconds;
    unit_ids = recording.unit_ids;
}

Matrix MaskedRecording::read(Index first_bin, Index count) const {
    Matrix block = recording_->read(first_bin, count);
    for (Index t = 0; t < count; ++t)
        for (const std::int32_t unit : mask_->units_of(first_bin + t)) block(unit, t) = 0;
    return block;
}

SparseMatrix MaskedRecording::read_sparse(Index first_bin, Index count) const {
    SparseMatrix block = recording_->read_sparse(first_bin, count);
    for (Index t = 0; t < block.outerSize(); ++t) {
        const Mask::Units masked = mask_->units_of(first_bin + t);
        for (SparseMatrix::InnerIterator it(block, t); it; ++it)
            if (std::binary_search(masked.begin(), masked.end(),
                                   static_cast<std::int32_t>(it.row())))
                it.valueRef() = 0;
    }
    block.prune(0.0, 0.0);
    return block;
}

Unseen::Unseen(const Recording& data, const Mask& excluded, const Mask& held_out)
    : mask(excluded.united(held_out)) {
    if (mask.empty()) return;
    stored.reserve(static_cast<std::size_t>(mask.count()));
    for (const auto& piece : TimeAxis(data.bins(), data.segment_start, 1).pieces(4096)) {
        const Matrix block = data.read(piece.first_bin, piece.bins);
        for (Index t = 0; t < piece.bins; ++t) {
            const Mask::Units gone = excluded.units_of(piece.first_bin + t);
            for (const std::int32_t unit : mask.units_of(piece.first_bin + t)) {
                const bool missing = std::binary_search(gone.begin(), gone.end(), unit);
                stored.push_back(missing ? 0.0 : block(unit, t));
                tested.push_back(!missing);
                stored_power += stored.back() * stored.back();
            }
        }
    }
}

void Imputation::evaluate(const Matrix& motifs, const TimeMatrix& activations,
                          const Execution& run) {
    const Mask& mask = unseen_->mask;
    values_.resize(static_cast<std::size_t>(mask.count()));
    if (mask.empty()) return;
    const RowMatrix by_unit = motifs;
    const auto pieces = axis_->pieces(4096);
    const std::int32_t* const origin = mask.units_of(0).begin();
    parallel_blocks(static_cast<Index>(pieces.size()), run.threads, [&](Index p) {
        const auto& piece = pieces[static_cast<std::size_t>(p)];
        for (Index t = 0; t < piece.bins; ++t) {
            const auto row = unfolded(activations, axis_->lags(), piece.first_row + t, 1);
            const Mask::Units masked = mask.units_of(piece.first_bin + t);
            for (const std::int32_t* unit = masked.begin(); unit != masked.end(); ++unit)
                values_[static_cast<std::size_t>(unit - origin)] =
                    by_unit.row(*unit).dot(row.row(0));
        }
    });
}

void Imputation::add_to(Matrix& sum, const TimeMatrix& activations, const Execution& run) const {
    const Mask& mask = unseen_->mask;
    if (mask.empty()) return;
    constexpr Index kUnits = 16; // a block of work
    const Blocks blocks{sum.rows(), kUnits};
    const std::int32_t* const origin = mask.units_of(0).begin();
    parallel_blocks(blocks.count(), run.threads, [&](Index b) {
        const Index first = blocks.begin(b), end = first + blocks.extent(b);
        RowMatrix added = RowMatrix::Zero(blocks.extent(b), sum.cols());
        for (const Segment& segment : axis_->segments())
            for (Index t = 0; t < segment.bins; ++t) {
                const Mask::Units masked = mask.units_of(segment.first_bin + t);
                if (masked.begin() == masked.end()) continue;
                const auto row = unfolded(activations, axis_->lags(), segment.first_row + t, 1);
                for (const std::int32_t* unit =
                         std::lower_bound(masked.begin(), masked.end(), first);
                     unit != masked.end() && *unit < end; ++unit) {
                    const auto entry = static_cast<std::size_t>(unit - origin);
                    added.row(*unit - first) +=
                        (values_[entry] - unseen_->stored[entry]) * row.row(0);
                }
            }
        sum.middleRows(first, blocks.extent(b)) += added;
    });
}

void Imputation::add_to(TimeMatrix& sum, const Matrix& motifs, const Execution& run) const {
    const Mask& mask = unseen_->mask;
    if (mask.empty()) return;
    const RowMatrix by_unit = motifs;
    const Index components = sum.cols(), reach = axis_->lags() - 1;
    const std::int32_t* const origin = mask.units_of(0).begin();
    const auto pieces = chunks(*axis_);
    for_each_colour(pieces, run.threads, [&](Index p) {
        const auto& piece = pieces[static_cast<std::size_t>(p)];
        for (Index t = 0; t < piece.bins; ++t) {
            Eigen::Map<Eigen::RowVectorXd> stretch(
                sum.data() + (piece.first_row + t - reach) * components, motifs.cols());
            for (const std::int32_t& unit : mask.units_of(piece.first_bin + t)) {
                const auto entry = static_cast<std::size_t>(&unit - origin);
                stretch += (values_[entry] - unseen_->stored[entry]) * by_unit.row(unit);
            }
        }
    });
    axis_->clear_padding(sum);
}

double Imputation::test_error() const {
    double error = 0;
    for (std::size_t entry = 0; entry < values_.size(); ++entry)
        if (unseen_->tested[entry]) {
            const double difference = unseen_->stored[entry] - values_[entry];
            error += difference * difference;
        }
    return error;
}

} // namespace assay::cnmf

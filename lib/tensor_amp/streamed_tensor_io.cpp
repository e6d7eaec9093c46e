#include <assay/tensor_amp/streamed_tensor_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/settle_entries.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace assay::tensor_amp {

namespace {

// Rows [begin, end) of a dataset whose first `left_modes` modes are counted as rows; read in as few
// boxes as there need be.
template <class T>
void read_rows(const hdf5::Dataset& dataset, Index left_modes, Index begin, Index end, T* out) {
    const hdf5::Shape& shape = dataset.shape();
    Index columns = 1;
    for (auto a = static_cast<std::size_t>(left_modes); a < shape.size(); ++a) columns *= shape[a];
    while (begin < end) {
        // The box spans whole modes after `mode` and a range of `mode` itself.
        auto mode = static_cast<std::size_t>(left_modes - 1);
        Index stride = 1;
        while (mode > 0 && begin % (stride * shape[mode]) == 0 &&
               begin + stride * shape[mode] <= end)
            stride *= shape[mode--];
        hdf5::Shape offset(shape.size(), 0), count(shape);
        Index rest = begin / stride;
        for (std::size_t a = mode + 1; a-- > 0; rest /= shape[a]) {
            offset[a] = rest % shape[a];
            count[a] = 1;
        }
        count[mode] = std::min(shape[mode] - offset[mode], (end - begin) / stride);
        dataset.read_box(offset, count, out);
        begin += count[mode] * stride;
        out += count[mode] * stride * columns;
    }
}

// Hands buffers from one reading thread to the caller.
class DoubleBuffer {
  public:
    // `fill(buffer, block)` runs on the thread for block 0 .. count-1, `use(buffer, block)` on the
    // caller's; buffer is 0 or 1.
    template <class Fill, class Use>
    void run(Index count, const Fill& fill, const Use& use) {
        std::thread reader([&] { read_all(count, fill); });
        try {
            for (Index block = 0; block < count; ++block) {
                wait([&] { return filled_ > block || failure_; });
                if (filled_ <= block) break;
                use(static_cast<int>(block % 2), block);
                advance(used_);
            }
        } catch (...) {
            finish(reader);
            throw;
        }
        finish(reader);
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    template <class Fill>
    void read_all(Index count, const Fill& fill) {
        try {
            for (Index block = 0; block < count; ++block) {
                wait([&] { return used_ + 2 > block || stopped_; });
                if (stopped_) return;
                fill(static_cast<int>(block % 2), block);
                advance(filled_);
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            failure_ = std::current_exception();
            changed_.notify_all();
        }
    }
    template <class Condition>
    void wait(const Condition& condition) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, condition);
    }
    void advance(Index& counter) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++counter;
        changed_.notify_all();
    }
    void finish(std::thread& reader) {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stopped_ = true;
            changed_.notify_all();
        }
        reader.join();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Index filled_ = 0, used_ = 0;
    bool stopped_ = false;
    std::exception_ptr failure_;
};

// Numbers that are read in seconds, so that an interruption does not wait (much fewer, and large
// chunks are inflated many times).
constexpr Index kSoon = Index{1} << 26;

// Compares entries of a symmetric tensor, which are equal but for rounding.
class SymmetryCheck {
  public:
    SymmetryCheck(const Shape& shape, double largest, std::string where)
        : shape_(shape), bound_(kSymmetryRounding * largest), where_(std::move(where)) {}

    // Slices of the first mode from `begin` on, and the same of the second: with the first two
    // indices swapped, and with any other neighbours. Entries with repeated indices are 0 in
    // `slices`; every other is met from both sides, so that zeros need not be looked at.
    void compare(Index begin, const VectorXd& slices, const VectorXd& swapped) const {
        const Index length = shape_.front();
        const Index slice = length * inner(), count = slices.size() / slice;
        for (Index i = 0; i < count; ++i)
            for (Index j = 0; j < length; ++j)
                for (Index k = 0; k < inner(); ++k) {
                    const Index here = i * slice + j * inner() + k;
                    expect_equal(begin * slice + here, slices(here),
                                 swapped((j * count + i) * inner() + k));
                }
        for (Index stride = inner(); stride > 1; stride /= length)
            for (Index here = 0; here < slices.size(); ++here) {
                const Index x = here / stride % length, y = here / (stride / length) % length;
                expect_equal(begin * slice + here, slices(here),
                             slices(here + (y - x) * (stride - stride / length)));
            }
    }

  private:
    // Entries of a pair of first indices.
    [[nodiscard]] Index inner() const {
        Index count = 1;
        for (std::size_t a = 2; a < shape_.size(); ++a) count *= shape_[a];
        return count;
    }
    void expect_equal(Index entry, double value, double other) const {
        if (value == 0 || std::abs(value - other) <= bound_) return;
        throw Error(concat(where_, ": symmetric: entry ", position_text(entry, shape_), " is ",
                           value, ", with two neighbouring indices swapped ", other));
    }

    const Shape& shape_;
    double bound_;
    std::string where_;
};

[[nodiscard]] Shape tensor_shape(const hdf5::Dataset& values) {
    values.expect_numeric();
    Shape shape(values.shape().begin(), values.shape().end());
    check_shape(shape, values.where());
    return shape;
}

} // namespace

// Kept from pass to pass: fresh memory costs more than what is done with it.
struct StreamedTensor::Buffers {
    std::array<VectorXd, 2> doubles;
    std::array<Eigen::VectorXf, 2> floats;
    std::array<std::vector<std::uint8_t>, 2> observed;
    bool kept = false; // the first ones hold all rows of this rank

    template <class Scalar>
    [[nodiscard]] auto& values() {
        if constexpr (std::is_same_v<Scalar, float>)
            return floats;
        else
            return doubles;
    }
};

StreamedTensor::~StreamedTensor() = default;

StreamedTensor::StreamedTensor(hdf5::Dataset values, std::optional<hdf5::Dataset> mask,
                               const StreamedTensorSettings& settings)
    : TensorSource(tensor_shape(values), settings.storage), values_(std::move(values)),
      mask_(std::move(mask)), settings_(settings), buffers_(std::make_unique<Buffers>()) {
    if (mask_ && mask_->expect_numeric().shape() != values_.shape())
        throw Error(concat(mask_->where(), ": has the shape ", hdf5::shape_text(mask_->shape()),
                           "; the tensor's, ", hdf5::shape_text(values_.shape()), ", is expected"));
    if (settings_.symmetric) at_place(values_.where(), [&] { check_cubic_tensor(shape()); });
    static_cast<void>(steps());
}

std::unique_ptr<TensorSource> StreamedTensor::without(const Hidden& hidden,
                                                      const Execution& run) const {
    StreamedTensorSettings settings = settings_;
    Hidden any = hidden;
    if (hidden_)
        any = [before = hidden_, hidden](Index entry) { return before(entry) || hidden(entry); };
    // Bits are kept where there is room: to draw them anew costs more than to read the numbers.
    const Index bytes = size() / 8;
    if (bytes <= settings.memory_bytes / 4) {
        const auto bits = std::make_shared<std::vector<bool>>(at(size()));
        in_pieces(run, [&](Index begin, Index end) {
            for (Index entry = begin; entry < end; ++entry) (*bits)[at(entry)] = any(entry);
        });
        any = [bits](Index entry) { return (*bits)[at(entry)]; };
        settings.memory_bytes -= bytes;
    }
    auto other = std::make_unique<StreamedTensor>(values_, mask_, settings);
    other->hidden_ = any;
    other->constant_ = constant_;
    if (share().ranks == 1) other->buffers_ = buffers_;
    static_cast<void>(other->steps());
    return other;
}

Index StreamedTensor::row_bytes() const {
    const std::size_t entry = storage() == Storage::float32 ? sizeof(float) : sizeof(double);
    return unfolded().columns * static_cast<Index>(entry + (masked() ? 1 : 0));
}

// As many whole slabs as fit into so many buffers; 0 where none does.
Index StreamedTensor::rows_together(Index buffers) const {
    const Unfolding& matrix = unfolded();
    const Index slab_rows = std::min(matrix.slab_rows, matrix.rows);
    // Means are taken off in double, a slab at a time.
    const Index scratch = settings_.centering && storage() == Storage::float32
                              ? slab_rows * matrix.columns * static_cast<Index>(sizeof(double))
                              : 0;
    const Index slab_bytes = slab_rows * row_bytes();
    const Index slabs = (settings_.memory_bytes - scratch) / (buffers * slab_bytes);
    if (slabs < 1 && buffers > 1)
        throw Error(concat(values_.where(), ": a tensor of this shape is read in two blocks of ",
                           slab_bytes, " bytes; there are ", settings_.memory_bytes,
                           " bytes of memory (--memory)"));
    return std::min(std::max<Index>(slabs, 0) * matrix.slab_rows, matrix.rows);
}

// Of the whole tensor, or of this rank's groups, round by round: as many at every rank.
std::vector<StreamedTensor::Step> StreamedTensor::steps() const {
    const Unfolding& matrix = unfolded();
    const Index together = rows_together(2);
    std::vector<Step> steps;
    const auto cut = [&](const RowBlock& whole, Index length, Index place) {
        const Blocks pieces{length, std::min(together, length)};
        for (Index i = 0; i < pieces.count(); ++i) {
            Step step{whole, 0};
            step.rows.first += std::min(pieces.begin(i), whole.count);
            step.rows.count = std::clamp(whole.count - pieces.begin(i), Index{0}, pieces.length);
            if (i + 1 < pieces.count()) step.rows.round_groups = 0;
            step.place = place + std::min(pieces.begin(i), whole.count);
            steps.push_back(step);
        }
    };
    if (share().ranks == 1) {
        RowBlock all;
        all.count = matrix.rows;
        cut(all, matrix.rows, 0);
    }
    for (Index round = 0, place = 0; share().ranks > 1 && round < share().rounds(matrix.groups());
         ++round) {
        const RowBlock group = own_group(round);
        cut(group, std::min(matrix.group_rows(), matrix.rows), place);
        place += group.count;
    }
    return steps;
}

void StreamedTensor::survey(Monitor& monitor) {
    const Unfolding& matrix = unfolded();
    // At most half a block, since flags are read as doubles beside the values; of ranks that share
    // the memory of one machine, a part of it.
    const Blocks parts{matrix.rows, std::min(rows_together(2) / (Index{2} * share().ranks) + 1,
                                             std::max<Index>(1, kSoon / matrix.columns))};
    VectorXd values(parts.length * matrix.columns), flags;
    if (mask_) flags.resize(values.size());
    std::optional<MeansOfSlices> means;
    if (settings_.centering) means.emplace(shape(), settings_.centering->mode);
    Index observed = 0, nan_count = 0, first_nan = -1;
    double least = std::numeric_limits<double>::infinity(), most = -least;
    for (Index part = 0; part < parts.count(); ++part) {
        monitor.stop_if_interrupted();
        const Index begin = parts.begin(part), end = begin + parts.extent(part);
        read_rows(values_, matrix.left_modes, begin, end, values.data());
        if (mask_) read_rows(*mask_, matrix.left_modes, begin, end, flags.data());
        for (Index i = 0; i < (end - begin) * matrix.columns; ++i) {
            const Index entry = begin * matrix.columns + i;
            if (mask_ && checked_flag(flags(i), entry, shape(), mask_->where()) == 0) continue;
            check_finite(values(i), entry, shape(), values_.where());
            if (std::isnan(values(i))) {
                if (nan_count++ == 0) first_nan = entry;
                continue;
            }
            ++observed;
            if (means) means->add(entry, values(i));
            least = std::min(least, values(i));
            most = std::max(most, values(i));
        }
        monitor.progress({static_cast<double>(end), static_cast<double>(matrix.rows), "rows",
                          "looking through the tensor"});
    }
    if (!settings_.missing_nan) check_nan(nan_count, first_nan, shape(), values_.where());
    if (observed == 0) throw Error(values_.where() + ": nothing is observed");
    settings_.missing_nan = nan_count > 0;
    constant_ = least == most;
    if (means) settings_.centering = means->centering();
    // With missing entries it is refused for these.
    if (settings_.symmetric && !masked()) expect_symmetry(std::max(-least, most), monitor);
}

// The tensor is read twice, by slices of the first and of the second mode.
void StreamedTensor::expect_symmetry(double largest, Monitor& monitor) const {
    const Index length = shape().front(), slice = size() / length;
    const Index together = settings_.memory_bytes / (2 * slice * Index{sizeof(double)});
    if (together < 1)
        throw Error(concat(values_.where(), ": a symmetric tensor is compared in two slices of ",
                           slice * Index{sizeof(double)}, " bytes; there are ",
                           settings_.memory_bytes, " bytes of memory (--memory)"));
    const SymmetryCheck check(shape(), largest, values_.where());
    const Blocks parts{length, std::min(together, std::max<Index>(1, kSoon / slice))};
    VectorXd slices, swapped;
    for (Index part = 0; part < parts.count(); ++part) {
        monitor.stop_if_interrupted();
        const Index begin = parts.begin(part), count = parts.extent(part);
        slices.resize(count * slice);
        swapped.resize(slices.size());
        hdf5::Shape offset(shape().size(), 0), box(shape().begin(), shape().end());
        offset[0] = begin;
        box[0] = count;
        values_.read_box(offset, box, slices.data());
        std::swap(offset[0], offset[1]);
        std::swap(box[0], box[1]);
        values_.read_box(offset, box, swapped.data());
        clear_repeated_indices(slices.data(), begin * slice, slices.size(), shape());
        check.compare(begin, slices, swapped);
        monitor.progress({static_cast<double>(begin + count), static_cast<double>(length), "slices",
                          "comparing permuted indices"});
    }
}

void StreamedTensor::go_through(Content content, const Visitor& body) const {
    if (storage() == Storage::float32)
        stream<float>(content, body);
    else
        stream<double>(content, body);
}

// Rows as passes want them.
template <class Scalar>
void StreamedTensor::read_values(Index begin, Index rows, std::uint8_t* observed,
                                 Scalar* out) const {
    const Unfolding& matrix = unfolded();
    const Index first = begin * matrix.columns, count = rows * matrix.columns;
    if (std::is_same_v<Scalar, float> && settings_.centering) {
        const Blocks slabs{rows, std::min(matrix.slab_rows, matrix.rows)};
        VectorXd exact(slabs.length * matrix.columns);
        for (Index slab = 0; slab < slabs.count(); ++slab) {
            const Index place = slabs.begin(slab) * matrix.columns;
            const Index entries = slabs.extent(slab) * matrix.columns;
            read_values(begin + slabs.begin(slab), slabs.extent(slab),
                        observed != nullptr ? observed + place : nullptr, exact.data());
            Eigen::Map<Eigen::Matrix<Scalar, Eigen::Dynamic, 1>> stored(out + place, entries);
            stored = exact.head(entries).cast<Scalar>();
            if (!stored.allFinite())
                throw Error(values_.where() + ": a number beyond float32 (--precision float64)");
        }
        return;
    }
    read_rows(values_, matrix.left_modes, begin, begin + rows, out);
    at_place(values_.where(), [&] { settle(out, observed, count, settings_.missing_nan, first); });
    if constexpr (std::is_same_v<Scalar, double>)
        if (settings_.centering)
            subtract(*settings_.centering, shape(), out, observed, first, count);
    if (settings_.symmetric) clear_repeated_indices(out, first, count, shape());
}

template <class Scalar>
void StreamedTensor::fill(const Step& step, std::size_t buffer, bool with_values) const {
    const Unfolding& matrix = unfolded();
    const Index begin = step.rows.first, rows = step.rows.count;
    const Index place = step.place * matrix.columns, entries = rows * matrix.columns;
    std::uint8_t* flags = masked() ? buffers_->observed[buffer].data() + place : nullptr;
    if (mask_)
        read_rows(*mask_, matrix.left_modes, begin, begin + rows, flags);
    else if (flags != nullptr)
        std::fill(flags, flags + entries, std::uint8_t{1});
    if (hidden_)
        for (Index i = 0; i < entries; ++i)
            if (flags[i] != 0 && hidden_(begin * matrix.columns + i)) flags[i] = 0;
    if (with_values)
        read_values(begin, rows, flags, buffers_->values<Scalar>()[buffer].data() + place);
    else
        for (Index i = 0; i < entries; ++i) flags[i] = flags[i] != 0 ? 1 : 0;
}

template <class Scalar>
RowBlock StreamedTensor::filled(const Step& step, std::size_t buffer, bool with_values) const {
    const Index place = step.place * unfolded().columns;
    RowBlock rows = step.rows;
    if (with_values) {
        const Scalar* numbers = buffers_->values<Scalar>()[buffer].data() + place;
        if constexpr (std::is_same_v<Scalar, float>)
            rows.floats = numbers;
        else
            rows.doubles = numbers;
    }
    if (masked()) rows.observed = buffers_->observed[buffer].data() + place;
    return rows;
}

template <class Scalar>
void StreamedTensor::stream(Content content, const Visitor& body) const {
    std::vector<Step> steps = this->steps();
    // What this rank has of the rows: all in one buffer, read once, or two for pieces of them.
    const Index own = steps.back().place + steps.back().rows.count;
    const bool keeps = share().ranks > 1 && own <= rows_together(1);
    const bool with_values =
        keeps || content == Content::values || settings_.missing_nan || !masked();
    const Index rows = keeps ? own : rows_together(2);
    const Index entries = rows * unfolded().columns;
    for (std::size_t buffer = 0; buffer < (keeps ? 1U : 2U); ++buffer) {
        if (with_values) buffers_->values<Scalar>()[buffer].resize(entries);
        if (masked()) buffers_->observed[buffer].resize(at(entries));
    }
    if (keeps) {
        for (const Step& step : steps) {
            if (!buffers_->kept) fill<Scalar>(step, 0, true);
            body(filled<Scalar>(step, 0, true));
        }
        buffers_->kept = true;
        return;
    }
    for (Step& step : steps) step.place = 0;
    DoubleBuffer().run(
        static_cast<Index>(steps.size()),
        [&](int which, Index k) {
            fill<Scalar>(steps[at(k)], static_cast<std::size_t>(which), with_values);
        },
        [&](int which, Index k) {
            body(filled<Scalar>(steps[at(k)], static_cast<std::size_t>(which), with_values));
        });
}

} // namespace assay::tensor_amp

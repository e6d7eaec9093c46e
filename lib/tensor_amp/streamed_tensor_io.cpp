#include <assay/tensor_amp/streamed_tensor_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/tensor_amp/settle_entries.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

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
    static_cast<void>(blocks());
}

// Of rows of the unfolded tensor, two of which fit into the memory.
Blocks StreamedTensor::blocks() const {
    const Unfolding& matrix = unfolded();
    const std::size_t entry = storage() == Storage::float32 ? sizeof(float) : sizeof(double);
    const Index row_bytes = matrix.columns * static_cast<Index>(entry + (masked() ? 1 : 0));
    const Index slab_bytes = std::min(matrix.slab_rows, matrix.rows) * row_bytes;
    const Index slabs = settings_.memory_bytes / (2 * slab_bytes);
    if (slabs < 1)
        throw Error(concat(values_.where(), ": a tensor of this shape is read in two blocks of ",
                           slab_bytes, " bytes; there are ", settings_.memory_bytes,
                           " bytes of memory (--memory)"));
    return {matrix.rows, std::min(slabs * matrix.slab_rows, matrix.rows)};
}

void StreamedTensor::survey(Monitor& monitor) {
    const Unfolding& matrix = unfolded();
    // At most half a block, since flags are read as doubles beside the values; and read in seconds,
    // so that an interruption does not wait (much less, and large chunks are inflated many times).
    constexpr Index soon = Index{1} << 26; // numbers
    const Blocks parts{matrix.rows, std::min((blocks().length + 1) / 2,
                                             std::max<Index>(1, soon / matrix.columns))};
    VectorXd values(parts.length * matrix.columns), flags;
    if (mask_) flags.resize(values.size());
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
}

void StreamedTensor::go_through(Content content, const Visitor& body) const {
    if (storage() == Storage::float32)
        stream<float>(content, body);
    else
        stream<double>(content, body);
}

template <class Scalar>
void StreamedTensor::stream(Content content, const Visitor& body) const {
    const Unfolding& matrix = unfolded();
    const bool with_values = content == Content::values || settings_.missing_nan || !mask_;
    const Blocks blocks = this->blocks();
    const Index entries = blocks.length * matrix.columns;
    auto& values = buffers_->values<Scalar>();
    auto& observed = buffers_->observed;
    if (with_values)
        for (auto& buffer : values) buffer.resize(entries);
    if (masked())
        for (auto& buffer : observed) buffer.resize(static_cast<std::size_t>(entries));

    const auto fill = [&](int which, Index block) {
        const Index begin = blocks.begin(block), rows = blocks.extent(block);
        auto& numbers = values[static_cast<std::size_t>(which)];
        auto& flags = observed[static_cast<std::size_t>(which)];
        if (mask_)
            read_rows(*mask_, matrix.left_modes, begin, begin + rows, flags.data());
        else
            std::fill(flags.begin(), flags.end(), std::uint8_t{1});
        if (!with_values) {
            for (std::uint8_t& flag : flags) flag = flag != 0 ? 1 : 0;
            return;
        }
        read_rows(values_, matrix.left_modes, begin, begin + rows, numbers.data());
        at_place(values_.where(), [&] {
            settle(numbers.data(), masked() ? flags.data() : nullptr, rows * matrix.columns,
                   settings_.missing_nan, begin * matrix.columns);
        });
    };
    const auto use = [&](int which, Index block) {
        RowBlock rows;
        rows.first = blocks.begin(block);
        rows.count = blocks.extent(block);
        if (with_values) {
            const Scalar* numbers = values[static_cast<std::size_t>(which)].data();
            if constexpr (std::is_same_v<Scalar, float>)
                rows.floats = numbers;
            else
                rows.doubles = numbers;
        }
        if (masked()) rows.observed = observed[static_cast<std::size_t>(which)].data();
        body(rows);
    };
    DoubleBuffer().run(blocks.count(), fill, use);
}

} // namespace assay::tensor_amp

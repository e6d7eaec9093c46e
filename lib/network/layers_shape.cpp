// Parameter-free linear layers, as one table a layer: which input cells, with which weights, make
// an output cell. Flatten, reshape, permute, padding, cropping, slices, upsampling, mean pooling.
#include <assay/network/windows.hpp>

#include <assay/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

namespace assay::network {
namespace {

// A sparse map of one sample's cells. Without weights all are 1; without anything it is the
// identity.
struct Table {
    std::vector<std::int32_t> begin{0}; // outputs + 1
    std::vector<std::int32_t> source;
    std::vector<double> weight;
    [[nodiscard]] bool identity() const { return begin.size() == 1; }
    void add_output() { begin.push_back(static_cast<std::int32_t>(source.size())); }
};

template <class S>
class LinearMap : public Layer<S> {
  public:
    LinearMap(TensorInfo output, Table table) : table_(std::move(table)) {
        this->output_ = std::move(output);
        weight_.assign(table_.weight.begin(), table_.weight.end());
    }
    [[nodiscard]] bool affine() const override { return true; }
    [[nodiscard]] Index slope_size() const override { return 0; }
    void forward(const Primal<S>& p, Rows<S>& y) const override { apply(*p.x[0], y); }
    void tangent(const Primal<S>&, const Tangents<S>& t, Rows<S>& dy) const override {
        apply(*t.dx[0], dy);
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (dx[0].wanted()) adjoint(cotangent, dx[0], p.x[0]->cols());
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        if (dx[0].wanted()) adjoint(cotangent_tangent, dx[0], p.x[0]->cols());
    }

  private:
    void apply(const Rows<S>& x, Rows<S>& y) const {
        y.resize(x.rows(), this->output_.size());
        each_row(x.rows(), [&](Index row) {
            const S* from = x.row(row).data();
            S* to = y.row(row).data();
            if (table_.identity()) {
                std::copy_n(from, x.cols(), to);
                return;
            }
            for_outputs([&](Index out, std::size_t i, std::size_t end) {
                S sum(0);
                for (; i < end; ++i)
                    sum += (weight_.empty() ? S(1) : weight_[i]) * from[table_.source[i]];
                to[out] = sum;
            });
        });
    }
    void adjoint(const Rows<S>& cotangent, Sink<S>& dx, Index size) const {
        if (table_.identity()) {
            dx.add(cotangent);
            return;
        }
        Rows<S>& sum = dx.zeroed(cotangent.rows(), size);
        each_row(cotangent.rows(), [&](Index row) {
            const S* from = cotangent.row(row).data();
            S* to = sum.row(row).data();
            for_outputs([&](Index out, std::size_t i, std::size_t end) {
                for (; i < end; ++i)
                    to[table_.source[i]] += (weight_.empty() ? S(1) : weight_[i]) * from[out];
            });
        });
    }
    // Calls body(row); threads share the rows.
    template <class Body>
    void each_row(Index rows, Body&& body) const {
        const auto numbers =
            std::max(this->output_.size(), static_cast<Index>(table_.source.size()));
        share_out(rows, static_cast<double>(rows * numbers), [&](Index first, Index count) {
            for (Index row = first; row < first + count; ++row) body(row);
        });
    }
    template <class Body>
    void for_outputs(Body&& body) const {
        for (std::size_t out = 0; out + 1 < table_.begin.size(); ++out)
            body(static_cast<Index>(out), static_cast<std::size_t>(table_.begin[out]),
                 static_cast<std::size_t>(table_.begin[out + 1]));
    }
    Table table_;
    std::vector<S> weight_;
};

Shape strides_of(const Shape& shape) {
    Shape strides(shape.size(), 1);
    for (std::size_t axis = shape.size(); axis-- > 1;)
        strides[axis - 1] = strides[axis] * shape[axis];
    return strides;
}

// A table with at most one source an output: source(output multi-index) or -1.
template <class Source>
Table one_to_one(const Shape& output, Source&& source) {
    Table table;
    Shape index(output.size(), 0);
    for (Index i = 0; i < size_of(output); ++i) {
        const Index from = source(index);
        if (from >= 0) table.source.push_back(static_cast<std::int32_t>(from));
        table.add_output();
        for (std::size_t axis = output.size(); axis-- > 0;) {
            if (++index[axis] < output[axis]) break;
            index[axis] = 0;
        }
    }
    return table;
}

// The cell at `position` of a tensor, axis by axis transformed; -1 outside of it.
template <class Transform>
Index cell_at(const Shape& input, const Shape& index, Transform&& transform) {
    Index cell = 0;
    for (std::size_t axis = 0; axis < input.size(); ++axis) {
        const Index at = transform(axis, index[axis]);
        if (at < 0 || at >= input[axis]) return -1;
        cell = cell * input[axis] + at;
    }
    return cell;
}

struct Mapped {
    TensorInfo output;
    Table table;
};

Mapped flatten(const LayerRequest& request) {
    const Shape& in = request.inputs[0].shape;
    const bool last = request.keys->word("order", {"channels_first", "channels_last"},
                                         "channels_first") == "channels_last";
    Mapped result{{{size_of(in)}, false}, {}};
    if (!last || in.size() < 2) return result;
    Shape moved(in.begin() + 1, in.end()); // (space..., channel)
    moved.push_back(in[0]);
    const Shape strides = strides_of(in);
    result.table = one_to_one(moved, [&](const Shape& index) {
        Index cell = index.back() * strides[0];
        for (std::size_t axis = 1; axis < in.size(); ++axis)
            cell += index[axis - 1] * strides[axis];
        return cell;
    });
    return result;
}

Mapped reshape(const LayerRequest& request) {
    const TensorInfo& in = request.inputs[0];
    const Shape shape = request.keys->integers("shape", -1, 1);
    if (checked_size(shape, request.keys->path()) != in.size())
        request.keys->refuse(
            "shape", concat("expected ", in.size(), " numbers in all, found ", size_of(shape)));
    const bool stays = in.sequence && !shape.empty() && shape[0] == in.shape[0] && shape.size() > 1;
    return {{shape, request.keys->flag("sequence", stays)}, {}};
}

Mapped permute(const LayerRequest& request) {
    const TensorInfo& in = request.inputs[0];
    const auto axes = request.keys->integers("axes", static_cast<Index>(in.shape.size()), 0);
    Shape sorted = axes, expected(axes.size());
    std::sort(sorted.begin(), sorted.end());
    std::iota(expected.begin(), expected.end(), Index{0});
    if (sorted != expected)
        request.keys->refuse("axes", concat("expected each of 0 to ", axes.size() - 1, " once"));
    const Shape strides = strides_of(in.shape);
    Shape out;
    for (const Index axis : axes) out.push_back(in.shape[static_cast<std::size_t>(axis)]);
    const bool sequence = request.keys->flag("sequence", in.sequence && axes[0] == 0);
    return {{out, sequence}, one_to_one(out, [&](const Shape& index) {
                Index cell = 0;
                for (std::size_t i = 0; i < axes.size(); ++i)
                    cell += index[i] * strides[static_cast<std::size_t>(axes[i])];
                return cell;
            })};
}

// Pairs for all axes, the channels' being zero.
std::vector<Shape> spatial_pairs(const LayerRequest& request, const std::string& key) {
    expect_rank(request, 2, 4);
    auto pairs =
        read_pairs(*request.keys, key, static_cast<Index>(request.inputs[0].shape.size()) - 1);
    pairs.insert(pairs.begin(), Shape{0, 0});
    return pairs;
}

Mapped zero_padding(const LayerRequest& request) {
    const Shape& in = request.inputs[0].shape;
    const auto pairs = spatial_pairs(request, "padding");
    Shape out = in;
    for (std::size_t axis = 0; axis < in.size(); ++axis)
        out[axis] += pairs[axis][0] + pairs[axis][1];
    checked_size(out, request.keys->path());
    return {{out, false}, one_to_one(out, [&](const Shape& index) {
                return cell_at(in, index,
                               [&](std::size_t axis, Index i) { return i - pairs[axis][0]; });
            })};
}

Mapped cropping(const LayerRequest& request) {
    const Shape& in = request.inputs[0].shape;
    const auto pairs = spatial_pairs(request, "cropping");
    Shape out = in;
    for (std::size_t axis = 0; axis < in.size(); ++axis) {
        out[axis] -= pairs[axis][0] + pairs[axis][1];
        if (out[axis] < 1)
            request.keys->refuse("cropping", concat("nothing is left of axis ", axis));
    }
    return {{out, false}, one_to_one(out, [&](const Shape& index) {
                return cell_at(in, index,
                               [&](std::size_t axis, Index i) { return i + pairs[axis][0]; });
            })};
}

Mapped slice(const LayerRequest& request) {
    Keys& keys = *request.keys;
    const TensorInfo& in = request.inputs[0];
    const auto axis =
        static_cast<std::size_t>(keys.count("axis", 0, static_cast<Index>(in.shape.size()) - 1));
    const Index extent = in.shape[axis];
    const Index start = keys.count("start", 0, extent - 1, 0);
    const Index stop = keys.count("stop", start + 1, extent, extent);
    const Index step = keys.count("step", 1, extent, 1);
    Shape out = in.shape;
    out[axis] = (stop - start + step - 1) / step;
    return {{out, in.sequence && axis != 0}, one_to_one(out, [&](const Shape& index) {
                return cell_at(in.shape, index, [&](std::size_t a, Index i) {
                    return a == axis ? start + i * step : i;
                });
            })};
}

Mapped upsample(const LayerRequest& request) {
    expect_rank(request, 2, 4);
    const Shape& in = request.inputs[0].shape;
    auto factor = request.keys->integers("factor", static_cast<Index>(in.size()) - 1, 1);
    factor.insert(factor.begin(), 1);
    Shape out = in;
    for (std::size_t axis = 0; axis < in.size(); ++axis) out[axis] *= factor[axis];
    checked_size(out, request.keys->path());
    return {{out, false}, one_to_one(out, [&](const Shape& index) {
                return cell_at(in, index,
                               [&](std::size_t axis, Index i) { return i / factor[axis]; });
            })};
}

Mapped average_pool(const LayerRequest& request) {
    expect_rank(request, 2, 4);
    const Shape& in = request.inputs[0].shape;
    const Windows windows(*request.keys, space_of(in), true);
    const bool count_padding = request.keys->flag("count_include_pad", false);
    Shape out = windows.output_space();
    out.insert(out.begin(), in[0]);
    Table table;
    for (Index channel = 0; channel < in[0]; ++channel)
        for (Index position = 0; position < windows.positions(); ++position) {
            std::vector<std::int32_t> cells;
            for (Index element = 0; element < windows.elements(); ++element)
                if (windows.source(element, position) >= 0)
                    cells.push_back(static_cast<std::int32_t>(channel * windows.cells() +
                                                              windows.source(element, position)));
            const auto counted = count_padding ? static_cast<std::size_t>(windows.elements())
                                               : std::max<std::size_t>(1, cells.size());
            for (const auto cell : cells) {
                table.source.push_back(cell);
                table.weight.push_back(1.0 / static_cast<double>(counted));
            }
            table.add_output();
        }
    return {{out, false}, std::move(table)};
}

Mapped global_average_pool(const LayerRequest& request) {
    expect_rank(request, 2, 4);
    const Shape& in = request.inputs[0].shape;
    const Index cells = size_of(space_of(in));
    Table table;
    for (Index channel = 0; channel < in[0]; ++channel) {
        for (Index cell = 0; cell < cells; ++cell) {
            table.source.push_back(static_cast<std::int32_t>(channel * cells + cell));
            table.weight.push_back(1.0 / static_cast<double>(cells));
        }
        table.add_output();
    }
    return {{{in[0]}, false}, std::move(table)};
}

template <class S, Mapped (*kMap)(const LayerRequest&)>
std::unique_ptr<Layer<S>> make_map(const LayerRequest& request) {
    if (request.inputs[0].size() > (Index{1} << 30))
        throw Error(request.keys->path() + ": the tensor has more than 2^30 numbers");
    Mapped mapped = kMap(request);
    return std::make_unique<LinearMap<S>>(std::move(mapped.output), std::move(mapped.table));
}

const LayerRegistration kFlatten("flatten", make_map<double, flatten>, make_map<float, flatten>);
const LayerRegistration kReshape("reshape", make_map<double, reshape>, make_map<float, reshape>);
const LayerRegistration kPermute("permute", make_map<double, permute>, make_map<float, permute>);
const LayerRegistration kPadding("zero_padding", make_map<double, zero_padding>,
                                 make_map<float, zero_padding>);
const LayerRegistration kCropping("cropping", make_map<double, cropping>,
                                  make_map<float, cropping>);
const LayerRegistration kSlice("slice", make_map<double, slice>, make_map<float, slice>);
const LayerRegistration kUpsample("upsample", make_map<double, upsample>,
                                  make_map<float, upsample>);
const LayerRegistration kAveragePool("average_pool", make_map<double, average_pool>,
                                     make_map<float, average_pool>);
const LayerRegistration kGlobalAverage("global_average_pool", make_map<double, global_average_pool>,
                                       make_map<float, global_average_pool>);

} // namespace
} // namespace assay::network

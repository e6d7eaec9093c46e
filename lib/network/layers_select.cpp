// Layers that choose cells by their values: max pooling, global max pooling, and the maximum of
// several tensors. Ties go to the first, as in PyTorch; second derivatives vanish. Shares may stand
// in for the choice: then every candidate gets its part of the cotangent.
#include <assay/network/windows.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace assay::network {
namespace {

// Lines a -> start + a (end - start) over [0, 1].
template <class S>
struct Lines {
    std::vector<S> start, end;
    [[nodiscard]] std::size_t size() const { return start.size(); }
    [[nodiscard]] S slope(std::size_t line) const { return end[line] - start[line]; }
    // Where `other`, which rises faster, overtakes `line`.
    [[nodiscard]] S crossing(std::size_t line, std::size_t other) const {
        return (start[line] - start[other]) / (slope(other) - slope(line));
    }
};

// The part of [0, 1] on which each line is the upper envelope: from the left, always on to the line
// that overtakes first. Slopes only grow, so that every line comes up at most once.
template <class S>
void share_envelope(const Lines<S>& lines, S* shares) {
    std::fill_n(shares, lines.size(), S(0));
    if (lines.size() == 0) return;
    auto now = static_cast<std::size_t>(std::max_element(lines.start.begin(), lines.start.end()) -
                                        lines.start.begin());
    for (S at = 0;;) {
        std::size_t next = now;
        S until = 1;
        for (std::size_t line = 0; line < lines.size(); ++line) {
            if (!(lines.slope(line) > lines.slope(now))) continue;
            const S crossing = std::max(at, lines.crossing(now, line));
            const bool steeper =
                crossing == until && next != now && lines.slope(line) > lines.slope(next);
            if (crossing < until || steeper) {
                until = crossing;
                next = line;
            }
        }
        shares[now] += until - at;
        if (next == now) return;
        at = until;
        now = next;
    }
}

// Output cell i of a sample is input cell memory.indices[sample * outputs + i], -1 for none.
template <class S>
class Selection : public Layer<S> {
  public:
    [[nodiscard]] Index slope_size() const override { return this->output_.size() * candidates_; }
    [[nodiscard]] Rows<S> envelope_shares(const std::vector<RowsView<S>>& from,
                                          const std::vector<RowsView<S>>& to) const override {
        Rows<S> shares = Rows<S>::Zero(from[0].rows(), slope_size());
        Lines<S> lines;
        std::vector<Index> numbers;
        std::vector<S> parts(static_cast<std::size_t>(candidates_));
        for (Index row = 0; row < shares.rows(); ++row)
            for (Index output = 0; output < this->output_.size(); ++output) {
                lines.start.clear();
                lines.end.clear();
                numbers.clear();
                for (Index number = 0; number < candidates_; ++number) {
                    const Index cell = candidate(output, number);
                    if (cell < 0) continue;
                    const auto input = static_cast<std::size_t>(cell / input_size_);
                    lines.start.push_back(from[input](row, cell % input_size_));
                    lines.end.push_back(to[input](row, cell % input_size_));
                    numbers.push_back(number);
                }
                share_envelope(lines, parts.data());
                for (std::size_t i = 0; i < numbers.size(); ++i)
                    shares(row, output * candidates_ + numbers[i]) = parts[i];
            }
        return shares;
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        const Index samples = p.pass->samples, outputs = this->output_.size();
        dy.resize(samples * t.directions, outputs);
        if (p.slopes) {
            dy.setZero();
            for (Index row = 0; row < dy.rows(); ++row)
                each_share(p, row % samples, [&](Index output, Index cell, S share) {
                    dy(row, output) += share * value(t.dx, row, cell);
                });
            return;
        }
        for (Index row = 0; row < dy.rows(); ++row) {
            const Index* chosen = chosen_of(p, row % samples);
            for (Index i = 0; i < outputs; ++i)
                dy(row, i) = chosen[i] < 0 ? S(0) : value(t.dx, row, chosen[i]);
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        if (p.slopes)
            send_shares(p, cotangent, dx);
        else
            send_back(p, cotangent, dx);
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>&, const Rows<S>&,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        send_back(p, cotangent_tangent, dx);
    }

  protected:
    // Cells of several inputs are numbered one input after another.
    Index input_size_ = 0;
    Index candidates_ = 1; // of every output
    // The cell that is a candidate of an output, -1 for none (padding).
    [[nodiscard]] virtual Index candidate(Index output, Index number) const = 0;
    void choose(const Primal<S>& p, Rows<S>& y) const {
        y.resize(p.pass->samples, this->output_.size());
        if (p.x.size() == 1) {
            for (Index row = 0; row < y.rows(); ++row) {
                const Index* chosen = chosen_of(p, row);
                const S* x = p.x[0]->row(row).data();
                S* to = y.row(row).data();
                for (Index i = 0; i < y.cols(); ++i) to[i] = chosen[i] < 0 ? S(0) : x[chosen[i]];
            }
            return;
        }
        for (Index row = 0; row < y.rows(); ++row) {
            const Index* chosen = chosen_of(p, row);
            for (Index i = 0; i < y.cols(); ++i)
                y(row, i) = chosen[i] < 0 ? S(0) : value(p.x, row, chosen[i]);
        }
    }
    [[nodiscard]] Index* chosen_of(const Primal<S>& p, Index sample) const {
        return p.memory->indices.data() + sample * this->output_.size();
    }

  private:
    S value(const std::vector<const Rows<S>*>& x, Index row, Index cell) const {
        if (cell < 0) return S(0);
        const auto input = static_cast<std::size_t>(cell / input_size_);
        return x[input] ? (*x[input])(row, cell % input_size_) : S(0);
    }
    // body(output, cell, share) for the shares of a sample that are not 0.
    template <class Body>
    void each_share(const Primal<S>& p, Index sample, Body&& body) const {
        const S* share = p.slopes->row(sample).data();
        for (Index output = 0; output < this->output_.size(); ++output)
            for (Index number = 0; number < candidates_; ++number, ++share)
                if (*share != S(0)) body(output, candidate(output, number), *share);
    }
    const std::vector<Rows<S>*>& zeroed(std::vector<Sink<S>>& dx, Index rows) const {
        thread_local std::vector<Rows<S>*> to;
        to.clear();
        for (auto& sink : dx)
            to.push_back(sink.wanted() ? &sink.zeroed(rows, input_size_) : nullptr);
        return to;
    }
    void send_shares(const Primal<S>& p, const Rows<S>& cotangent, std::vector<Sink<S>>& dx) const {
        const auto& to = zeroed(dx, cotangent.rows());
        for (Index row = 0; row < cotangent.rows(); ++row)
            each_share(p, row % p.pass->samples, [&](Index output, Index cell, S share) {
                if (cell < 0) return;
                Rows<S>* input = to[static_cast<std::size_t>(cell / input_size_)];
                if (input) (*input)(row, cell % input_size_) += share * cotangent(row, output);
            });
    }
    void send_back(const Primal<S>& p, const Rows<S>& cotangent, std::vector<Sink<S>>& dx) const {
        const auto& to = zeroed(dx, cotangent.rows());
        if (to.size() == 1 && !to[0]) return;
        share_out(cotangent.rows(), static_cast<double>(cotangent.size()),
                  [&](Index first, Index count) {
                      for (Index row = first; row < first + count; ++row)
                          send_back(chosen_of(p, row % p.pass->samples), cotangent, row, to);
                  });
    }
    void send_back(const Index* chosen, const Rows<S>& cotangent, Index row,
                   const std::vector<Rows<S>*>& to) const {
        const S* d = cotangent.row(row).data();
        if (to.size() == 1) {
            S* input = to[0]->row(row).data();
            for (Index i = 0; i < cotangent.cols(); ++i)
                if (chosen[i] >= 0) input[chosen[i]] += d[i];
            return;
        }
        for (Index i = 0; i < cotangent.cols(); ++i) {
            if (chosen[i] < 0) continue;
            Rows<S>* input = to[static_cast<std::size_t>(chosen[i] / input_size_)];
            if (input) (*input)(row, chosen[i] % input_size_) += d[i];
        }
    }
};

template <class S>
class MaxPool : public Selection<S> {
  public:
    explicit MaxPool(const LayerRequest& request)
        : windows_(*request.keys, space_of(request.inputs[0].shape), true),
          channels_(request.inputs[0].shape[0]) {
        this->input_size_ = request.inputs[0].size();
        this->output_.shape = windows_.output_space();
        this->output_.shape.insert(this->output_.shape.begin(), channels_);
        this->candidates_ = windows_.elements();
        for (Index i = 0; i < windows_.positions(); ++i) {
            Index element = 0;
            while (element < windows_.elements() && windows_.source(element, i) < 0) ++element;
            first_.push_back(
                static_cast<Element>(element < windows_.elements() ? element : Index{-1}));
        }
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        const Index positions = windows_.positions();
        p.memory->indices.resize(static_cast<std::size_t>(p.pass->samples * this->output_.size()));
        y.resize(p.pass->samples, this->output_.size());
        const auto work = static_cast<double>(y.size() * windows_.elements());
        share_out(y.rows(), work, [&](Index first, Index count) {
            for (Index sample = first; sample < first + count; ++sample)
                for (Index channel = 0; channel < channels_; ++channel)
                    choose_channel(p.x[0]->row(sample).data(), channel * windows_.cells(),
                                   y.row(sample).data() + channel * positions,
                                   this->chosen_of(p, sample) + channel * positions);
        });
    }

  protected:
    [[nodiscard]] Index candidate(Index output, Index number) const override {
        const Index cell = windows_.source(number, output % windows_.positions());
        return cell < 0 ? cell : output / windows_.positions() * windows_.cells() + cell;
    }

  private:
    // As wide as the values, so that both go in vectors of one length.
    using Element = std::conditional_t<sizeof(S) == 4, std::int32_t, std::int64_t>;

    // All positions of one channel, element by element: plain loops over contiguous positions.
    void choose_channel(const S* image, Index offset, S* best, Index* chosen) const {
        const Index positions = windows_.positions();
        thread_local std::vector<S> values;
        thread_local std::vector<Element> elements;
        constexpr S kLeast = -std::numeric_limits<S>::infinity();
        values.resize(static_cast<std::size_t>(positions * windows_.elements()));
        elements = first_;
        windows_.gather(image + offset, values.data(), positions, kLeast);
        for (Index i = 0; i < positions; ++i) {
            const auto element = elements[static_cast<std::size_t>(i)];
            best[i] =
                element < 0 ? kLeast : values[static_cast<std::size_t>(element * positions + i)];
        }
        for (Index element = 1; element < windows_.elements(); ++element)
            take_better(values.data() + element * positions, static_cast<Element>(element), best,
                        elements.data());
        for (Index i = 0; i < positions; ++i) {
            const auto element = elements[static_cast<std::size_t>(i)];
            chosen[i] = element < 0 ? -1 : offset + windows_.source(element, i);
            if (element < 0) best[i] = 0;
        }
    }
    // NaN is passed on, not hidden; ties stay with the first.
    void take_better(const S* values, Element element, S* best, Element* elements) const {
        for (Index i = 0; i < windows_.positions(); ++i) {
            const bool better = (!(values[i] <= best[i])) & (best[i] == best[i]);
            best[i] = better ? values[i] : best[i];
            elements[i] = better ? element : elements[i];
        }
    }
    std::vector<Element> first_; // of each position, outside the padding; -1: none
    Windows windows_;
    Index channels_;
};

template <class S>
class GlobalMaxPool : public Selection<S> {
  public:
    explicit GlobalMaxPool(const LayerRequest& request)
        : cells_(size_of(space_of(request.inputs[0].shape))) {
        this->input_size_ = request.inputs[0].size();
        this->output_.shape = {request.inputs[0].shape[0]};
        this->candidates_ = cells_;
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        p.memory->indices.resize(static_cast<std::size_t>(p.pass->samples * this->output_.size()));
        for (Index sample = 0; sample < p.pass->samples; ++sample)
            for (Index channel = 0; channel < this->output_.size(); ++channel) {
                Index best = 0;
                p.x[0]->row(sample).segment(channel * cells_, cells_).maxCoeff(&best);
                this->chosen_of(p, sample)[channel] = channel * cells_ + best;
            }
        this->choose(p, y);
    }

  protected:
    [[nodiscard]] Index candidate(Index output, Index number) const override {
        return output * cells_ + number;
    }

  private:
    Index cells_;
};

template <class S>
class Maximum : public Selection<S> {
  public:
    explicit Maximum(const LayerRequest& request) {
        this->output_ = request.inputs[0];
        this->input_size_ = this->output_.size();
        this->candidates_ = static_cast<Index>(request.inputs.size());
    }
    void forward(const Primal<S>& p, Rows<S>& y) const override {
        p.memory->indices.resize(static_cast<std::size_t>(p.pass->samples * this->input_size_));
        for (Index sample = 0; sample < p.pass->samples; ++sample)
            for (Index i = 0; i < this->input_size_; ++i) {
                std::size_t best = 0;
                for (std::size_t input = 1; input < p.x.size(); ++input)
                    if ((*p.x[input])(sample, i) > (*p.x[best])(sample, i)) best = input;
                this->chosen_of(p, sample)[i] = static_cast<Index>(best) * this->input_size_ + i;
            }
        this->choose(p, y);
    }

  protected:
    [[nodiscard]] Index candidate(Index output, Index number) const override {
        return number * this->input_size_ + output;
    }
};

template <class S>
std::unique_ptr<Layer<S>> make_max_pool(const LayerRequest& request) {
    expect_rank(request, 2, 4);
    return std::make_unique<MaxPool<S>>(request);
}
template <class S>
std::unique_ptr<Layer<S>> make_global_max(const LayerRequest& request) {
    expect_rank(request, 2, 4);
    return std::make_unique<GlobalMaxPool<S>>(request);
}
template <class S>
std::unique_ptr<Layer<S>> make_maximum(const LayerRequest& request) {
    expect_equal_shapes(request);
    return std::make_unique<Maximum<S>>(request);
}

const LayerRegistration kMaxPool("max_pool", make_max_pool<double>, make_max_pool<float>);
const LayerRegistration kGlobalMax("global_max_pool", make_global_max<double>,
                                   make_global_max<float>);
const LayerRegistration kMaximum("maximum", make_maximum<double>, make_maximum<float>, 1, 64);

} // namespace
} // namespace assay::network

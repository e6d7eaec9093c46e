// Recurrent layers, unrolled over time, with backpropagation through time. Forward and backward are
// written once over fields that may carry a tangent: with it, the same lines give Jv and the
// directional derivative of the gradient.
#include <assay/network/recurrent_run.hpp>

#include <assay/core/error.hpp>

#include <algorithm>

namespace assay::network {
namespace {

using namespace recurrent;

// From so many samples on, the input's part is made step by step, while the step's slots are in the
// cache; below, products of one step are too small.
constexpr Index kStepSamples = 32;

template <class S>
class Recurrent : public Layer<S> {
  public:
    explicit Recurrent(const LayerRequest& request) {
        const TensorInfo& input = request.inputs[0];
        if (!input.sequence || input.shape.size() != 2)
            throw Error(request.keys->path() + ": '" + request.type +
                        "' expects a sequence (time, feature)");
        form_ = read_cell(*request.keys, request.type, input.shape[1]);
        sequences_ = request.keys->flag("return_sequences", false);
        steps_ = input.shape[0];
        this->parameters_ = cell_parameters(form_);
        if (sequences_)
            this->output_ = {{steps_, form_.units}, true};
        else
            this->output_ = {{form_.units}, false};
    }
    [[nodiscard]] std::string gates() const override { return form_.gate_names(); }
    [[nodiscard]] Index slope_size() const override { return 0; }
    [[nodiscard]] double flops() const override {
        return 2.0 * static_cast<double>(steps_ * form_.gates() * form_.units) *
               static_cast<double>(form_.inputs + form_.units);
    }

    void forward(const Primal<S>& p, Rows<S>& y) const override {
        auto& run = p.memory->template own<Run<S, false>>();
        read_weights(run.weights, p.theta, nullptr);
        run.x.v.resize(steps_ * p.pass->samples, form_.inputs);
        to_time_major(*p.x[0], 0, p.pass->samples, run.x.v);
        unroll(run, *p.pass);
        y.resize(p.pass->samples, this->output_.size());
        Field<S, false> out;
        out.v.swap(y);
        read_out(run, *p.pass, out);
        out.v.swap(y);
    }
    [[nodiscard]] double mean_square_rates(const Primal<S>& p) const override {
        const auto& run = p.memory->template own<Run<S, false>>();
        double sum = 0;
        for (Index b = 0; b < p.pass->samples; ++b) {
            const Index valid = valid_steps(*p.pass, b);
            double squares = 0;
            for (Index t = 0; t < valid; ++t)
                for_chunks(units(), [&](Index unit, Index count) {
                    squares += rate_at(run, (t + 1) * p.pass->samples + b, unit, count)
                                   .head(count)
                                   .template cast<double>()
                                   .square()
                                   .sum();
                });
            if (valid > 0) sum += squares / static_cast<double>(valid * units());
        }
        return sum;
    }
    void tangent(const Primal<S>& p, const Tangents<S>& t, Rows<S>& dy) const override {
        auto& runs = t.memory->template own<std::vector<Run<S, true>>>();
        runs.resize(static_cast<std::size_t>(t.directions));
        const Index samples = p.pass->samples;
        dy.resize(samples * t.directions, this->output_.size());
        for (Index k = 0; k < t.directions; ++k) {
            Run<S, true>& run = runs[static_cast<std::size_t>(k)];
            read_weights(run.weights, p.theta,
                         t.moves_parameters() ? t.dtheta.col(k).data() : nullptr);
            run.x.set_zero(steps_ * samples, form_.inputs);
            to_time_major(*p.x[0], 0, samples, run.x.v);
            if (t.dx[0]) to_time_major(*t.dx[0], k * samples, samples, run.x.d);
            unroll(run, *p.pass);
            Field<S, true> out;
            out.resize(samples, this->output_.size());
            read_out(run, *p.pass, out);
            dy.middleRows(k * samples, samples) = out.d;
        }
    }
    void backward(const Primal<S>& p, const Rows<S>& cotangent,
                  std::vector<Sink<S>>& dx) const override {
        auto& run = p.memory->template own<Run<S, false>>();
        read_weights(run.weights, p.theta, nullptr); // may be those of a feedback path by now
        run.d_output.v = cotangent;
        roll_back(run, *p.pass, run.d_output);
        if (!dx[0].wanted()) return;
        input_cotangent(run);
        add_sample_major(run.d_x.v, 0, dx[0].zeroed(p.pass->samples, p.x[0]->cols()));
    }
    void backward_tangent(const Primal<S>& p, const Tangents<S>& t, const Rows<S>& cotangent,
                          const Rows<S>& cotangent_tangent,
                          std::vector<Sink<S>>& dx) const override {
        auto& runs = t.memory->template own<std::vector<Run<S, true>>>();
        const Index samples = p.pass->samples;
        for (Index k = 0; k < t.directions; ++k) {
            Run<S, true>& run = runs[static_cast<std::size_t>(k)];
            const Field<S, true> d{cotangent, cotangent_tangent.middleRows(k * samples, samples)};
            roll_back(run, *p.pass, d);
            if (!dx[0].wanted()) continue;
            input_cotangent(run);
            add_sample_major(run.d_x.d, k * samples,
                             dx[0].zeroed(samples * t.directions, p.x[0]->cols()));
        }
    }
    void parameter_gradient(const Primal<S>& p, const Rows<S>&, SampleRange range,
                            S* gradient) const override {
        auto& run = p.memory->template own<Run<S, false>>();
        accumulate(run, range, p.pass->samples, gradient);
    }
    void parameter_gradient_tangent(
        const Primal<S>& p, const Tangents<S>& t, const Rows<S>&, const Rows<S>&,
        Eigen::Ref<Columns<S>, 0, Eigen::OuterStride<>> gradient) const override {
        auto& runs = t.memory->template own<std::vector<Run<S, true>>>();
        for (Index k = 0; k < t.directions; ++k)
            accumulate(runs[static_cast<std::size_t>(k)], {0, p.pass->samples}, p.pass->samples,
                       gradient.col(k).data());
    }

  private:
    [[nodiscard]] Index units() const { return form_.units; }
    [[nodiscard]] bool resets_before() const { return form_.kind == CellKind::gru_before; }
    [[nodiscard]] bool feeds_rates() const { return form_.kind == CellKind::ctrnn_current; }
    // Whether the recurrent part of the candidate is no part of its slot.
    [[nodiscard]] bool apart() const { return form_.kind == CellKind::gru_after; }
    // What the recurrent weight sees, N columns from the first; a row a step and sample.
    template <bool kMoving>
    const Field<S, kMoving>& fed(const Run<S, kMoving>& run) const {
        return feeds_rates() ? run.rates : run.state;
    }
    template <bool kMoving>
    const Field<S, kMoving>& recurrent_cotangent(const Run<S, kMoving>& run) const {
        return apart() ? run.d_recurrent : run.d_input;
    }
    // Gates whose recurrent part is a product with `fed`; gru_before's candidate has its own.
    [[nodiscard]] Index plain_gates() const { return resets_before() ? 2 : form_.gates(); }
    static bool frozen(const PassInfo& pass, Index sample, Index step) {
        return pass.lengths && step >= (*pass.lengths)[static_cast<std::size_t>(sample)];
    }

    [[nodiscard]] Index valid_steps(const PassInfo& pass, Index sample) const {
        return pass.lengths ? std::min(steps_, (*pass.lengths)[static_cast<std::size_t>(sample)])
                            : steps_;
    }

    template <bool kMoving>
    void read_weights(RunWeights<S, kMoving>& w, const S* theta, const S* moved) const {
        Index offset = 0;
        const auto read = [&](Field<S, kMoving>& field, Index rows, Index cols) {
            field.v = Eigen::Map<const Rows<S>>(theta + offset, rows, cols);
            if constexpr (kMoving) {
                if (moved)
                    field.d = Eigen::Map<const Rows<S>>(moved + offset, rows, cols);
                else
                    field.d.setZero(rows, cols);
            }
            offset += rows * cols;
        };
        const Index rows = form_.gates() * units();
        read(w.kernel, rows, form_.inputs);
        read(w.recurrent, rows, units());
        const auto read_or_zero = [&](Field<S, kMoving>& field, bool present, Index cols) {
            if (present)
                read(field, 1, cols);
            else
                field.set_zero(1, cols);
        };
        read_or_zero(w.bias, form_.bias, rows);
        read_or_zero(w.recurrent_bias, form_.recurrent_bias, rows);
        read_or_zero(w.initial_state, form_.initial_state, form_.state_size());
        w.offset.set_zero(1, form_.slots() * units());
        // The recurrent candidate of gru_after has a slot, and its bias, of its own.
        const Index shared = apart() ? 2 * units() : rows;
        const auto add_up = [&](Rows<S>& sum, const Rows<S>& bias, const Rows<S>& recurrent_bias) {
            sum.leftCols(rows) = bias;
            sum.leftCols(shared) += recurrent_bias.leftCols(shared);
            if (apart()) sum.rightCols(units()) = recurrent_bias.rightCols(units());
        };
        add_up(w.offset.v, w.bias.v, w.recurrent_bias.v);
        if constexpr (kMoving) add_up(w.offset.d, w.bias.d, w.recurrent_bias.d);
    }

    void to_time_major(const Rows<S>& x, Index first, Index samples, Rows<S>& to) const {
        for (Index b = 0; b < samples; ++b)
            for (Index t = 0; t < steps_; ++t)
                to.row(t * samples + b) = x.row(first + b).segment(t * form_.inputs, form_.inputs);
    }
    void add_sample_major(const Rows<S>& from, Index first, Rows<S>& to) const {
        const Index samples = from.rows() / steps_;
        for (Index b = 0; b < samples; ++b)
            for (Index t = 0; t < steps_; ++t)
                to.row(first + b).segment(t * form_.inputs, form_.inputs) +=
                    from.row(t * samples + b);
    }

    // Some rows of the slots start as the input's part W x + b.
    template <bool kMoving>
    void project_inputs(Run<S, kMoving>& run, Index row, Index rows) const {
        const Index gates = form_.gates() * units();
        run.slots.v.middleRows(row, rows).rowwise() = run.weights.offset.v.row(0);
        if constexpr (kMoving)
            run.slots.d.middleRows(row, rows).rowwise() = run.weights.offset.d.row(0);
        add_product(run.slots, {row, rows, 0, gates}, run.x, {row, rows, 0, form_.inputs},
                    run.weights.kernel, {0, gates, 0, form_.inputs});
    }

    template <bool kMoving>
    void unroll(Run<S, kMoving>& run, const PassInfo& pass) const {
        const Index samples = pass.samples;
        run.slots.resize(steps_ * samples, form_.slots() * units());
        if (feeds_rates()) run.rates.resize(steps_ * samples, units());
        if (resets_before()) run.reset.resize(steps_ * samples, units());
        run.state.resize((steps_ + 1) * samples, form_.state_size());
        run.state.v.topRows(samples).rowwise() = run.weights.initial_state.v.row(0);
        if constexpr (kMoving)
            run.state.d.topRows(samples).rowwise() = run.weights.initial_state.d.row(0);
        const bool by_step = samples >= kStepSamples;
        if (!by_step) project_inputs(run, 0, steps_ * samples);
        for (Index t = 0; t < steps_; ++t) {
            if (by_step) project_inputs(run, t * samples, samples);
            step(run, pass, t);
        }
    }

    template <bool kMoving, class Body>
    void each_chunk(const PassInfo& pass, Body&& body) const {
        for (Index b = 0; b < pass.samples; ++b)
            for_chunks(units(), [&](Index unit, Index n) { body(b, unit, n); });
    }

    template <bool kMoving>
    void step(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        using T = Number<S, kMoving>;
        const Index samples = pass.samples, row = t * samples, n = units();
        if (feeds_rates())
            each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
                store_to(rate_at(run, row + b, unit, count), run.rates, row + b, unit, count);
            });
        const FieldBlock from{row, samples, 0, n};
        const Index shared = apart() ? 2 : plain_gates();
        add_product(run.slots, {row, samples, 0, shared * n}, fed(run), from, run.weights.recurrent,
                    {0, shared * n, 0, n});
        if (apart())
            add_product(run.slots, {row, samples, 3 * n, n}, fed(run), from, run.weights.recurrent,
                        {2 * n, n, 0, n});
        if (resets_before()) {
            each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
                const T r = activate(form_.gate, load_from(run.slots, row + b, unit, count));
                store_to(T(r * load_from(run.state, row + b, unit, count)), run.reset, row + b,
                         unit, count);
            });
            add_product(run.slots, {row, samples, 2 * n, n}, run.reset, from, run.weights.recurrent,
                        {2 * n, n, 0, n});
        }
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a;
            std::array<T, 2> state, next;
            load_point(run, row + b, unit, count, a, state);
            next = state;
            if (!frozen(pass, b, t))
                cell_forward(form_, a.data(), state.data(), alpha_at<T>(unit, count), next.data());
            for (int part = 0; part < form_.state_parts(); ++part)
                store_to(next[static_cast<std::size_t>(part)], run.state, row + samples + b,
                         part * n + unit, count);
        });
    }

    template <bool kMoving, class T>
    void load_point(const Run<S, kMoving>& run, Index row, Index unit, Index count,
                    std::array<T, kMostSlots>& a, std::array<T, 2>& state) const {
        for (int slot = 0; slot < form_.slots(); ++slot)
            a[static_cast<std::size_t>(slot)] =
                load_from(run.slots, row, slot * units() + unit, count);
        for (int part = 0; part < form_.state_parts(); ++part)
            state[static_cast<std::size_t>(part)] =
                load_from(run.state, row, part * units() + unit, count);
    }
    template <class T>
    T alpha_at(Index unit, Index count) const {
        Chunk<S> alpha = Chunk<S>::Ones();
        for (Index i = 0; i < count; ++i) alpha(i) = static_cast<S>(form_.alpha_of(unit + i));
        if constexpr (std::is_same_v<T, Chunk<S>>)
            return alpha;
        else
            return T{alpha, Chunk<S>::Zero()};
    }

    // h, or the rate of a current-based ctrnn.
    template <bool kMoving>
    Number<S, kMoving> rate_at(const Run<S, kMoving>& run, Index row, Index unit,
                               Index count) const {
        const Number<S, kMoving> h = load_from(run.state, row, unit, count);
        return form_.kind == CellKind::ctrnn_current ? activate(form_.activation, h) : h;
    }

    // What the layer shows: h, or the rates of a current-based ctrnn; nothing after a sample's end.
    template <bool kMoving>
    void read_out(const Run<S, kMoving>& run, const PassInfo& pass, Field<S, kMoving>& out) const {
        using T = Number<S, kMoving>;
        const Index samples = pass.samples;
        for (Index t = sequences_ ? 0 : steps_ - 1; t < steps_; ++t)
            each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
                T h = rate_at(run, (t + 1) * samples + b, unit, count);
                if (sequences_ && frozen(pass, b, t)) h = constant(h, 0);
                store_to(h, out, b, (sequences_ ? t * units() : 0) + unit, count);
            });
    }

    // From the cotangent of the output to those of all pre-activations.
    template <bool kMoving>
    void roll_back(Run<S, kMoving>& run, const PassInfo& pass, const Field<S, kMoving>& d) const {
        const Index samples = pass.samples, gates = form_.gates() * units();
        run.d_input.resize(steps_ * samples, gates);
        if (apart()) run.d_recurrent.resize(steps_ * samples, gates);
        run.d_state.set_zero(samples, form_.state_size());
        for (Index t = steps_ - 1; t >= 0; --t) {
            if (sequences_ || t == steps_ - 1) add_output_cotangent(run, pass, d, t);
            if (pass.rate_penalty > 0) add_rate_cotangent(run, pass, t);
            step_back(run, pass, t);
            if (resets_before()) reset_back(run, pass, t);
            if (feeds_rates())
                rates_back(run, pass, t);
            else
                recurrent_back(run, t, samples, run.d_state);
            if (pass.truncate > 0 && t > 0 && t % pass.truncate == 0) cut(run, pass, t);
        }
    }

    // No gradient goes from step t to those before. Past a sample's end there is no step.
    template <bool kMoving>
    void cut(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        for (Index b = 0; b < pass.samples; ++b) {
            if (frozen(pass, b, t)) continue;
            run.d_state.v.row(b).setZero();
            if constexpr (kMoving) run.d_state.d.row(b).setZero();
        }
    }

    // Of 1/2 rate_penalty times the mean square of a sample's rates.
    template <bool kMoving>
    void add_rate_cotangent(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        using T = Number<S, kMoving>;
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            if (frozen(pass, b, t)) return;
            const Index row = (t + 1) * pass.samples + b;
            T in = rate_at(run, row, unit, count);
            in = in * constant(in, pass.rate_penalty /
                                       static_cast<double>(valid_steps(pass, b) * units()));
            if (form_.kind == CellKind::ctrnn_current) in = in * rate_slope(run, row, unit, count);
            store_to(T(load_from(run.d_state, b, unit, count) + in), run.d_state, b, unit, count);
        });
    }

    template <bool kMoving>
    void add_output_cotangent(Run<S, kMoving>& run, const PassInfo& pass,
                              const Field<S, kMoving>& d, Index t) const {
        using T = Number<S, kMoving>;
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            if (sequences_ && frozen(pass, b, t)) return;
            T in = load_from(d, b, (sequences_ ? t * units() : 0) + unit, count);
            if (form_.kind == CellKind::ctrnn_current)
                in = in * rate_slope(run, (t + 1) * pass.samples + b, unit, count);
            store_to(T(load_from(run.d_state, b, unit, count) + in), run.d_state, b, unit, count);
        });
    }
    // phi'(h) of a current-based ctrnn.
    template <bool kMoving>
    Number<S, kMoving> rate_slope(const Run<S, kMoving>& run, Index row, Index unit,
                                  Index count) const {
        const Number<S, kMoving> h = load_from(run.state, row, unit, count);
        return slope(form_.activation, h, activate(form_.activation, h));
    }

    template <bool kMoving>
    void step_back(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        using T = Number<S, kMoving>;
        const Index row = t * pass.samples, n = units();
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a, d_a;
            std::array<T, 2> state, d_next, d_state;
            load_point(run, row + b, unit, count, a, state);
            for (int part = 0; part < form_.state_parts(); ++part)
                d_next[static_cast<std::size_t>(part)] =
                    load_from(run.d_state, b, part * n + unit, count);
            if (frozen(pass, b, t)) {
                d_a.fill(constant(a[0], 0));
                d_state = d_next;
            } else {
                cell_backward(form_, a.data(), state.data(), alpha_at<T>(unit, count),
                              d_next.data(), d_a.data(), d_state.data());
            }
            for (int part = 0; part < form_.state_parts(); ++part)
                store_to(d_state[static_cast<std::size_t>(part)], run.d_state, b, part * n + unit,
                         count);
            for (int gate = 0; gate < form_.gates(); ++gate) {
                const auto g = static_cast<std::size_t>(gate);
                store_to(d_a[g], run.d_input, row + b, gate * n + unit, count);
                if (apart())
                    store_to(gate == 2 ? d_a[3] : d_a[g], run.d_recurrent, row + b, gate * n + unit,
                             count);
            }
        });
    }

    // gru_before: through r * h to the reset gate and to h.
    template <bool kMoving>
    void reset_back(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        using T = Number<S, kMoving>;
        const Index samples = pass.samples, row = t * samples, n = units();
        run.d_part.set_zero(samples, n);
        add_adjoint(run.d_part, {0, samples, 0, n}, run.d_input, {row, samples, 2 * n, n},
                    run.weights.recurrent, {2 * n, n, 0, n});
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            const T d = load_from(run.d_part, b, unit, count);
            const T a = load_from(run.slots, row + b, unit, count);
            const T r = activate(form_.gate, a);
            const T d_a = d * load_from(run.state, row + b, unit, count) * slope(form_.gate, a, r);
            store_to(d_a, run.d_input, row + b, unit, count);
            store_to(T(load_from(run.d_state, b, unit, count) + d * r), run.d_state, b, unit,
                     count);
        });
    }

    // The cotangent of `fed` at a step, added to columns of another.
    template <bool kMoving>
    void recurrent_back(const Run<S, kMoving>& run, Index t, Index samples,
                        Field<S, kMoving>& sum) const {
        const Index plain = plain_gates() * units();
        add_adjoint(sum, {0, samples, 0, units()}, recurrent_cotangent(run),
                    {t * samples, samples, 0, plain}, run.weights.recurrent,
                    {0, plain, 0, units()});
    }
    template <bool kMoving>
    void rates_back(Run<S, kMoving>& run, const PassInfo& pass, Index t) const {
        using T = Number<S, kMoving>;
        run.d_part.set_zero(pass.samples, units());
        recurrent_back(run, t, pass.samples, run.d_part);
        each_chunk<kMoving>(pass, [&](Index b, Index unit, Index count) {
            const T d = load_from(run.d_part, b, unit, count) *
                        rate_slope(run, t * pass.samples + b, unit, count);
            store_to(T(load_from(run.d_state, b, unit, count) + d), run.d_state, b, unit, count);
        });
    }

    template <bool kMoving>
    void input_cotangent(Run<S, kMoving>& run) const {
        const Index rows = run.x.v.rows(), gates = form_.gates() * units();
        run.d_x.set_zero(rows, form_.inputs);
        add_adjoint(run.d_x, {0, rows, 0, form_.inputs}, run.d_input, {0, rows, 0, gates},
                    run.weights.kernel, {0, gates, 0, form_.inputs});
    }

    // Rows of some samples at all steps; `work` holds them where they are not all.
    using RowsRef = Eigen::Ref<const Rows<S>>;
    static RowsRef rows_of(const Rows<S>& rows, SampleRange range, Index samples, Rows<S>& work) {
        if (range.count == samples) return rows;
        const Index steps = rows.rows() / samples;
        work.resize(steps * range.count, rows.cols());
        for (Index t = 0; t < steps; ++t)
            work.middleRows(t * range.count, range.count) =
                rows.middleRows(t * samples + range.first, range.count);
        return work;
    }

    // Adds the gradient, or with tangents its directional derivative.
    template <bool kMoving>
    void accumulate(const Run<S, kMoving>& run, SampleRange range, Index samples, S* to) const {
        const Index gates = form_.gates() * units(), n = units();
        Rows<S> left_work, right_work;
        const auto outer = [&](Index first, Index rows, const Field<S, kMoving>& d,
                               const Field<S, kMoving>& x, Index columns) {
            const auto add = [&](const Rows<S>& left, const Rows<S>& right) {
                const RowsRef l = rows_of(left, range, samples, left_work);
                const RowsRef r = rows_of(right, range, samples, right_work);
                linalg::multiply(rows, columns, l.rows(),
                                 linalg::transposed(l.data() + first, l.outerStride()),
                                 linalg::plain(r.data(), r.outerStride()), linalg::Target::add,
                                 to + first * columns, columns);
            };
            if constexpr (kMoving) {
                add(d.d, x.v);
                add(d.v, x.d);
            } else {
                add(d.v, x.v);
            }
        };
        const auto sums = [&](const Field<S, kMoving>& d, Index columns) {
            const RowsRef rows = rows_of(kMoving ? d.d : d.v, range, samples, left_work);
            Eigen::Map<Rows<S>>(to, 1, columns) += rows.colwise().sum();
            to += columns;
        };
        outer(0, gates, run.d_input, run.x, form_.inputs);
        to += gates * form_.inputs;
        outer(0, plain_gates() * n, recurrent_cotangent(run), fed(run), n);
        if (resets_before()) outer(2 * n, n, run.d_input, run.reset, n);
        to += gates * n;
        if (form_.bias) sums(run.d_input, gates);
        if (form_.recurrent_bias) sums(recurrent_cotangent(run), gates);
        if (form_.initial_state) sums(run.d_state, form_.state_size());
    }

    CellForm form_;
    bool sequences_ = false;
    Index steps_ = 1;
};

template <class S>
std::unique_ptr<Layer<S>> make_recurrent(const LayerRequest& request) {
    return std::make_unique<Recurrent<S>>(request);
}

const LayerRegistration kRnn("rnn", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kGru("gru", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kLstm("lstm", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kUgrnn("ugrnn", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kJanet("janet", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kCtrnn("ctrnn", make_recurrent<double>, make_recurrent<float>);
const LayerRegistration kLinear("linear", make_recurrent<double>, make_recurrent<float>);

} // namespace
} // namespace assay::network

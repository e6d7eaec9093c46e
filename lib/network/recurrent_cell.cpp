#include <assay/network/recurrent_cell.hpp>

#include <assay/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <utility>

namespace assay::network {
namespace {

// A number as several arrays of plain numbers, stacked as blocks of rows: a dual has its value,
// then its tangent.
template <class T>
struct Stacked;
template <class S>
struct Stacked<Eigen::Array<S, kChunk, 1>> {
    static constexpr Index kBlocks = 1;
    static Chunk<S> load_from(const S* data, Index, Index count) { return load(data, count); }
    static void store_to(const Chunk<S>& value, S* data, Index, Index count) {
        store(value, data, count);
    }
};
template <class U>
struct Stacked<Dual<U>> {
    static constexpr Index kBlocks = 2 * Stacked<U>::kBlocks;
    template <class S>
    static Dual<U> load_from(const S* data, Index stride, Index count) {
        return {Stacked<U>::load_from(data, stride, count),
                Stacked<U>::load_from(data + Stacked<U>::kBlocks * stride, stride, count)};
    }
    template <class S>
    static void store_to(const Dual<U>& value, S* data, Index stride, Index count) {
        Stacked<U>::store_to(value.v, data, stride, count);
        Stacked<U>::store_to(value.d, data + Stacked<U>::kBlocks * stride, stride, count);
    }
};

template <class S, class T>
T constant_chunk(const Chunk<S>& value) {
    if constexpr (std::is_same_v<T, Chunk<S>>)
        return value;
    else {
        using U = decltype(T::v);
        const U inner = constant_chunk<S, U>(value);
        return T{inner, constant(inner, 0)};
    }
}

// One step of a batch in numbers T. Weights do not move, so every block of rows goes through the
// same products.
template <class S, class T>
class Evaluation {
  public:
    // `state`: blocks x B rows; x: B rows or one; `dx`: the other blocks of x, or null.
    Evaluation(const CellForm& form, const CellArrays<S>& arrays, Index batch, const Rows<S>& x,
               const Rows<S>* dx, Rows<S> state)
        : form_(form), w_(arrays), batch_(batch), units_(form.units), state_(std::move(state)) {
        const Index rows = kBlocks * batch_, gates = form_.gates() * units_;
        slots_.setZero(rows, form_.slots() * units_);
        Rows<S> driven = x * w_.kernel.transpose();
        driven.rowwise() += w_.bias.transpose();
        const Index shared = apart() ? 2 * units_ : gates;
        driven.leftCols(shared).rowwise() += w_.recurrent_bias.head(shared).transpose();
        if (x.rows() == batch_)
            slots_.topLeftCorner(batch_, gates) = driven;
        else
            slots_.topLeftCorner(batch_, gates).rowwise() = driven.row(0);
        if (apart())
            slots_.topRightCorner(batch_, units_).rowwise() =
                w_.recurrent_bias.tail(units_).transpose();
        if (dx)
            slots_.block(batch_, 0, rows - batch_, gates).noalias() = *dx * w_.kernel.transpose();
        fed_.resize(rows, units_);
        each_chunk([&](Index b, Index unit, Index count) {
            T h = get(state_, b, unit, count);
            if (form_.kind == CellKind::ctrnn_current) h = activate(form_.activation, h);
            put(h, fed_, b, unit, count);
        });
        slots_.leftCols(plain() * units_).noalias() +=
            fed_ * w_.recurrent.topRows(plain() * units_).transpose();
        const auto candidate = w_.recurrent.bottomRows(units_).transpose();
        if (apart()) slots_.rightCols(units_).noalias() += fed_ * candidate;
        if (!resets_before()) return;
        Rows<S> reset(rows, units_);
        each_chunk([&](Index b, Index unit, Index count) {
            const T r = activate(form_.gate, get(slots_, b, unit, count));
            put(T(r * get(state_, b, unit, count)), reset, b, unit, count);
        });
        slots_.rightCols(units_).noalias() += reset * candidate;
    }

    [[nodiscard]] const Rows<S>& slots() const { return slots_; }

    // Next states, or the reduced map's values (and c* of an lstm).
    [[nodiscard]] Rows<S> next(CellMap map) const {
        Rows<S> next(state_.rows(), form_.state_size());
        each_chunk([&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a;
            std::array<T, 2> state, to;
            point(b, unit, count, a, state);
            if (map == CellMap::full)
                cell_forward(form_, a.data(), state.data(), alpha(unit, count), to.data());
            else
                reduced_forward(form_, a.data(), state.data(), to.data());
            for (int part = 0; part < form_.state_parts(); ++part)
                put(to[static_cast<std::size_t>(part)], next, b, part * units_ + unit, count);
        });
        return next;
    }

    // Derivatives of the part `output` of the next state in a unit's own slots and state.
    void coefficients(CellMap map, int output, Rows<S>& of_slots, Rows<S>& of_state) const {
        of_slots.setZero(state_.rows(), slots_.cols());
        of_state.setZero(state_.rows(), form_.state_size());
        Rows<S> one = Rows<S>::Zero(state_.rows(), form_.state_size());
        one.middleCols(output * units_, units_).setOnes();
        back(map, one, of_slots, of_state);
    }

    // Cotangents of states and inputs from those of next states (blocks x B rows).
    void adjoint(const Rows<S>& d_next, Rows<S>& d_state, Rows<S>& d_input) const {
        Rows<S> d_slots(state_.rows(), slots_.cols());
        d_state.resize(state_.rows(), form_.state_size());
        back(CellMap::full, d_next, d_slots, d_state);
        const auto candidate = w_.recurrent.bottomRows(units_);
        if (resets_before()) {
            const Rows<S> d_reset = d_slots.rightCols(units_) * candidate;
            each_chunk([&](Index b, Index unit, Index count) {
                const T d = get(d_reset, b, unit, count), a = get(slots_, b, unit, count);
                const T r = activate(form_.gate, a);
                put(T(d * get(state_, b, unit, count) * T(slope(form_.gate, a, r))), d_slots, b,
                    unit, count);
                put(T(get(d_state, b, unit, count) + d * r), d_state, b, unit, count);
            });
        }
        Rows<S> d_fed = d_slots.leftCols(plain() * units_) * w_.recurrent.topRows(plain() * units_);
        if (apart()) d_fed.noalias() += d_slots.rightCols(units_) * candidate;
        each_chunk([&](Index b, Index unit, Index count) {
            T d = get(d_fed, b, unit, count);
            if (form_.kind == CellKind::ctrnn_current) d = d * rate_slope(b, unit, count);
            put(T(get(d_state, b, unit, count) + d), d_state, b, unit, count);
        });
        d_input = d_slots.leftCols(form_.gates() * units_) * w_.kernel;
    }

    // phi(h), phi'(h); of gru_before: r, and h r'.
    void fed_slopes(Rows<S>& value, Rows<S>& derivative) const {
        value = derivative = Rows<S>(state_.rows(), units_);
        each_chunk([&](Index b, Index unit, Index count) {
            const T h = get(state_, b, unit, count);
            const T x = resets_before() ? get(slots_, b, unit, count) : h;
            const Activation& f = resets_before() ? form_.gate : form_.activation;
            const T y = activate(f, x);
            T d = slope(f, x, y);
            if (resets_before()) d = d * h;
            put(y, value, b, unit, count);
            put(d, derivative, b, unit, count);
        });
    }

  private:
    static constexpr Index kBlocks = Stacked<T>::kBlocks;
    [[nodiscard]] bool apart() const { return form_.kind == CellKind::gru_after; }
    [[nodiscard]] bool resets_before() const { return form_.kind == CellKind::gru_before; }
    // Gates whose slots take W fed; the candidate of a gru has its own way.
    [[nodiscard]] Index plain() const { return apart() || resets_before() ? 2 : form_.gates(); }
    template <class Body>
    void each_chunk(Body&& body) const {
        for (Index b = 0; b < batch_; ++b)
            for_chunks(units_, [&](Index unit, Index count) { body(b, unit, count); });
    }
    T get(const Rows<S>& rows, Index b, Index column, Index count) const {
        return Stacked<T>::load_from(rows.data() + b * rows.cols() + column, batch_ * rows.cols(),
                                     count);
    }
    void put(const T& value, Rows<S>& rows, Index b, Index column, Index count) const {
        Stacked<T>::store_to(value, rows.data() + b * rows.cols() + column, batch_ * rows.cols(),
                             count);
    }
    [[nodiscard]] T rate_slope(Index b, Index unit, Index count) const {
        const T h = get(state_, b, unit, count);
        return slope(form_.activation, h, T(activate(form_.activation, h)));
    }
    [[nodiscard]] T alpha(Index unit, Index count) const {
        Chunk<S> alpha = Chunk<S>::Ones();
        for (Index i = 0; i < count; ++i) alpha(i) = static_cast<S>(form_.alpha_of(unit + i));
        return constant_chunk<S, T>(alpha);
    }
    // The reduced map of an lstm has no c among its arguments.
    void point(Index b, Index unit, Index count, std::array<T, kMostSlots>& a,
               std::array<T, 2>& state) const {
        for (int slot = 0; slot < form_.slots(); ++slot)
            a[static_cast<std::size_t>(slot)] = get(slots_, b, slot * units_ + unit, count);
        state[0] = get(state_, b, unit, count);
        if (state_.cols() > units_) state[1] = get(state_, b, units_ + unit, count);
    }
    void back(CellMap map, const Rows<S>& d_next, Rows<S>& d_slots, Rows<S>& d_state) const {
        each_chunk([&](Index b, Index unit, Index count) {
            std::array<T, kMostSlots> a, d_a;
            std::array<T, 2> state, d, back;
            point(b, unit, count, a, state);
            const int parts = map == CellMap::full ? form_.state_parts() : 1;
            for (int part = 0; part < parts; ++part)
                d[static_cast<std::size_t>(part)] = get(d_next, b, part * units_ + unit, count);
            if (map == CellMap::full)
                cell_backward(form_, a.data(), state.data(), alpha(unit, count), d.data(),
                              d_a.data(), back.data());
            else
                reduced_backward(form_, a.data(), state.data(), d[0], d_a.data());
            for (int slot = 0; slot < form_.slots(); ++slot)
                put(d_a[static_cast<std::size_t>(slot)], d_slots, b, slot * units_ + unit, count);
            if (map == CellMap::full)
                for (int part = 0; part < parts; ++part)
                    put(back[static_cast<std::size_t>(part)], d_state, b, part * units_ + unit,
                        count);
        });
    }

    const CellForm& form_;
    const CellArrays<S>& w_;
    Index batch_, units_;
    Rows<S> state_, slots_, fed_;
};

template <class S>
Rows<S> spread(const Rows<S>& rows, Index batch) {
    return rows.rows() == batch ? rows : Rows<S>(rows.replicate(batch, 1));
}

} // namespace

template <class S>
struct RecurrentCell<S>::Norms {
    std::once_flag once;
    std::shared_ptr<const NormedWeights> weights;
};

template <class S>
RecurrentCell<S>::RecurrentCell(CellForm form, const Column<S>& parameters)
    : form_(std::move(form)), norms_(std::make_shared<Norms>()) {
    const Index rows = form_.gates() * form_.units;
    auto arrays = std::make_shared<CellArrays<S>>();
    arrays->bias = arrays->recurrent_bias = Column<S>::Zero(rows);
    arrays->initial_state = Column<S>::Zero(form_.state_size());
    Index total = 0, offset = 0;
    for (const auto& info : cell_parameters(form_)) total += info.size();
    if (parameters.size() != total)
        throw Error(
            concat("a recurrent cell of ", total, " parameters is given ", parameters.size()));
    for (const auto& info : cell_parameters(form_)) {
        const S* from = parameters.data() + offset;
        offset += info.size();
        if (info.name == "kernel")
            arrays->kernel = Eigen::Map<const Rows<S>>(from, rows, form_.inputs);
        else if (info.name == "recurrent")
            arrays->recurrent = Eigen::Map<const Rows<S>>(from, rows, form_.units);
        else
            (info.name == "bias"             ? arrays->bias
             : info.name == "recurrent_bias" ? arrays->recurrent_bias
                                             : arrays->initial_state) =
                Eigen::Map<const Column<S>>(from, info.size());
    }
    arrays_ = std::move(arrays);
}

namespace {

// The form of a recurrent layer, which the network has checked.
template <class S>
CellForm cell_of(const Network<S>& network, Index node) {
    static const std::array<const char*, 7> kTypes{"rnn",   "gru",   "lstm",  "ugrnn",
                                                   "janet", "ctrnn", "linear"};
    if (node < 1 || node >= network.nodes()) throw Error(concat("there is no layer ", node));
    const std::string& type = network.node_type(node);
    if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end())
        throw Error(
            concat("layer '", network.node_name(node), "' of type '", type, "' is not recurrent"));
    const auto json = nlohmann::json::parse(network.architecture());
    const std::string path = concat("layers[", node - 1, "]");
    Keys keys(json.at("layers").at(static_cast<std::size_t>(node - 1)), path);
    return read_cell(keys, type, network.node_tensor(network.node_inputs(node)[0]).shape[1]);
}

// A layer's own stretch of the flat vector.
template <class S>
Column<S> parameters_of(const Network<S>& network, Index node, const Weights<S>& weights) {
    Index first = 0, size = 0;
    for (const auto& entry : network.parameters()) {
        if (entry.layer != network.node_name(node)) continue;
        if (size == 0) first = entry.offset;
        size += entry.info.size();
    }
    return weights.trained.segment(first, size);
}

} // namespace

template <class S>
RecurrentCell<S>::RecurrentCell(const Network<S>& network, Index node, const Weights<S>& weights)
    : RecurrentCell(cell_of(network, node), parameters_of(network, node, weights)) {}

template <class S>
void RecurrentCell<S>::check(const Rows<S>& x, const Rows<S>& h, CellMap map) const {
    if (map == CellMap::reduced && !has_reduced())
        throw Error("cells of type rnn and linear have no reduced map");
    if (x.cols() != inputs() || (x.rows() != h.rows() && x.rows() != 1))
        throw Error(concat("inputs of ", x.rows(), " x ", x.cols(), "; ", h.rows(), " x ", inputs(),
                           " are expected"));
    if (h.cols() != state_size() && !(map == CellMap::reduced && h.cols() == units()))
        throw Error(concat("states of ", h.cols(), " numbers; ", state_size(), " are expected"));
}

template <class S>
Rows<S> RecurrentCell<S>::step(const Rows<S>& x, const Rows<S>& h) const {
    check(x, h, CellMap::full);
    return Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h).next(CellMap::full);
}

template <class S>
Rows<S> RecurrentCell<S>::output(const Rows<S>& h) const {
    if (h.cols() != state_size())
        throw Error(concat("states of ", h.cols(), " numbers; ", state_size(), " are expected"));
    Rows<S> shown = h.leftCols(units());
    if (form_.kind == CellKind::ctrnn_current)
        for_chunks(shown.size(), [&](Index i, Index count) {
            store(Chunk<S>(activate(form_.activation, load(shown.data() + i, count))),
                  shown.data() + i, count);
        });
    return shown;
}

template <class S>
Rows<S> RecurrentCell<S>::output_slopes(const Rows<S>& h) const {
    Rows<S> slopes = Rows<S>::Ones(h.rows(), units());
    if (form_.kind == CellKind::ctrnn_current)
        for_chunks(slopes.size(), [&](Index i, Index count) {
            const Chunk<S> a = load(h.data() + i, count);
            const Chunk<S> y = activate(form_.activation, a);
            store(Chunk<S>(slope(form_.activation, a, y)), slopes.data() + i, count);
        });
    return slopes;
}

template <class S>
Rows<S> RecurrentCell<S>::jacobian(const Rows<S>& x, const Rows<S>& h, CellMap map,
                                   bool of_input) const {
    check(x, h, map);
    const Index batch = h.rows(), n = units();
    const bool full = map == CellMap::full;
    const Index parts = full ? form_.state_parts() : 1;
    const Index columns = of_input ? inputs() : parts * n;
    const Evaluation<S, Chunk<S>> e(form_, *arrays_, batch, x, nullptr,
                                    full ? h : Rows<S>(h.leftCols(n)));
    Rows<S> value, bend;
    const bool before = form_.kind == CellKind::gru_before;
    const bool current = form_.kind == CellKind::ctrnn_current;
    if (before || current) e.fed_slopes(value, bend);
    Rows<S> jacobian = Rows<S>::Zero(batch * parts * n, columns);
    Rows<S> of_slots, of_state;
    for (int part = 0; part < parts; ++part) {
        e.coefficients(map, part, of_slots, of_state);
        for (Index b = 0; b < batch; ++b) {
            auto block = jacobian.middleRows((b * parts + part) * n, n);
            for (int slot = 0; slot < form_.slots(); ++slot) {
                const auto scale = of_slots.row(b).segment(slot * n, n).transpose().asDiagonal();
                // The candidate of gru_after has two slots: what is driven by x, and by h.
                const bool apart = form_.kind == CellKind::gru_after;
                if (apart && slot == (of_input ? 3 : 2)) continue;
                const Index gate = std::min(slot, form_.gates() - 1);
                const auto weight = arrays_->recurrent.middleRows(gate * n, n);
                if (of_input) block.noalias() += scale * arrays_->kernel.middleRows(gate * n, n);
                if (before && slot == 0) continue;
                if (before && slot == 2) { // W_n d(r h)
                    const auto& first = of_input ? arrays_->kernel : arrays_->recurrent;
                    Rows<S> inner = bend.row(b).transpose().asDiagonal() * first.topRows(n);
                    if (!of_input) inner.diagonal() += value.row(b).transpose();
                    block.noalias() += scale * Rows<S>(weight * inner);
                } else if (!of_input && current) {
                    block.noalias() += scale * weight * bend.row(b).transpose().asDiagonal();
                } else if (!of_input) {
                    block.leftCols(n).noalias() += scale * weight;
                }
            }
            if (of_input || !full) continue;
            for (Index from = 0; from < parts; ++from)
                block.middleCols(from * n, n).diagonal() +=
                    of_state.row(b).segment(from * n, n).transpose();
        }
    }
    return jacobian;
}

template <class S>
Rows<S> RecurrentCell<S>::jacobian_state(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::full, false);
}
template <class S>
Rows<S> RecurrentCell<S>::jacobian_input(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::full, true);
}

template <class S>
Rows<S> RecurrentCell<S>::tangent(const Rows<S>& x, const Rows<S>& h, const Rows<S>& dx,
                                  const Rows<S>& dh) const {
    check(x, h, CellMap::full);
    const Index batch = h.rows();
    if ((dx.size() > 0 && (dx.cols() != inputs() || (dx.rows() != batch && dx.rows() != 1))) ||
        (dh.size() > 0 && (dh.cols() != state_size() || (dh.rows() != batch && dh.rows() != 1))))
        throw Error("directions are not of the shape of inputs and states");
    Rows<S> state = Rows<S>::Zero(2 * batch, state_size());
    state.topRows(batch) = h;
    if (dh.size() > 0) state.bottomRows(batch) = spread(dh, batch);
    const Rows<S> moved = dx.size() > 0 ? spread(dx, batch) : Rows<S>();
    return Evaluation<S, Dual<Chunk<S>>>(form_, *arrays_, batch, x,
                                         dx.size() > 0 ? &moved : nullptr, std::move(state))
        .next(CellMap::full)
        .bottomRows(batch);
}

template <class S>
typename RecurrentCell<S>::Adjoint RecurrentCell<S>::adjoint(const Rows<S>& x, const Rows<S>& h,
                                                             const Rows<S>& cotangent) const {
    check(x, h, CellMap::full);
    if (cotangent.rows() != h.rows() || cotangent.cols() != state_size())
        throw Error("cotangents are not of the shape of the states");
    Adjoint result;
    Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h)
        .adjoint(cotangent, result.state, result.input);
    return result;
}

template <class S>
Rows<S> RecurrentCell<S>::second(const Rows<S>& x, const Rows<S>& h, const Rows<S>& u,
                                 const Rows<S>& v) const {
    check(x, h, CellMap::full);
    check(x, spread(u, h.rows()), CellMap::full);
    check(x, spread(v, h.rows()), CellMap::full);
    const Index batch = h.rows();
    Rows<S> state = Rows<S>::Zero(4 * batch, state_size());
    state.topRows(batch) = h;
    state.middleRows(batch, batch) = spread(u, batch);
    state.middleRows(2 * batch, batch) = spread(v, batch);
    return Evaluation<S, Dual<Dual<Chunk<S>>>>(form_, *arrays_, batch, x, nullptr, std::move(state))
        .next(CellMap::full)
        .bottomRows(batch);
}

template <class S>
Rows<S> RecurrentCell<S>::second_adjoint(const Rows<S>& x, const Rows<S>& h,
                                         const Rows<S>& covector, const Rows<S>& u) const {
    check(x, h, CellMap::full);
    check(x, spread(covector, h.rows()), CellMap::full);
    check(x, spread(u, h.rows()), CellMap::full);
    const Index batch = h.rows();
    Rows<S> state(2 * batch, state_size());
    state << h, spread(u, batch);
    Rows<S> cotangent = Rows<S>::Zero(2 * batch, state_size());
    cotangent.topRows(batch) = spread(covector, batch);
    Rows<S> d_state, d_input;
    Evaluation<S, Dual<Chunk<S>>>(form_, *arrays_, batch, x, nullptr, std::move(state))
        .adjoint(cotangent, d_state, d_input);
    return d_state.bottomRows(batch);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced(const Rows<S>& x, const Rows<S>& h) const {
    return reduced_values(x, h).leftCols(units());
}

template <class S>
Rows<S> RecurrentCell<S>::full_state(const Rows<S>& x, const Rows<S>& h) const {
    Rows<S> state = reduced_values(x, h);
    state.leftCols(units()) = h.leftCols(units());
    return state;
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_values(const Rows<S>& x, const Rows<S>& h) const {
    check(x, h, CellMap::reduced);
    return Evaluation<S, Chunk<S>>(form_, *arrays_, h.rows(), x, nullptr, h.leftCols(units()))
        .next(CellMap::reduced);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_jacobian(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, CellMap::reduced, false);
}

template <class S>
Rows<S> RecurrentCell<S>::reduced_input_jacobian(const Rows<S>& x, const Rows<S>& h) const {
    return jacobian(x, h, has_reduced() ? CellMap::reduced : CellMap::full, true);
}

template <class S>
SecondBound RecurrentCell<S>::second_bound(const Rows<S>& x, const Rows<S>& h, CellMap map) const {
    check(x, h, map);
    if (h.rows() != 1) throw Error(concat("one state is expected, found ", h.rows()));
    std::call_once(norms_->once, [&] {
        CellArrays<double> arrays;
        arrays.kernel = arrays_->kernel.template cast<double>();
        arrays.recurrent = arrays_->recurrent.template cast<double>();
        arrays.bias = arrays_->bias.template cast<double>();
        arrays.recurrent_bias = arrays_->recurrent_bias.template cast<double>();
        norms_->weights = std::make_shared<const NormedWeights>(normed(form_, std::move(arrays)));
    });
    const Rows<double> state =
        h.leftCols(map == CellMap::full ? state_size() : units()).template cast<double>();
    const Evaluation<double, Chunk<double>> e(form_, norms_->weights->arrays, 1,
                                              x.template cast<double>(), nullptr, state);
    SecondBound::Centre centre{state.row(0).transpose(), e.slots().row(0).transpose(), {}, {}};
    if (form_.kind == CellKind::gru_before) {
        Rows<double> gate, bend;
        e.fed_slopes(gate, bend);
        centre.reset = gate.row(0).transpose();
        centre.reset_slope = bend.row(0).transpose();
    }
    return SecondBound(form_, map, norms_->weights, std::move(centre));
}

template class RecurrentCell<double>;
template class RecurrentCell<float>;

} // namespace assay::network

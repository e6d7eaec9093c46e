// What an unrolled recurrent layer computes with: arrays that may carry a tangent, products of
// their blocks, and all that one pass over a sequence remembers.
#pragma once

#include <assay/network/cell.hpp>

#include <assay/linalg/products.hpp>

namespace assay::network::recurrent {

// An array, and its tangent where it moves.
template <class S, bool kMoving>
struct Field {
    Rows<S> v, d;
    void resize(Index rows, Index cols) {
        v.resize(rows, cols);
        if (kMoving) d.resize(rows, cols);
    }
    void set_zero(Index rows, Index cols) {
        v.setZero(rows, cols);
        if (kMoving) d.setZero(rows, cols);
    }
};

template <class S, bool kMoving>
using Number = std::conditional_t<kMoving, Dual<Chunk<S>>, Chunk<S>>;

template <class S, bool kMoving>
Number<S, kMoving> load_from(const Field<S, kMoving>& field, Index row, Index column, Index count) {
    const Index at = row * field.v.cols() + column;
    if constexpr (kMoving)
        return {load(field.v.data() + at, count), load(field.d.data() + at, count)};
    else
        return load(field.v.data() + at, count);
}

template <class S, bool kMoving>
void store_to(const Number<S, kMoving>& value, Field<S, kMoving>& field, Index row, Index column,
              Index count) {
    const Index at = row * field.v.cols() + column;
    if constexpr (kMoving) {
        store(value.v, field.v.data() + at, count);
        store(value.d, field.d.data() + at, count);
    } else {
        store(value, field.v.data() + at, count);
    }
}

// A block of rows and columns of a field.
struct FieldBlock {
    Index row, rows, column, columns;
};
template <class S>
linalg::Strided<S> at_block(const Rows<S>& matrix, const FieldBlock& b) {
    return linalg::plain(matrix.data() + b.row * matrix.cols() + b.column, matrix.cols());
}
template <class S>
linalg::Strided<S> transposed_at_block(const Rows<S>& matrix, const FieldBlock& b) {
    return linalg::transposed(matrix.data() + b.row * matrix.cols() + b.column, matrix.cols());
}
template <class S>
void add_to_block(Rows<S>& sum, const FieldBlock& to, Index terms, linalg::Strided<S> a,
                  linalg::Strided<S> b) {
    linalg::multiply(to.rows, to.columns, terms, a, b, linalg::Target::add,
                     sum.data() + to.row * sum.cols() + to.column, sum.cols());
}

// y += x w^T.
template <class S, bool kMoving>
void add_product(Field<S, kMoving>& y, const FieldBlock& to, const Field<S, kMoving>& x,
                 const FieldBlock& from, const Field<S, kMoving>& w, const FieldBlock& weight) {
    const auto add = [&](Rows<S>& sum, const Rows<S>& left, const Rows<S>& right) {
        add_to_block(sum, to, from.columns, at_block(left, from),
                     transposed_at_block(right, weight));
    };
    add(y.v, x.v, w.v);
    if constexpr (kMoving) {
        add(y.d, x.d, w.v);
        add(y.d, x.v, w.d);
    }
}

// x += y w.
template <class S, bool kMoving>
void add_adjoint(Field<S, kMoving>& x, const FieldBlock& to, const Field<S, kMoving>& y,
                 const FieldBlock& from, const Field<S, kMoving>& w, const FieldBlock& weight) {
    const auto add = [&](Rows<S>& sum, const Rows<S>& left, const Rows<S>& right) {
        add_to_block(sum, to, from.columns, at_block(left, from), at_block(right, weight));
    };
    add(x.v, y.v, w.v);
    if constexpr (kMoving) {
        add(x.d, y.d, w.v);
        add(x.d, y.v, w.d);
    }
}

template <class S, bool kMoving>
struct RunWeights {
    Field<S, kMoving> kernel, recurrent, bias, recurrent_bias, initial_state;
    Field<S, kMoving> offset; // 1 x slots N: what the biases add to every slot
};

// One pass over a sequence, time-major: row t B + b.
template <class S, bool kMoving>
struct Run {
    RunWeights<S, kMoving> weights;
    Field<S, kMoving> x;     // T B x inputs
    Field<S, kMoving> slots; // T B x slots N
    Field<S, kMoving> rates; // ctrnn_current: T B x N
    Field<S, kMoving> reset; // gru_before: T B x N, r * h
    Field<S, kMoving> state; // (T + 1) B x state
    // T B x gates N: cotangents of the input's part of the pre-activations, and of the recurrent
    // part where that differs (gru_after).
    Field<S, kMoving> d_input, d_recurrent;
    Field<S, kMoving> d_output; // B x output
    Field<S, kMoving> d_state;  // B x state: of the initial state after backward
    Field<S, kMoving> d_part;   // B x N: of reset or rates at one step
    Field<S, kMoving> d_x;      // T B x inputs
};

} // namespace assay::network::recurrent

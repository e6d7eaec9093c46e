// Activation functions and their slopes, written once for chunks, numbers and duals. Conventions at
// kinks are PyTorch's: relu'(0) = 0.
#pragma once

#include <assay/network/dual.hpp>
#include <assay/network/keys.hpp>

#include <string>
#include <vector>

namespace assay::network {

enum class Function {
    identity,
    relu,
    leaky_relu,
    elu,
    softplus,
    sigmoid,
    hard_sigmoid,
    tanh,
    softsign,
    gelu,
    gelu_tanh,
    silu,
    exponential,
    rectified_quadratic,
    gaussian
};

struct Activation {
    Function function = Function::identity;
    double shape = 1; // slope of leaky_relu, alpha of elu, beta of softplus
};

// Reads "function" and its parameters; throws Error for an unknown one.
[[nodiscard]] Activation read_activation(Keys& keys, const std::string& key,
                                         const std::string& otherwise);
// Whether the function is known to read_activation.
[[nodiscard]] bool is_elementwise(const std::string& name);
// Throws Error naming the key unless the function is among those.
[[nodiscard]] Activation read_activation_of(Keys& keys, const std::string& key,
                                            const std::vector<std::string>& allowed,
                                            const std::string& otherwise);
// Bounded second derivative everywhere (no kinks)?
[[nodiscard]] bool piecewise_linear(Function function);

template <class T>
T logistic(const T& x) {
    const T one = constant(x, 1);
    return one / T(one + exponential(T(-x)));
}
// By its slope: the quotient's would be inf / inf far below zero.
template <class T>
Dual<T> logistic(const Dual<T>& x) {
    const T y = logistic(x.v);
    return {y, T(y * T(constant(y, 1) - y) * x.d)};
}

// min(x, 0), so that exponentials cannot overflow.
template <class T>
T negative_part(const T& x) {
    return x - step(x) * x;
}

template <class T>
T normal_distribution(const T& x) {
    constexpr double kRootHalf = 0.70710678118654752;
    return constant(x, 0.5) * T(constant(x, 1) + error_function(T(constant(x, kRootHalf) * x)));
}

// The argument of the tanh form of gelu, and its slope.
template <class T>
T gelu_argument(const T& x) {
    constexpr double kRootTwoOverPi = 0.79788456080286536;
    return constant(x, kRootTwoOverPi) * T(x + constant(x, 0.044715) * x * x * x);
}
template <class T>
T gelu_argument_slope(const T& x) {
    constexpr double kRootTwoOverPi = 0.79788456080286536;
    return constant(x, kRootTwoOverPi) * T(constant(x, 1) + constant(x, 3 * 0.044715) * x * x);
}

// The value, for plain numbers (see `activate` for duals).
template <class T>
T plain_value(const Activation& a, const T& x) {
    switch (a.function) {
    case Function::identity:
        return x;
    case Function::relu:
        return step(x) * x;
    case Function::leaky_relu:
        return x * T(constant(x, a.shape) + constant(x, 1 - a.shape) * step(x));
    case Function::elu:
        return step(x) * x +
               constant(x, a.shape) * T(exponential(negative_part(x)) - constant(x, 1));
    case Function::softplus:
        return step(x) * x + constant(x, 1 / a.shape) *
                                 log_one_plus(exponential(T(constant(x, -a.shape) * magnitude(x))));
    case Function::sigmoid:
        return logistic(x);
    case Function::hard_sigmoid: {
        const T line = constant(x, 0.2) * x + constant(x, 0.5);
        const T over = line - constant(x, 1);
        return step(line) * line - step(over) * over;
    }
    case Function::tanh:
        return hyperbolic_tangent(x);
    case Function::softsign:
        return x / T(constant(x, 1) + magnitude(x));
    case Function::gelu:
        return x * normal_distribution(x);
    case Function::gelu_tanh:
        return constant(x, 0.5) * x * T(constant(x, 1) + hyperbolic_tangent(gelu_argument(x)));
    case Function::silu:
        return x * logistic(x);
    case Function::exponential:
        return exponential(x);
    case Function::rectified_quadratic:
        return step(x) * x * x;
    case Function::gaussian:
        return exponential(T(-(x * x)));
    }
    return x;
}

// The slope at x, where y is the value there.
template <class T>
T slope(const Activation& a, const T& x, const T& y) {
    const T one = constant(x, 1);
    switch (a.function) {
    case Function::identity:
        return one;
    case Function::relu:
        return step(x);
    case Function::leaky_relu:
        return constant(x, a.shape) + constant(x, 1 - a.shape) * step(x);
    case Function::elu:
        return step(x) + T(one - step(x)) * T(constant(x, a.shape) * exponential(negative_part(x)));
    case Function::softplus:
        return logistic(T(constant(x, a.shape) * x));
    case Function::sigmoid:
        return y * T(one - y);
    case Function::hard_sigmoid: {
        const T line = constant(x, 0.2) * x + constant(x, 0.5);
        return constant(x, 0.2) * step(line) * T(one - step(T(line - one)));
    }
    case Function::tanh:
        return one - y * y;
    case Function::softsign: {
        const T root = one / T(one + magnitude(x));
        return root * root;
    }
    case Function::gelu: {
        constexpr double kInverseRootTwoPi = 0.39894228040143268;
        return normal_distribution(x) +
               x * T(constant(x, kInverseRootTwoPi) * exponential(T(constant(x, -0.5) * x * x)));
    }
    case Function::gelu_tanh: {
        const T t = hyperbolic_tangent(gelu_argument(x));
        return constant(x, 0.5) * T(one + t) +
               constant(x, 0.5) * x * T(one - t * t) * gelu_argument_slope(x);
    }
    case Function::silu: {
        const T s = logistic(x);
        return s + x * s * T(one - s);
    }
    case Function::exponential:
        return y;
    case Function::rectified_quadratic:
        return constant(x, 2) * step(x) * x;
    case Function::gaussian:
        return constant(x, -2) * x * y;
    }
    return one;
}

// The value; of a dual through the slope, which is right also where the value's formula has a kink
// that the function has not (softplus at 0).
template <class T>
T activate(const Activation& a, const T& x) {
    return plain_value(a, x);
}
template <class T>
Dual<T> activate(const Activation& a, const Dual<T>& x) {
    const T y = activate(a, x.v);
    return {y, T(slope(a, x.v, y) * x.d)};
}

// The commonest function by itself: loops over it are a few instructions.
struct Relu {};
template <class T>
T activate(Relu, const T& x) {
    return step(x) * x;
}
template <class T>
T slope(Relu, const T& x, const T&) {
    return step(x);
}
// Calls body(Relu or the activation).
template <class Body>
void with_function(const Activation& a, Body&& body) {
    if (a.function == Function::relu)
        body(Relu{});
    else
        body(a);
}

// --- walking arrays chunk by chunk ---

template <class S>
Chunk<S> load(const S* data, Index count) {
    if (count >= kChunk) return Eigen::Map<const Chunk<S>>(data);
    Chunk<S> chunk = Chunk<S>::Zero();
    std::copy_n(data, count, chunk.data());
    return chunk;
}
template <class S>
void store(const Chunk<S>& chunk, S* data, Index count) {
    if (count >= kChunk)
        Eigen::Map<Chunk<S>>{data} = chunk;
    else
        std::copy_n(chunk.data(), count, data);
}
// Calls body(offset, count) for pieces of at most kChunk elements.
template <class Body>
void for_chunks(Index size, Body&& body) {
    for (Index i = 0; i < size; i += kChunk) body(i, std::min<Index>(kChunk, size - i));
}

} // namespace assay::network

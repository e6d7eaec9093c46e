// Numbers for exact derivatives of small formulas: chunks of array elements, and dual numbers over
// anything (forward mode). A formula written once as a template gives its value with chunks, its
// directional derivative with duals, and its second derivatives with duals of duals.
#pragma once

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace assay::network {

// A few elements that stay in vector registers.
inline constexpr int kChunk = 32;
template <class S>
using Chunk = Eigen::Array<S, kChunk, 1>;

// v + d e with e^2 = 0.
template <class T>
struct Dual {
    T v, d;
};

// --- plain values ---
template <class S>
Chunk<S> exponential(const Chunk<S>& x) {
    return x.exp();
}
template <class S>
Chunk<S> logarithm(const Chunk<S>& x) {
    return x.log();
}
template <class S>
Chunk<S> log_one_plus(const Chunk<S>& x) {
    return x.log1p();
}
template <class S>
Chunk<S> hyperbolic_tangent(const Chunk<S>& x) {
    if constexpr (std::is_same_v<S, double>) {
        // In vector registers, where the library's function is scalar: (1 - e) / (1 + e) with e =
        // exp(-2|x|), and below 0.35, where that cancels, the seventh convergent of Lambert's
        // continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))).
        constexpr double kSmall = 0.35;
        const Chunk<S> e = (-2 * x.abs()).exp();
        const Chunk<S> large = x.sign() * (1 - e) / (1 + e);
        const Chunk<S> s = x.square().min(1.0);
        const Chunk<S> small = x * (135135 + s * (17325 + s * (378 + s))) /
                               (135135 + s * (62370 + s * (3150 + s * 28)));
        return (x.abs() < kSmall).select(small, large);
    } else {
        return x.tanh();
    }
}
template <class S>
Chunk<S> error_function(const Chunk<S>& x) {
    return x.unaryExpr([](S one) { return std::erf(one); });
}
template <class S>
Chunk<S> magnitude(const Chunk<S>& x) {
    return x.abs();
}
// 1 where x > 0, else 0.
template <class S>
Chunk<S> step(const Chunk<S>& x) {
    return (x > S(0)).template cast<S>();
}
// -1, 0 or 1.
template <class S>
Chunk<S> sign_of(const Chunk<S>& x) {
    return x.sign();
}
template <class S>
Chunk<S> constant(const Chunk<S>&, double value) {
    return Chunk<S>::Constant(S(value));
}
template <class S>
bool is_plain(const Chunk<S>&) {
    return true;
}

inline double exponential(double x) {
    return std::exp(x);
}
inline double logarithm(double x) {
    return std::log(x);
}
inline double log_one_plus(double x) {
    return std::log1p(x);
}
inline double hyperbolic_tangent(double x) {
    return std::tanh(x);
}
inline double error_function(double x) {
    return std::erf(x);
}
inline double magnitude(double x) {
    return std::abs(x);
}
inline double step(double x) {
    return x > 0 ? 1.0 : 0.0;
}
inline double sign_of(double x) {
    return x > 0 ? 1.0 : (x < 0 ? -1.0 : 0.0);
}
inline double constant(double, double value) {
    return value;
}

// --- duals: product and chain rule ---
template <class T>
Dual<T> operator+(const Dual<T>& a, const Dual<T>& b) {
    return {a.v + b.v, a.d + b.d};
}
template <class T>
Dual<T> operator-(const Dual<T>& a, const Dual<T>& b) {
    return {a.v - b.v, a.d - b.d};
}
template <class T>
Dual<T> operator-(const Dual<T>& a) {
    return {T(-a.v), T(-a.d)};
}
template <class T>
Dual<T> operator*(const Dual<T>& a, const Dual<T>& b) {
    return {a.v * b.v, a.d * b.v + a.v * b.d};
}
template <class T>
Dual<T> operator/(const Dual<T>& a, const Dual<T>& b) {
    const T quotient = a.v / b.v;
    return {quotient, T((a.d - quotient * b.d) / b.v)};
}
template <class T>
Dual<T> constant(const Dual<T>& like, double value) {
    return {constant(like.v, value), constant(like.v, 0.0)};
}
template <class T>
Dual<T> exponential(const Dual<T>& x) {
    const T value = exponential(x.v);
    return {value, T(value * x.d)};
}
template <class T>
Dual<T> logarithm(const Dual<T>& x) {
    return {logarithm(x.v), T(x.d / x.v)};
}
template <class T>
Dual<T> log_one_plus(const Dual<T>& x) {
    return {log_one_plus(x.v), T(x.d / (constant(x.v, 1) + x.v))};
}
template <class T>
Dual<T> hyperbolic_tangent(const Dual<T>& x) {
    const T value = hyperbolic_tangent(x.v);
    return {value, T((constant(x.v, 1) - value * value) * x.d)};
}
template <class T>
Dual<T> error_function(const Dual<T>& x) {
    constexpr double kTwoOverRootPi = 1.1283791670955126;
    const T slope = constant(x.v, kTwoOverRootPi) * exponential(T(-(x.v * x.v)));
    return {error_function(x.v), T(slope * x.d)};
}
template <class T>
Dual<T> magnitude(const Dual<T>& x) {
    return {magnitude(x.v), T(sign_of(x.v) * x.d)};
}
template <class T>
Dual<T> step(const Dual<T>& x) {
    return {step(x.v), constant(x.v, 0)};
}
template <class T>
Dual<T> sign_of(const Dual<T>& x) {
    return {sign_of(x.v), constant(x.v, 0)};
}

} // namespace assay::network

#include <assay/fixedpoints/adam.hpp>

#include <assay/core/error.hpp>

#include <cmath>
#include <limits>

namespace assay::fixedpoints {
namespace {

constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;

template <class S>
using Rows = network::Rows<S>;

// F and J^T w of a network, in its own arithmetic.
struct DoubleMap {
    const Dynamics& dynamics;
    [[nodiscard]] Rows<double> step(const Rows<double>& x, const Rows<double>& h) const {
        return dynamics.step(x, h);
    }
    [[nodiscard]] Rows<double> pull_back(const Rows<double>& x, const Rows<double>& h,
                                         const Rows<double>& w) const {
        return dynamics.pull_back(x, h, w);
    }
};
struct SingleMap {
    network::RecurrentCell<float> cell;
    [[nodiscard]] Rows<float> step(const Rows<float>& x, const Rows<float>& h) const {
        return cell.step(x, h);
    }
    [[nodiscard]] Rows<float> pull_back(const Rows<float>& x, const Rows<float>& h,
                                        const Rows<float>& w) const {
        return cell.adjoint(x, h, w).state;
    }
};

template <class S, class Map>
AdamResult minimise(const Map& map, const Rows<S>& x, Rows<S> h, const AdamOptions& o,
                    const Execution& run) {
    AdamResult result;
    const Index batch = h.rows();
    Rows<S> first = Rows<S>::Zero(batch, h.cols()), second = first;
    Vector before = Vector::Constant(batch, std::numeric_limits<double>::infinity());
    double rate = o.learning_rate, best = std::numeric_limits<double>::infinity();
    double bias_first = 1, bias_second = 1;
    Index idle = 0;
    Eigen::Array<bool, Eigen::Dynamic, 1> done =
        Eigen::Array<bool, Eigen::Dynamic, 1>::Constant(batch, false);
    for (; result.iterations < o.max_iterations; ++result.iterations) {
        run.monitor->stop_if_interrupted();
        const Rows<S> g = map.step(x, h) - h;
        result.q = 0.5 * g.rowwise().squaredNorm().template cast<double>();
        const double mean = result.q.mean();
        done = result.q.array() < o.tolerance_q ||
               (before - result.q).array().abs() < o.tolerance_change * rate;
        if (done.all()) break; // a further step would leave where they rest
        if (!(mean < best) && ++idle > o.patience) {
            rate *= o.rate_factor;
            idle = 0;
        } else if (mean < best) {
            best = mean;
            idle = 0;
        }
        before = result.q;
        const Rows<S> slope = (map.pull_back(x, h, g) - g) / static_cast<S>(batch);
        first = S(kFirst) * first + S(1 - kFirst) * slope;
        second = S(kSecond) * second + S(1 - kSecond) * slope.cwiseAbs2();
        bias_first *= kFirst;
        bias_second *= kSecond;
        const S scale = static_cast<S>(rate / (1 - bias_first)),
                root = static_cast<S>(std::sqrt(1 - bias_second));
        h.array() -= scale * first.array() / (second.array().sqrt() / root + S(kEpsilon));
        run.monitor->progress({static_cast<double>(result.iterations),
                               static_cast<double>(o.max_iterations), "iterations",
                               concat("mean q ", mean)});
    }
    const Rows<S> g = map.step(x, h) - h;
    result.q = 0.5 * g.rowwise().squaredNorm().template cast<double>();
    result.states = h.template cast<double>();
    for (Index b = 0; b < batch; ++b)
        result.status.push_back(!std::isfinite(result.q(b)) ? StartStatus::diverged
                                : done(b)                   ? StartStatus::converged
                                                            : StartStatus::max_iterations);
    return result;
}

network::RecurrentCell<float> single(const Cell& cell) {
    const auto& a = cell.arrays();
    std::vector<double> all;
    for (const auto& info : network::cell_parameters(cell.form())) {
        const auto append = [&](const auto& array) {
            all.insert(all.end(), array.data(), array.data() + array.size());
        };
        if (info.name == "kernel") append(a.kernel);
        if (info.name == "recurrent") append(a.recurrent);
        if (info.name == "bias") append(a.bias);
        if (info.name == "recurrent_bias") append(a.recurrent_bias);
        if (info.name == "initial_state") append(a.initial_state);
    }
    const network::Column<double> flat =
        Eigen::Map<const Vector>(all.data(), static_cast<Index>(all.size()));
    return network::RecurrentCell<float>(cell.form(), flat.cast<float>());
}

} // namespace

AdamResult search_adam(const Dynamics& dynamics, const RowMatrix& x, const RowMatrix& starts,
                       const AdamOptions& options, const Execution& run) {
    if (starts.cols() != dynamics.state_size())
        throw Error(concat("states have ", starts.cols(), " columns, the ", dynamics.description(),
                           " state needs ", dynamics.state_size()));
    if (options.single && dynamics.cells().size() == 1)
        return minimise<float>(SingleMap{single(dynamics.cells().front())},
                               Rows<float>(x.cast<float>()), Rows<float>(starts.cast<float>()),
                               options, run);
    return minimise<double>(DoubleMap{dynamics}, x, starts, options, run);
}

} // namespace assay::fixedpoints

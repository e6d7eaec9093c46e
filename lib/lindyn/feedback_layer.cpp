#include <assay/lindyn/feedback_layer.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>

#include <cmath>
#include <limits>

namespace assay::lindyn {
namespace {

constexpr Index kProjectedRows = 256;
constexpr Index kMostProducts = 2000;
constexpr double kConjugateResidual = 1e-10;

double inner(const Matrix& a, const Matrix& b) {
    return a.cwiseProduct(b).sum();
}

RowMatrix centred_rows(const RowMatrix& rows) {
    return rows.rowwise() - rows.colwise().mean();
}

// Rows with their forward projections.
struct ProjectedRows {
    RowMatrix x, y;
};

ProjectedRows projected(const FeedbackLayer& layer, const RowMatrix& x, const AlignmentOptions& o) {
    if (!o.centre) return {x, layer.projection->forward(x, layer.weight, layer.bias)};
    const RowMatrix moved = centred_rows(x);
    return {moved, layer.projection->forward(moved, layer.weight, {})};
}

// Sums over the rows, without the decay's part.
Matrix curvature_sum(const Projection& p, const Coefficients& c, const ProjectedRows& rows,
                     const Matrix& b) {
    Matrix sum = Matrix::Zero(b.rows(), b.cols());
    if (c.null > 0) sum += c.null * p.gradient(rows.y, p.backward(rows.y, b));
    if (c.sparse > 0) sum += c.sparse * p.gradient(p.forward(rows.x, b, {}), rows.x);
    return sum;
}
Matrix amp_sum(const FeedbackLayer& layer, const Coefficients& c, const ProjectedRows& rows) {
    if (!(c.amp > 0)) return Matrix::Zero(layer.weight.rows(), layer.weight.cols());
    return c.amp * layer.projection->gradient(rows.y, rows.x);
}

// K where the mirror divides by it; elements that never see the input get no drive.
Matrix untapered(const FeedbackLayer& layer, const AlignmentOptions& o, const Matrix& amp) {
    if (!o.compensate || layer.taper.size() == 0) return amp;
    return (layer.taper.array() > 0).select(amp.array() / layer.taper.array(), 0);
}

double row_share(const FeedbackLayer& layer, const AlignmentOptions& o, Index rows) {
    const double positions =
        o.spatial_mean ? static_cast<double>(layer.projection->positions()) : 1;
    return 1 / (positions * static_cast<double>(rows));
}

Matrix normal_like(const Matrix& like, const Random& random, StreamWords stream) {
    Matrix m(like.rows(), like.cols());
    for (Index i = 0; i < m.size(); ++i)
        m.data()[i] = random.normal(static_cast<std::uint64_t>(i), stream);
    return m;
}

StreamWords words(Index layer, Index repeat, Index step) {
    return {static_cast<std::uint64_t>(layer), static_cast<std::uint64_t>(repeat),
            static_cast<std::uint64_t>(step)};
}

RowMatrix pool_batch(const RowMatrix& pool, Index count, const AlignmentRun& run, Index step) {
    const Random random(run.seed, "lindyn/stability/batch");
    RowMatrix batch(count, pool.cols());
    for (Index i = 0; i < count; ++i)
        batch.row(i) = pool.row(static_cast<Index>(
            random.below(static_cast<std::uint64_t>(pool.rows()), static_cast<std::uint64_t>(i),
                         words(run.layer, run.repeat, step))));
    return batch;
}

// The gradient in B on a batch that step `step` of a run draws.
Matrix batch_gradient(const FeedbackLayer& layer, const AlignmentSettings& settings,
                      const AlignmentOptions& o, const AlignmentRun& run, Index step,
                      const Matrix& b) {
    const Coefficients& c = settings.coefficients;
    Matrix gradient = c.decay * b - c.self * layer.weight;
    if (!(c.amp > 0)) return gradient;
    const RowMatrix x = run.pool
                            ? pool_batch(*run.pool, settings.batch, run, step)
                            : mirror_noise(settings, settings.batch, layer.projection->input_size(),
                                           run.seed, run.layer, run.repeat, step);
    ProjectedRows rows = projected(layer, x, o);
    if (settings.rectified) rows.y = rows.y.cwiseMax(0);
    gradient += row_share(layer, o, x.rows()) * (curvature_sum(*layer.projection, c, rows, b) -
                                                 untapered(layer, o, amp_sum(layer, c, rows)));
    return gradient;
}

// One array that moves by heavy ball; the first velocity is the first gradient.
class HeavyBall {
  public:
    HeavyBall(double rate, double momentum) : rate_(rate), momentum_(momentum) {}
    void step(const Matrix& gradient, Matrix& value) {
        velocity_ = velocity_.size() == 0 ? gradient : Matrix(momentum_ * velocity_ + gradient);
        value -= rate_ * velocity_;
    }

  private:
    double rate_, momentum_;
    Matrix velocity_;
};

void record(const Matrix& w, const Matrix& b, double start, Index step, AlignmentTrace& trace) {
    trace.angle(step) = angle_between(w, b);
    trace.norm_ratio(step) = b.norm() / w.norm();
    trace.difference(step) = (w - b).norm() / start;
}

} // namespace

Projection::~Projection() = default;

RowMatrix DenseProjection::forward(const RowMatrix& x, const Matrix& w, const Vector& bias) const {
    RowMatrix z = x * w.transpose();
    if (bias.size() > 0) z.rowwise() += bias.transpose();
    return z;
}
RowMatrix DenseProjection::backward(const RowMatrix& z, const Matrix& w) const {
    return z * w;
}
Matrix DenseProjection::gradient(const RowMatrix& z, const RowMatrix& x) const {
    return z.transpose() * x;
}

AlignmentSystem sampled_system(const FeedbackLayer& layer, const Coefficients& c,
                               const RowMatrix& x, const AlignmentOptions& o,
                               const Execution& run) {
    auto rows = std::make_shared<ProjectedRows>(projected(layer, x, o));
    const double share = row_share(layer, o, x.rows());
    const auto summed = [rows, run](const std::function<Matrix(const ProjectedRows&)>& of_block) {
        const Blocks blocks{rows->x.rows(), kProjectedRows};
        std::vector<Matrix> sums(static_cast<std::size_t>(blocks.count()));
        parallel_blocks(blocks.count(), run.threads, [&](Index i) {
            sums[static_cast<std::size_t>(i)] =
                of_block({rows->x.middleRows(blocks.begin(i), blocks.extent(i)),
                          rows->y.middleRows(blocks.begin(i), blocks.extent(i))});
        });
        run.monitor->stop_if_interrupted();
        return tree_sum(std::move(sums));
    };
    AlignmentSystem system;
    const Matrix amp = summed([&](const ProjectedRows& block) { return amp_sum(layer, c, block); });
    system.drive = share * untapered(layer, o, amp) + c.self * layer.weight;
    system.curvature = [summed, share, c, projection = layer.projection](const Matrix& b) {
        return Matrix(c.decay * b + share * summed([&](const ProjectedRows& block) {
                                        return curvature_sum(*projection, c, block, b);
                                    }));
    };
    return system;
}

AlignmentSystem white_system(const FeedbackLayer& layer, const Coefficients& c, double stddev) {
    const double power = stddev * stddev;
    AlignmentSystem system;
    system.drive = (c.amp * power + c.self) * layer.weight;
    Matrix cyy = power * layer.weight * layer.weight.transpose();
    if (layer.bias.size() > 0) cyy += layer.bias * layer.bias.transpose();
    system.curvature = [cyy, c, power](const Matrix& b) {
        return Matrix((c.decay + c.sparse * power) * b + c.null * (cyy * b));
    };
    return system;
}

Matrix aligned_feedback(const AlignmentSystem& system) {
    Matrix b = Matrix::Zero(system.drive.rows(), system.drive.cols()), residual = system.drive,
           direction = residual;
    double left = inner(residual, residual);
    const double enough = left * kConjugateResidual * kConjugateResidual;
    for (Index i = 0; left > enough; ++i) {
        const Matrix product = system.curvature(direction);
        const double bend = inner(direction, product);
        if (i == kMostProducts || !(bend > 0))
            throw Error(concat("the feedback's end was not found in ", i, " products (residual ",
                               std::sqrt(left / inner(system.drive, system.drive)), ")"));
        const double step = left / bend;
        b += step * direction;
        residual -= step * product;
        const double now = inner(residual, residual);
        direction = residual + now / left * direction;
        left = now;
    }
    return b;
}

SampledPower sampling_power(const FeedbackLayer& layer, const AlignmentSettings& settings,
                            const AlignmentOptions& o, const AlignmentSystem& system,
                            const Matrix& end, Index draws, const AlignmentRun& run) {
    std::vector<Matrix> gradients;
    Matrix mean = Matrix::Zero(end.rows(), end.cols());
    for (Index t = 0; t < draws; ++t) {
        gradients.push_back(batch_gradient(layer, settings, o, run, t, end));
        mean += gradients.back() / static_cast<double>(draws);
    }
    const double eta = settings.rate, mu = settings.momentum, twice = 2 * (1 + mu);
    if (eta >= critical_rate(largest_curvature(system, run.seed).value, mu))
        return {std::numeric_limits<double>::infinity(), 0};
    AlignmentSystem damped;
    damped.curvature = [&system, eta, twice](const Matrix& b) {
        const Matrix once = system.curvature(b);
        return Matrix(twice * once - eta * system.curvature(once));
    };
    const auto count = static_cast<double>(draws);
    Vector power(draws);
    for (Index t = 0; t < draws; ++t) {
        damped.drive = gradients[static_cast<std::size_t>(t)] - mean;
        power(t) = eta * (1 + mu) / (1 - mu) * count / (count - 1) *
                   inner(damped.drive, aligned_feedback(damped));
    }
    const double value = power.mean();
    return {value, std::sqrt((power.array() - value).square().sum() / (count * (count - 1)))};
}

LargestCurvature largest_curvature(const AlignmentSystem& system, std::uint64_t seed) {
    const Random random(seed, "lindyn/stability/power");
    Matrix b = normal_like(system.drive, random, {});
    b /= b.norm();
    LargestCurvature found;
    for (int i = 0; i < 1000; ++i) {
        const Matrix product = system.curvature(b);
        const double before = found.value;
        found.value = inner(b, product);
        found.residual = (product - found.value * b).norm();
        if (!(product.norm() > 0)) return {};
        b = product / product.norm();
        if (i > 0 && std::abs(found.value - before) <= 1e-12 * found.value) break;
    }
    return found;
}

RowMatrix mirror_noise(const AlignmentSettings& settings, Index count, Index size,
                       std::uint64_t seed, Index layer, Index repeat, Index step) {
    const Random random(seed, "lindyn/stability/mirror");
    const StreamWords stream = words(layer, repeat, step);
    const bool normal = settings.kurtosis == 0;
    RowMatrix x(count, size);
    for (Index i = 0; i < x.size(); ++i) {
        const auto at = static_cast<std::uint64_t>(i);
        x.data()[i] =
            settings.stddev * (normal ? random.normal(at, stream)
                                      : std::sqrt(12.0) * (random.uniform(at, stream) - 0.5));
    }
    return x;
}

AlignmentTrace simulate_alignment(const FeedbackLayer& layer, const AlignmentSettings& settings,
                                  const AlignmentOptions& o, const AlignmentRun& run) {
    const Coefficients& c = settings.coefficients;
    const Random start(run.seed, "lindyn/stability/start"),
        noise(run.seed, "lindyn/stability/noise"), task(run.seed, "lindyn/stability/task");
    Matrix w = layer.weight, b = normal_like(w, start, words(run.layer, run.repeat, 0));
    b *= run.start_ratio * w.norm() / b.norm();
    const double apart = (w - b).norm();
    AlignmentTrace trace{Vector(run.steps + 1), Vector(run.steps + 1), Vector(run.steps + 1)};
    HeavyBall move_w(settings.rate, settings.momentum), move_b = move_w;
    record(w, b, apart, 0, trace);
    for (Index t = 0; t < run.steps; ++t) {
        const StreamWords at = words(run.layer, run.repeat, t);
        if (settings.rule == AlignmentRule::kp) {
            const Matrix pseudo = normal_like(w, task, at);
            move_w.step(pseudo + c.decay * w, w);
            move_b.step(pseudo + c.decay * b, b);
        } else {
            move_b.step(batch_gradient(layer, settings, o, run, t, b), b);
        }
        if (settings.noise > 0)
            b += settings.rate * std::sqrt(settings.noise) * normal_like(b, noise, at);
        record(w, b, apart, t + 1, trace);
    }
    return trace;
}

} // namespace assay::lindyn

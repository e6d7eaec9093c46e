#include <assay/tensor_amp/synthetic.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/recording.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::tensor_amp {
namespace {

constexpr Index kDrawnEntriesABlock = 1 << 16;

Index tensor_order(const Shape& shape) {
    return static_cast<Index>(shape.size());
}

void check_noise_settings(const SyntheticSettings& s) {
    if (!(s.noise_variance >= 0) || !std::isfinite(s.noise_variance))
        throw Error(concat("noise variance ", s.noise_variance, ": 0 or more is expected"));
    if (s.snr && !(*s.snr > 0)) throw Error(concat("snr ", *s.snr, ": above 0 is expected"));
    if (s.noise_mode >= tensor_order(s.shape))
        throw Error(concat("noise of mode ", s.noise_mode, ": the tensor has modes 0 to ",
                           tensor_order(s.shape) - 1));
    if (!(s.noise_spread >= 0) || (s.noise_spread > 0 && s.noise_mode < 0))
        throw Error("a spread of the noise, 0 or more, needs the mode along which it differs");
}

void check_missing(const SyntheticSettings& s) {
    if (!(s.missing_fraction >= 0 && s.missing_fraction < 1))
        throw Error(concat("missing fraction ", s.missing_fraction,
                           ": a number from 0 to below 1 is expected"));
    for (const MissingBlock& block : s.missing_blocks)
        for (const IndexRange& range : block) {
            if (range.mode < 0 || range.mode >= tensor_order(s.shape))
                throw Error(concat("missing block: mode ", range.mode, ", but the tensor has 0 to ",
                                   tensor_order(s.shape) - 1));
            if (range.begin < 0 || range.begin >= range.end || range.end > s.shape[at(range.mode)])
                throw Error(concat("missing block: ", range.begin, ":", range.end, " of mode ",
                                   range.mode, ", which has ", s.shape[at(range.mode)],
                                   " indices"));
        }
}

void check_factors(const SyntheticSettings& s) {
    const std::size_t given = s.factors.empty() ? s.priors.size() : s.factors.size();
    if (given != s.shape.size())
        throw Error(concat(given, s.factors.empty() ? " priors" : " factors", " for ",
                           s.shape.size(), " modes"));
    for (Index a = 0; a < tensor_order(s.shape); ++a) {
        if (s.factors.empty() && s.priors[at(a)]->rank() != s.rank)
            throw Error(concat("the prior of mode ", a, " has rank ", s.priors[at(a)]->rank(),
                               "; rank ", s.rank, " is expected"));
        if (!s.factors.empty() &&
            (s.factors[at(a)].rows() != s.shape[at(a)] || s.factors[at(a)].cols() != s.rank))
            throw Error(concat("the factor of mode ", a, " does not fit shape and rank"));
    }
}

// Rows moved and mixed so that their mean and covariance are the prior's.
MatrixXd standardized(const MatrixXd& factor, const Prior& prior, Index mode) {
    const auto* const gaussian = dynamic_cast<const GaussianPrior*>(&prior);
    if (gaussian == nullptr)
        throw Error(concat("standardize: the prior of mode ", mode, " is ", prior.describe(),
                           "; Gaussian priors are expected"));
    if (factor.rows() <= factor.cols())
        throw Error(concat("standardize: ", factor.rows(), " rows of mode ", mode, " for rank ",
                           factor.cols(), "; more rows than components are expected"));
    const Eigen::RowVectorXd mean = factor.colwise().mean();
    const MatrixXd centred = factor.rowwise() - mean;
    const MatrixXd sample = centred.transpose() * centred / static_cast<double>(factor.rows());
    const MatrixXd from = sample.llt().matrixL(), to = gaussian->covariance().llt().matrixL();
    // Rows x become L_to L_from^{-1} x.
    const MatrixXd white =
        from.triangularView<Eigen::Lower>().solve(centred.transpose()).transpose();
    return (white * to.transpose()).rowwise() + gaussian->mean().transpose();
}

Factors draw_factors(const SyntheticSettings& s) {
    if (!s.factors.empty()) return s.factors;
    const Random random(s.seed, "tensor-amp/factors");
    Factors factors;
    for (Index a = 0; a < tensor_order(s.shape); ++a) {
        if (s.symmetric && a > 0) {
            factors.push_back(factors.front());
            continue;
        }
        MatrixXd factor(s.shape[at(a)], s.rank);
        for (Index i = 0; i < factor.rows(); ++i)
            factor.row(i) =
                s.priors[at(a)]
                    ->sample(random, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(a))
                    .transpose();
        if (s.standardize) factor = standardized(factor, *s.priors[at(a)], a);
        if (s.symmetric) factor *= symmetric_unit(tensor_order(s.shape));
        if (!factor.allFinite())
            throw Error(concat("mode ", a, ": the prior ", s.priors[at(a)]->describe(),
                               " gave a value that is not finite"));
        factors.push_back(factor);
    }
    return factors;
}

// Mean square of the entries of the tensor, less the square of their mean.
double signal_variance(const Factors& factors, double scale) {
    std::vector<MatrixXd> squares;
    Eigen::RowVectorXd mean = Eigen::RowVectorXd::Ones(factors.front().cols());
    for (const MatrixXd& factor : factors) {
        squares.emplace_back(factor.transpose() * factor / static_cast<double>(factor.rows()));
        mean.array() *= factor.colwise().mean().array();
    }
    return scale * scale * (hadamard_total(squares) - mean.sum() * mean.sum());
}

// Noise variances, and their roots by entry.
class Noise {
  public:
    Noise(const SyntheticSettings& s, double variance)
        : random_(s.seed, "tensor-amp/noise"), deviation_(std::sqrt(variance)) {
        if (s.noise_mode < 0) return;
        length_ = s.shape[at(s.noise_mode)];
        for (Index a = s.noise_mode + 1; a < tensor_order(s.shape); ++a) stride_ *= s.shape[at(a)];
        const Random slices(s.seed, "tensor-amp/slice-noise");
        slice_variance_.resize(length_);
        for (Index i = 0; i < length_; ++i)
            slice_variance_(i) =
                std::exp(s.noise_spread * slices.normal(static_cast<std::uint64_t>(i)));
        slice_variance_ *= variance / slice_variance_.mean();
        slice_deviation_ = slice_variance_.cwiseSqrt();
    }

    // Adds to entries first .. first + count - 1 of the tensor.
    void add(Index first, Index count, double* values) const {
        for (Index quad = first / 4; quad <= (first + count - 1) / 4; ++quad) {
            const std::array<double, 4> normal = normals(quad);
            const Index begin = std::max(first, 4 * quad),
                        end = std::min(first + count, 4 * quad + 4);
            for (Index flat = begin; flat < end; ++flat)
                values[flat - first] += deviation(flat) * normal[at(flat - 4 * quad)];
        }
    }
    // Of the entry `flat`, with the deviation of entry `where`.
    [[nodiscard]] double value(Index flat, Index where) const {
        return deviation(where) * normals(flat / 4)[at(flat % 4)];
    }
    [[nodiscard]] const VectorXd& slice_variance() const { return slice_variance_; }

  private:
    // Four standard normals (Box-Muller) of the entries from 4 * quad.
    [[nodiscard]] std::array<double, 4> normals(Index quad) const {
        const auto words = random_.bits(static_cast<std::uint64_t>(quad));
        std::array<double, 4> normal{};
        for (std::size_t pair = 0; pair < 2; ++pair) {
            const double u = (static_cast<double>(words[2 * pair] >> 11U) + 1) * 0x1.0p-53,
                         angle =
                             2 * M_PI * 0x1.0p-53 * static_cast<double>(words[2 * pair + 1] >> 11U),
                         radius = std::sqrt(-2 * std::log(u));
            normal[2 * pair] = radius * std::cos(angle);
            normal[2 * pair + 1] = radius * std::sin(angle);
        }
        return normal;
    }
    [[nodiscard]] double deviation(Index flat) const {
        return slice_deviation_.size() == 0 ? deviation_
                                            : slice_deviation_(flat / stride_ % length_);
    }

    Random random_;
    double deviation_;
    Index stride_ = 1, length_ = 1;
    VectorXd slice_variance_, slice_deviation_;
};

// Products of the first p-1 factors' rows, for rows first .. first + count - 1 of the tensor seen
// as a matrix with the last mode as columns.
MatrixXd left_products(const Factors& factors, Index first, Index count) {
    MatrixXd products(count, factors.front().cols());
    for (Index row = 0; row < count; ++row) {
        products.row(row).setOnes();
        Index rest = first + row;
        for (auto factor = factors.rbegin() + 1; factor != factors.rend(); ++factor) {
            products.row(row).array() *= factor->row(rest % factor->rows()).array();
            rest /= factor->rows();
        }
    }
    return products;
}

void fill(DenseTensor& tensor, const Factors& factors, double scale, const Noise& noise,
          const Execution& run) {
    const Index columns = tensor.shape.back(), rows = tensor.values.size() / columns;
    const Blocks blocks{rows, std::max<Index>(1, kDrawnEntriesABlock / columns)};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        const Index first = blocks.begin(block), count = blocks.extent(block);
        double* const values = tensor.values.data() + first * columns;
        Eigen::Map<RowMatrix>(values, count, columns).noalias() =
            scale * left_products(factors, first, count) * factors.back().transpose();
        noise.add(first * columns, count * columns, values);
    });
}

void fill_symmetric(DenseTensor& tensor, const MatrixXd& factor, double scale, const Noise& noise,
                    const Execution& run) {
    const Index length = tensor.shape.front();
    const std::size_t order = tensor.shape.size();
    const Blocks blocks{tensor.values.size(), kDrawnEntriesABlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        std::vector<Index> index(order);
        for (Index flat = blocks.begin(block); flat < blocks.begin(block) + blocks.extent(block);
             ++flat) {
            Index rest = flat, sorted = 0;
            for (Index& i : index) {
                i = rest % length;
                rest /= length;
            }
            std::sort(index.begin(), index.end());
            tensor.values(flat) = 0;
            if (std::adjacent_find(index.begin(), index.end()) != index.end()) continue;
            Eigen::RowVectorXd product = Eigen::RowVectorXd::Ones(factor.cols());
            for (const Index i : index) {
                product.array() *= factor.row(i).array();
                sorted = sorted * length + i;
            }
            tensor.values(flat) = scale * product.sum() + noise.value(sorted, flat);
        }
    });
}

bool in_block(Index flat, const Shape& shape, const MissingBlock& block) {
    std::vector<Index> index(shape.size());
    for (Index a = tensor_order(shape) - 1; a >= 0; --a) {
        index[at(a)] = flat % shape[at(a)];
        flat /= shape[at(a)];
    }
    return std::all_of(block.begin(), block.end(), [&](const IndexRange& range) {
        return index[at(range.mode)] >= range.begin && index[at(range.mode)] < range.end;
    });
}

void hide_entries(DenseTensor& tensor, const SyntheticSettings& s, const Execution& run) {
    if (s.missing_fraction <= 0 && s.missing_blocks.empty()) return;
    const Random random(s.seed, "tensor-amp/mask");
    tensor.observed.assign(at(tensor.values.size()), 1);
    const Blocks blocks{tensor.values.size(), kDrawnEntriesABlock};
    parallel_blocks(blocks.count(), run.threads, [&](Index block) {
        for (Index flat = blocks.begin(block); flat < blocks.begin(block) + blocks.extent(block);
             ++flat) {
            const bool hidden =
                (s.missing_fraction > 0 &&
                 random.uniform(static_cast<std::uint64_t>(flat)) < s.missing_fraction) ||
                std::any_of(s.missing_blocks.begin(), s.missing_blocks.end(),
                            [&](const MissingBlock& one) { return in_block(flat, s.shape, one); });
            if (!hidden) continue;
            tensor.observed[at(flat)] = 0;
            tensor.values(flat) = 0;
        }
    });
    if (std::find(tensor.observed.begin(), tensor.observed.end(), 1) == tensor.observed.end())
        throw Error("synth: nothing is left observed");
}

} // namespace

void check_synthetic_settings(const SyntheticSettings& s) {
    check_shape(s.shape, "synth");
    check_rank(s.shape, s.rank);
    if (s.symmetric) {
        if (s.snr) throw Error("symmetric: give the noise variance, not the snr");
        check_cubic(s.shape);
        if (s.noise_mode >= 0 || s.missing_fraction > 0 || !s.missing_blocks.empty())
            throw Error("symmetric: neither missing entries nor noise that differs between slices "
                        "would be symmetric");
    }
    const bool masked = s.missing_fraction > 0 || !s.missing_blocks.empty();
    // The values, and their copy when they are written.
    check_memory(entry_count(s.shape) * (2 * sizeof(double) + (masked ? 1 : 0)), s.memory_bytes,
                 shape_text(s.shape) + " entries");
    check_noise_settings(s);
    check_missing(s);
    check_factors(s);
}

Synthetic make_synthetic(const SyntheticSettings& s, const Execution& run) {
    check_synthetic_settings(s);
    Synthetic made;
    made.truth.factors = draw_factors(s);
    made.truth.mode_names = s.mode_names;
    if (s.factors.empty())
        for (const PriorPointer& prior : s.priors) made.truth.priors.push_back(prior->describe());
    const double scale = signal_scale(s.shape);
    made.truth.noise_variance = s.noise_variance;
    if (s.snr) made.truth.noise_variance = signal_variance(made.truth.factors, scale) / *s.snr;
    const Noise noise(s, made.truth.noise_variance);
    made.truth.noise_mode = s.noise_mode;
    made.truth.slice_noise = noise.slice_variance();
    made.tensor.shape = s.shape;
    made.tensor.values.resize(static_cast<Index>(std::llround(entry_count(s.shape))));
    prefer_large_pages(made.tensor.values.data(), sizeof(double) * at(made.tensor.values.size()));
    run.monitor->stop_if_interrupted();
    if (s.symmetric)
        fill_symmetric(made.tensor, made.truth.factors.front(), scale, noise, run);
    else
        fill(made.tensor, made.truth.factors, scale, noise, run);
    hide_entries(made.tensor, s, run);
    return made;
}

const std::vector<Preset>& presets() {
    static const std::vector<Preset> all{
        {"cubic-zero",
         "equal dimensions, rank 1, zero means: the hard case",
         {100, 100, 100},
         1,
         std::vector<std::string>(3, "gauss:mean=0,var=1"),
         0.05,
         {},
         {}},
        {"noncubic",
         "unequal dimensions, rank 1, small means",
         {100, 200, 400},
         1,
         std::vector<std::string>(3, "gauss:mean=0.2,var=1"),
         0.1,
         {},
         {}},
        {"one-mean",
         "one mode with a mean, two without: a continuous onset",
         {150, 200, 250},
         1,
         {"gauss:mean=0.8,var=1", "gauss:mean=0,var=1", "gauss:mean=0,var=1"},
         0.15,
         {},
         {}},
        {"rank2",
         "two components of different means",
         {200, 250, 300},
         2,
         {"gauss:mean=[0.8,0.2],var=1", "gauss:mean=[0.6,-0.3],var=1",
          "gauss:mean=[0.7,0.4],var=1"},
         0.35,
         {},
         {}},
        {"order4",
         "four modes",
         {40, 50, 60, 70},
         1,
         std::vector<std::string>(4, "gauss:mean=0.7,var=1"),
         0.5,
         {},
         {}},
        {"sparse",
         "two components, most entries of the factors 0",
         {100, 120, 150},
         2,
         std::vector<std::string>(3, "gauss-bernoulli:rho=0.2,mean=0,var=1"),
         0.0005,
         {},
         {}},
        {"neural",
         "neurons x times x trials, four components",
         {80, 100, 90},
         4,
         {},
         1,
         1.0,
         {"neuron", "time", "trial"}}};
    return all;
}

Factors neural_factors(const Shape& shape, std::uint64_t seed) {
    if (tensor_order(shape) != 3)
        throw Error(concat("neural: ", shape.size(),
                           " modes; three (neurons, times, trials) are expected"));
    constexpr Index kComponents = 4;
    constexpr double kWidth = 0.05;
    constexpr std::array<double, kComponents> kPeaks{0.2, 0.35, 0.5, 0.7};
    const Random random(seed, "tensor-amp/factors");
    Factors factors;
    for (const Index length : shape) factors.emplace_back(length, kComponents);
    for (Index i = 0; i < shape[0]; ++i)
        for (Index rho = 0; rho < kComponents; ++rho)
            factors[0](i, rho) = std::abs(random.normal(static_cast<std::uint64_t>(i),
                                                        {0, static_cast<std::uint64_t>(rho), 0}));
    const auto relative = [](Index i, Index length) {
        return static_cast<double>(i) / static_cast<double>(std::max<Index>(length - 1, 1));
    };
    for (Index t = 0; t < shape[1]; ++t)
        for (Index rho = 0; rho < kComponents; ++rho) {
            const double distance = (relative(t, shape[1]) - kPeaks[at(rho)]) / kWidth;
            factors[1](t, rho) = std::exp(-distance * distance / 2);
        }
    for (Index k = 0; k < shape[2]; ++k) {
        const double u = relative(k, shape[2]);
        // Falling is no mirror of rising: with the constant they would be linearly dependent.
        factors[2].row(k) << 1, 0.2 + 1.6 * u, 2 * std::exp(-2.5 * u), 1.2 + std::sin(2 * M_PI * u);
    }
    // The product of the three is the inverse of signal_scale.
    for (MatrixXd& factor : factors) factor *= std::cbrt(1 / signal_scale(shape));
    return factors;
}

} // namespace assay::tensor_amp

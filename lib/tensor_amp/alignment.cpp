#include <assay/tensor_amp/alignment.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/assignment.hpp>
#include <assay/tensor_amp/prior.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace assay::tensor_amp {
namespace {

Index order_of(const Factors& factors) {
    return static_cast<Index>(factors.size());
}

// Cosines of the columns of two factors, r_A x r_B; 0 where a column is.
MatrixXd cosines_of(const MatrixXd& a, const MatrixXd& b) {
    const auto unit = [](MatrixXd factor) {
        for (Index rho = 0; rho < factor.cols(); ++rho) {
            const double norm = factor.col(rho).stableNorm();
            if (norm > 0) factor.col(rho) /= norm;
        }
        return factor;
    };
    return unit(a).transpose() * unit(b);
}

void check_same_shape(const Factors& a, const Factors& b) {
    if (a.size() != b.size())
        throw Error(concat("factors of ", b.size(), " modes; ", a.size(), " are expected"));
    for (Index mode = 0; mode < order_of(a); ++mode)
        if (a[at(mode)].rows() != b[at(mode)].rows())
            throw Error(concat("factor of mode ", mode, " has ", b[at(mode)].rows(), " rows; ",
                               a[at(mode)].rows(), " are expected"));
}

// +-1 a mode, of product 1: the signs of the cosines where they are free, but for the one that
// matters least where their product is -1.
VectorXd best_signs(const VectorXd& cosines, const FreeSigns& free) {
    VectorXd signs = VectorXd::Ones(cosines.size());
    if (free.modes.empty()) return signs;
    if (free.together) return cosines.sum() < 0 ? VectorXd(-signs) : signs;
    for (const Index a : free.modes) signs(a) = cosines(a) < 0 ? -1 : 1;
    if (signs.prod() > 0) return signs;
    signs(*std::min_element(free.modes.begin(), free.modes.end(), [&](Index a, Index b) {
        return std::abs(cosines(a)) < std::abs(cosines(b));
    })) *= -1;
    return signs;
}

ComponentMap identity_map(Index order, Index rank) {
    ComponentMap map{std::vector<Index>(at(rank)), MatrixXd::Ones(order, rank)};
    std::iota(map.source.begin(), map.source.end(), Index{0});
    return map;
}

std::vector<PriorPointer> priors_of(const FitResult& fit) {
    std::vector<PriorPointer> priors;
    for (const std::string& text : fit.priors)
        priors.push_back(starts_with(text, "discrete") ? nullptr : parse_prior(text, fit.rank));
    return priors;
}

// Whether every component has the same prior, or a Gaussian one that can be rearranged with them.
bool order_is_free(const FitResult& fit) {
    const auto priors = priors_of(fit);
    for (std::size_t a = 0; a < priors.size(); ++a) {
        if (priors[a] != nullptr && priors[a]->gaussian()) continue;
        if (priors[a] == nullptr || fit.priors[a].find('[') != std::string::npos) return false;
    }
    return true;
}

std::vector<MatrixXd> mapped_overlaps(const std::vector<MatrixXd>& modes, const ComponentMap& map,
                                      bool both_sides) {
    std::vector<MatrixXd> mapped;
    for (Index a = 0; a < static_cast<Index>(modes.size()); ++a) {
        // Rows are components of the fit; columns too for the overlap with itself.
        const MatrixXd rows = mapped_factor(modes[at(a)].transpose(), map, a).transpose();
        mapped.push_back(both_sides ? mapped_factor(rows, map, a) : rows);
    }
    return mapped;
}

std::vector<std::string> mapped_priors(const FitResult& fit, const ComponentMap& map) {
    std::vector<std::string> texts = fit.priors;
    const auto priors = priors_of(fit);
    for (Index a = 0; a < static_cast<Index>(priors.size()); ++a) {
        const auto* const gaussian = dynamic_cast<const GaussianPrior*>(priors[at(a)].get());
        if (gaussian == nullptr) continue;
        const VectorXd mean = mapped_factor(gaussian->mean().transpose(), map, a).transpose();
        const MatrixXd rows = gaussian->covariance().reshaped().transpose();
        const MatrixXd covariance = mapped_covariances(rows, map, a).reshaped(fit.rank, fit.rank);
        texts[at(a)] = GaussianPrior(mean, covariance).describe();
    }
    return texts;
}

ModeCalibration calibrate(const MatrixXd& estimate, const MatrixXd& variance, const MatrixXd& truth,
                          const std::vector<Index>& partner) {
    ModeCalibration result;
    result.histogram = VectorXd::Zero(kHistogramBins);
    double entries = 0;
    constexpr double kHalf = 0.6744897501960817, kNineTenths = 1.6448536269514722;
    for (Index rho = 0; rho < truth.cols(); ++rho) {
        if (partner[at(rho)] < 0) continue;
        for (Index i = 0; i < truth.rows(); ++i) {
            const double error = estimate(i, rho) - truth(i, rho),
                         claimed = std::max(0.0, variance(variance.rows() == 1 ? 0 : i, rho)),
                         deviation = std::sqrt(claimed);
            ++entries;
            result.claimed += claimed;
            result.squared_error += error * error;
            if (std::abs(error) <= kHalf * deviation) ++result.coverage_50;
            if (std::abs(error) <= kNineTenths * deviation) ++result.coverage_90;
            if (deviation == 0) continue;
            const double place =
                (error / deviation / kHistogramReach + 1) / 2 * static_cast<double>(kHistogramBins);
            const auto last = static_cast<double>(kHistogramBins - 1);
            result.histogram(static_cast<Index>(std::min(last, std::max(0.0, place)))) += 1;
        }
    }
    for (double* const sum :
         {&result.claimed, &result.squared_error, &result.coverage_50, &result.coverage_90})
        *sum /= entries;
    return result;
}

// The estimate in the reference's order, 0 where a component has no partner.
ComponentMap map_to_reference(const Alignment& alignment, const Factors& estimate,
                              const Factors& reference, ScaleGauge gauge) {
    ComponentMap map{alignment.partner, alignment.signs};
    const Index order = order_of(reference);
    for (Index rho = 0; rho < static_cast<Index>(map.source.size()); ++rho) {
        if (map.source[at(rho)] < 0) {
            map.source[at(rho)] = 0;
            map.multiplier.col(rho).setZero();
            continue;
        }
        if (gauge == ScaleGauge::keep) continue;
        VectorXd logarithm(order);
        for (Index a = 0; a < order; ++a)
            logarithm(a) = std::log(reference[at(a)].col(rho).stableNorm()) -
                           std::log(estimate[at(a)].col(alignment.partner[at(rho)]).stableNorm());
        if (!logarithm.allFinite()) continue; // a column of zeros has no scale
        map.multiplier.col(rho).array() *= (logarithm.array() - logarithm.mean()).exp();
    }
    return map;
}

// 1^T (o_a A_a^T B_a) 1.
double inner_product(const Factors& a, const Factors& b) {
    MatrixXd product = MatrixXd::Ones(a.front().cols(), b.front().cols());
    for (std::size_t mode = 0; mode < a.size(); ++mode)
        product.array() *= (a[mode].transpose() * b[mode]).array();
    return product.sum();
}

} // namespace

double Alignment::mean_similarity() const {
    const auto pairs =
        std::count_if(partner.begin(), partner.end(), [](Index l) { return l >= 0; });
    return pairs == 0 ? 0 : score.sum() / static_cast<double>(pairs);
}

std::vector<Index> Alignment::unmatched() const {
    std::vector<Index> left;
    for (Index l = 0; l < similarity.cols(); ++l)
        if (std::find(partner.begin(), partner.end(), l) == partner.end()) left.push_back(l);
    return left;
}

FreeSigns all_signs(Index order) {
    FreeSigns free{std::vector<Index>(at(order)), false};
    std::iota(free.modes.begin(), free.modes.end(), Index{0});
    return free;
}

FreeSigns common_signs(const FreeSigns& a, const FreeSigns& b) {
    FreeSigns common{{}, a.together || b.together};
    std::set_intersection(a.modes.begin(), a.modes.end(), b.modes.begin(), b.modes.end(),
                          std::back_inserter(common.modes));
    // Together means all modes.
    if (common.together && common.modes.size() < (a.together ? a : b).modes.size())
        common.modes.clear();
    return common;
}

Alignment align(const Factors& reference, const Factors& other, SimilarityScore score) {
    return align(reference, other, score, all_signs(order_of(reference)));
}

Alignment align(const Factors& reference, const Factors& other, SimilarityScore score,
                const FreeSigns& free) {
    check_same_shape(reference, other);
    const Index order = order_of(reference), rank = reference.front().cols();
    std::vector<MatrixXd> cosines;
    for (Index a = 0; a < order; ++a) cosines.push_back(cosines_of(reference[at(a)], other[at(a)]));
    Alignment result;
    const bool product = score == SimilarityScore::product;
    result.similarity = MatrixXd::Constant(rank, other.front().cols(), product ? 1.0 : 0.0);
    for (const MatrixXd& mode : cosines) {
        if (product)
            result.similarity.array() *= mode.array().abs();
        else
            result.similarity += mode.cwiseAbs() / static_cast<double>(order);
    }
    result.partner = linalg::assign(-result.similarity).column;
    result.signs = MatrixXd::Ones(order, rank);
    result.cosines = MatrixXd::Zero(order, rank);
    result.score = VectorXd::Zero(rank);
    for (Index rho = 0; rho < rank; ++rho) {
        const Index partner = result.partner[at(rho)];
        if (partner < 0) continue;
        result.score(rho) = result.similarity(rho, partner);
        for (Index a = 0; a < order; ++a) result.cosines(a, rho) = cosines[at(a)](rho, partner);
        result.signs.col(rho) = best_signs(result.cosines.col(rho), free);
        result.cosines.col(rho).array() *= result.signs.col(rho).array();
    }
    return result;
}

MatrixXd mapped_factor(const MatrixXd& factor, const ComponentMap& map, Index mode) {
    MatrixXd mapped(factor.rows(), static_cast<Index>(map.source.size()));
    for (Index k = 0; k < mapped.cols(); ++k)
        mapped.col(k) = map.multiplier(mode, k) * factor.col(map.source[at(k)]);
    return mapped;
}

MatrixXd mapped_covariances(const MatrixXd& rows, const ComponentMap& map, Index mode) {
    const auto from = static_cast<Index>(std::llround(std::sqrt(static_cast<double>(rows.cols()))));
    const auto rank = static_cast<Index>(map.source.size());
    MatrixXd mapped(rows.rows(), rank * rank);
    for (Index k = 0; k < rank; ++k)
        for (Index l = 0; l < rank; ++l)
            mapped.col(k * rank + l) = map.multiplier(mode, k) * map.multiplier(mode, l) *
                                       rows.col(map.source[at(k)] * from + map.source[at(l)]);
    return mapped;
}

FreeSigns free_signs(const FitResult& fit) {
    const Index order = order_of(fit.factors);
    const auto priors = priors_of(fit);
    const auto fixed_by = [&](const PriorPointer& prior) {
        if (prior == nullptr || prior->nonnegative()) return true;
        return !prior->mean().isZero(0) && !(fit.priors_learned && prior->gaussian());
    };
    FreeSigns free{{}, fit.symmetric};
    for (Index a = 0; a < order; ++a) {
        const auto& taken = fit.signed_modes;
        const bool fixed = std::find(taken.begin(), taken.end(), a) != taken.end() ||
                           (!priors.empty() && fixed_by(priors[at(a)]));
        if (!fixed) free.modes.push_back(a);
    }
    if (fit.symmetric && (order % 2 == 1 || static_cast<Index>(free.modes.size()) < order))
        free.modes.clear();
    return free;
}

namespace {

// +-1 a mode that make the largest entries positive, as far as the signs are free.
VectorXd canonical_signs(const Factors& factors, Index component, const FreeSigns& free) {
    VectorXd signs = VectorXd::Ones(order_of(factors));
    if (free.modes.empty()) return signs;
    const auto positive = [&](Index a) {
        Index largest = 0;
        factors[at(a)].col(component).cwiseAbs().maxCoeff(&largest);
        return factors[at(a)](largest, component) >= 0;
    };
    if (free.together) return positive(0) ? signs : VectorXd(-signs);
    const Index last = free.modes.back();
    for (const Index a : free.modes) {
        if (a == last || positive(a)) continue;
        signs(a) = -1;
        signs(last) *= -1;
    }
    return signs;
}

} // namespace

ComponentMap canonical_order(const FitResult& fit) {
    const Index order = order_of(fit.factors);
    ComponentMap map = identity_map(order, fit.rank);
    FitResult unit = fit;
    set_unit_form(unit);
    if (!fit.order_given && order_is_free(fit))
        std::stable_sort(map.source.begin(), map.source.end(),
                         [&](Index k, Index l) { return unit.weights(k) > unit.weights(l); });
    const FreeSigns free = free_signs(fit);
    for (Index k = 0; k < fit.rank; ++k)
        map.multiplier.col(k) = canonical_signs(fit.factors, map.source[at(k)], free);
    return map;
}

FitResult in_canonical_order(const FitResult& fit) {
    check_fit(fit);
    const ComponentMap map = canonical_order(fit);
    FitResult ordered = fit;
    ordered.priors = mapped_priors(fit, map);
    for (Index a = 0; a < order_of(fit.factors); ++a) {
        ordered.factors[at(a)] = mapped_factor(fit.factors[at(a)], map, a);
        if (!fit.covariances.empty())
            ordered.covariances[at(a)] = mapped_covariances(fit.covariances[at(a)], map, a);
        if (fit.fields.field.empty()) continue;
        // Multipliers are +-1, so fields transform as means do.
        ordered.fields.field[at(a)] = mapped_factor(fit.fields.field[at(a)], map, a);
        ordered.fields.precision[at(a)] = mapped_covariances(fit.fields.precision[at(a)], map, a);
    }
    set_unit_form(ordered);
    return ordered;
}

void align_trace(FitResult& fit, const Factors& truth) {
    const Alignment alignment =
        align(truth, fit.factors, SimilarityScore::product, free_signs(fit));
    const ComponentMap map = map_to_reference(alignment, fit.factors, truth, ScaleGauge::keep);
    for (auto& modes : fit.trace.truth_overlap) modes = mapped_overlaps(modes, map, false);
    for (auto& modes : fit.trace.self_overlap) modes = mapped_overlaps(modes, map, true);
}

double signal_error(const Factors& estimate, const Factors& truth) {
    check_same_shape(truth, estimate);
    const double power = inner_product(truth, truth);
    const double distance =
        inner_product(estimate, estimate) - 2 * inner_product(estimate, truth) + power;
    return std::max(0.0, distance) / power;
}

PairedOverlaps paired_overlaps(const Factors& reference, const Factors& estimate,
                               const Alignment& alignment, ScaleGauge gauge) {
    const ComponentMap map = map_to_reference(alignment, estimate, reference, gauge);
    PairedOverlaps overlaps;
    for (Index a = 0; a < order_of(reference); ++a) {
        const MatrixXd& x = reference[at(a)];
        const MatrixXd partners = mapped_factor(estimate[at(a)], map, a);
        const auto rows = static_cast<double>(x.rows());
        overlaps.with_reference.emplace_back(partners.transpose() * x / rows);
        overlaps.own.emplace_back(partners.transpose() * partners / rows);
    }
    return overlaps;
}

ScaleGauge gauge_of(const FitResult& fit) {
    return fit.priors_learned || fit.priors.empty() ? ScaleGauge::match : ScaleGauge::keep;
}

TruthComparison compare_with_truth(const FitResult& fit, const Factors& truth,
                                   SimilarityScore score, ScaleGauge gauge) {
    TruthComparison result;
    result.alignment = align(truth, fit.factors, score, free_signs(fit));
    result.overlaps = paired_overlaps(truth, fit.factors, result.alignment, gauge);
    const ComponentMap map = map_to_reference(result.alignment, fit.factors, truth, gauge);
    const Index order = order_of(truth), rank = truth.front().cols();
    result.mse.resize(order);
    for (Index a = 0; a < order; ++a) {
        const MatrixXd& exact = truth[at(a)];
        const MatrixXd estimate = mapped_factor(fit.factors[at(a)], map, a);
        const auto rows = static_cast<double>(exact.rows());
        result.mse(a) = (estimate - exact).squaredNorm() / rows;
        if (fit.covariances.empty()) continue;
        const MatrixXd squares = mapped_covariances(fit.covariances[at(a)], map, a);
        MatrixXd variances(squares.rows(), rank);
        for (Index k = 0; k < rank; ++k) variances.col(k) = squares.col(k * (rank + 1));
        result.calibration.push_back(
            calibrate(estimate, variances, exact, result.alignment.partner));
    }
    result.signal_error = signal_error(fit.factors, truth);
    return result;
}

} // namespace assay::tensor_amp

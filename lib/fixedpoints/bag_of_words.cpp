#include <assay/fixedpoints/bag_of_words.hpp>

#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay::fixedpoints {
namespace {

constexpr Index kDocumentBlock = 4096;

// log(1 + exp(x)) without overflow.
double softplus(double x) {
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double logistic(double x) {
    return 0.5 * (1 + std::tanh(0.5 * x));
}

// Products with counts and a last column of ones, for the intercept. Parameters are (vocabulary +
// 1).
class Design {
  public:
    Design(const WordCounts& counts, const Execution& run)
        : counts_(counts), run_(run), blocks_{counts.rows(), kDocumentBlock} {}
    [[nodiscard]] Index parameters() const { return counts_.cols() + 1; }

    [[nodiscard]] Vector scores(const Vector& w) const {
        Vector scores(counts_.rows());
        parallel_blocks(blocks_.count(), run_.threads, [&](Index block) {
            const Index first = blocks_.begin(block), count = blocks_.extent(block);
            scores.segment(first, count) =
                counts_.middleRows(first, count) * w.head(counts_.cols());
        });
        return scores.array() + w(counts_.cols());
    }
    // Sums over documents of values times (powers of) counts; power 1 or 2.
    [[nodiscard]] Vector sums(const Vector& values, int power) const {
        std::vector<Vector> terms(static_cast<std::size_t>(blocks_.count()));
        parallel_blocks(blocks_.count(), run_.threads, [&](Index block) {
            Vector sum = Vector::Zero(parameters());
            for (Index i = blocks_.begin(block); i < blocks_.begin(block) + blocks_.extent(block);
                 ++i) {
                for (WordCounts::InnerIterator entry(counts_, i); entry; ++entry)
                    sum(entry.col()) +=
                        values(i) * (power == 1 ? entry.value() : entry.value() * entry.value());
                sum(counts_.cols()) += values(i);
            }
            terms[static_cast<std::size_t>(block)] = std::move(sum);
        });
        return tree_sum(std::move(terms));
    }

  private:
    const WordCounts& counts_;
    const Execution& run_;
    Blocks blocks_;
};

// The penalised loss at one set of parameters, with its derivatives.
struct Fit {
    Vector parameters, gradient;
    Vector weights; // p (1 - p) of every document
    double loss = 0;
};

Fit evaluate(const Design& design, const std::vector<std::int32_t>& labels, double ridge,
             Vector parameters) {
    Fit fit;
    const Vector scores = design.scores(parameters);
    Vector error(scores.size());
    fit.weights.resize(scores.size());
    double loss = 0;
    for (Index i = 0; i < scores.size(); ++i) {
        const double label = labels[static_cast<std::size_t>(i)];
        const double p = logistic(scores(i));
        error(i) = p - label;
        fit.weights(i) = p * logistic(-scores(i));
        loss += softplus(label > 0 ? -scores(i) : scores(i));
    }
    fit.gradient = design.sums(error, 1);
    const Index words = parameters.size() - 1;
    fit.gradient.head(words) += ridge * parameters.head(words);
    fit.loss = loss + 0.5 * ridge * parameters.head(words).squaredNorm();
    fit.parameters = std::move(parameters);
    return fit;
}

// Solves (C^T D C + ridge) step = -gradient by conjugate gradients with the diagonal as
// preconditioner, to a residual that makes Newton's method converge quadratically.
Vector newton_step(const Design& design, const Fit& fit, double ridge) {
    const Index size = fit.gradient.size();
    const auto with_ridge = [&](Vector product, const Vector& v) {
        product.head(size - 1) += ridge * v.head(size - 1);
        return product;
    };
    const auto apply = [&](const Vector& v) {
        const Vector scores = design.scores(v);
        return with_ridge(design.sums(fit.weights.cwiseProduct(scores), 1), v);
    };
    const Vector diagonal =
        with_ridge(design.sums(fit.weights, 2), Vector::Ones(size)).cwiseMax(1e-300);
    const double start = fit.gradient.norm();
    const double goal = start * std::min(1e-2, start);
    Vector step = Vector::Zero(size), residual = -fit.gradient;
    Vector conditioned = residual.cwiseQuotient(diagonal), direction = conditioned;
    double product = residual.dot(conditioned);
    for (Index k = 0; k < 10 * size && residual.norm() > std::max(goal, 1e-15 * start); ++k) {
        const Vector image = apply(direction);
        const double curvature = direction.dot(image);
        if (!(curvature > 0)) break;
        const double length = product / curvature;
        step += length * direction;
        residual -= length * image;
        conditioned = residual.cwiseQuotient(diagonal);
        const double next = residual.dot(conditioned);
        direction = conditioned + next / product * direction;
        product = next;
    }
    return step;
}

void check_labels(const std::vector<std::int32_t>& labels, Index documents) {
    if (labels.empty()) throw Error("word classes need labels");
    if (static_cast<Index>(labels.size()) != documents)
        throw Error(concat(labels.size(), " labels for ", documents, " documents"));
    for (const std::int32_t label : labels)
        if (label != 0 && label != 1)
            throw Error(concat("label ", label, ": a bag of words takes 0 and 1"));
    if (std::equal(labels.begin() + 1, labels.end(), labels.begin()))
        throw Error(concat("all ", labels.size(), " labels are ", labels.front(),
                           ": word classes need both"));
}

double largest(const Vector& v) {
    return v.cwiseAbs().maxCoeff();
}

// The first step length 1, 1/2, 1/4 ... that lowers the loss, or the gradient where the loss is
// down to rounding. Whether there is one.
bool take_newton_step(const Design& design, const std::vector<std::int32_t>& labels, double ridge,
                      Fit& fit) {
    constexpr int kHalvings = 30;
    Vector step = newton_step(design, fit, ridge);
    for (int halving = 0; halving < kHalvings; ++halving, step *= 0.5) {
        Fit next = evaluate(design, labels, ridge, fit.parameters + step);
        if (!(next.loss < fit.loss) && !(largest(next.gradient) < largest(fit.gradient))) continue;
        fit = std::move(next);
        return true;
    }
    return false;
}

} // namespace

WordCounts count_words(const std::vector<std::int32_t>& tokens, Index steps,
                       const std::vector<Index>& lengths, Index vocabulary) {
    if (static_cast<Index>(tokens.size()) != steps * static_cast<Index>(lengths.size()))
        throw Error(concat(tokens.size(), " tokens for ", lengths.size(), " documents of ", steps));
    std::vector<Eigen::Triplet<double>> entries;
    for (std::size_t d = 0; d < lengths.size(); ++d)
        for (Index t = 0; t < lengths[d]; ++t) {
            const std::int32_t id =
                tokens[d * static_cast<std::size_t>(steps) + static_cast<std::size_t>(t)];
            if (id < 0 || id >= vocabulary)
                throw Error(concat("token id ", id, " outside the vocabulary of ", vocabulary));
            entries.emplace_back(static_cast<int>(d), id, 1.0);
        }
    WordCounts counts(static_cast<Index>(lengths.size()), vocabulary);
    counts.setFromTriplets(entries.begin(), entries.end());
    return counts;
}

BagOfWords fit_bag_of_words(const WordCounts& counts, const std::vector<std::int32_t>& labels,
                            const BagOfWordsOptions& options, const Execution& run) {
    check_labels(labels, counts.rows());
    if (!(options.ridge > 0)) throw Error(concat("--ridge ", options.ridge, ": must be > 0"));
    const Design design(counts, run);
    Fit fit = evaluate(design, labels, options.ridge, Vector::Zero(design.parameters()));
    const double goal = options.tolerance * std::max(1.0, largest(fit.gradient));
    BagOfWords model;
    while (largest(fit.gradient) > goal && model.iterations < options.max_iterations) {
        run.monitor->stop_if_interrupted();
        ++model.iterations;
        if (!take_newton_step(design, labels, options.ridge, fit)) break;
    }
    model.gradient = largest(fit.gradient);
    model.converged = model.gradient <= goal;
    model.coefficients = fit.parameters.head(counts.cols());
    model.intercept = fit.parameters(counts.cols());
    return model;
}

double accuracy(const BagOfWords& model, const WordCounts& counts,
                const std::vector<std::int32_t>& labels) {
    if (counts.cols() != model.coefficients.size())
        throw Error(concat("counts of ", counts.cols(), " words, the model has ",
                           model.coefficients.size()));
    if (static_cast<Index>(labels.size()) != counts.rows() || labels.empty())
        throw Error(concat(labels.size(), " labels for ", counts.rows(), " documents"));
    const Vector scores = (counts * model.coefficients).array() + model.intercept;
    Index right = 0;
    for (Index i = 0; i < scores.size(); ++i)
        if ((scores(i) > 0) == (labels[static_cast<std::size_t>(i)] == 1)) ++right;
    return static_cast<double>(right) / static_cast<double>(labels.size());
}

WordClasses classify_words(const Vector& coefficients, const Vector& occurrences, Index top,
                           Index fewest) {
    if (occurrences.size() != coefficients.size())
        throw Error(concat(occurrences.size(), " counts for ", coefficients.size(), " words"));
    if (top < 1) throw Error(concat("--top-words ", top, ": must be >= 1"));
    WordClasses classes;
    for (Index v = 0; v < coefficients.size(); ++v)
        if (occurrences(v) >= static_cast<double>(fewest)) classes.occurring.push_back(v);
    const auto words = std::min(static_cast<std::size_t>(top), classes.occurring.size() / 3);
    std::vector<bool> taken(static_cast<std::size_t>(coefficients.size()), false);
    // The words with the smallest keys that are eligible and in no class yet.
    const auto take = [&](std::vector<Index> from, auto key, auto eligible) {
        std::stable_sort(from.begin(), from.end(),
                         [&](Index a, Index b) { return key(a) < key(b); });
        std::vector<Index> found;
        for (const Index v : from) {
            if (found.size() == words) break;
            if (!eligible(v) || taken[static_cast<std::size_t>(v)]) continue;
            taken[static_cast<std::size_t>(v)] = true;
            found.push_back(v);
        }
        return found;
    };
    std::vector<Index> all(static_cast<std::size_t>(coefficients.size()));
    std::iota(all.begin(), all.end(), Index{0});
    const auto value = [&](Index v) { return coefficients(v); };
    classes.positive = take(
        all, [&](Index v) { return -value(v); }, [&](Index v) { return value(v) > 0; });
    classes.negative = take(all, value, [&](Index v) { return value(v) < 0; });
    classes.neutral = take(
        classes.occurring, [&](Index v) { return std::abs(value(v)); }, [](Index) { return true; });
    return classes;
}

Vector occurrences(const WordCounts& counts) {
    return counts.transpose() * Vector::Ones(counts.rows());
}

} // namespace assay::fixedpoints

// Points of several classes: gaussian-clusters, stripes, spirals, parity.
#include <assay/core/constants.hpp>
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

constexpr double kMostClasses = 1e6;

// Classes are of equal size and take turns: sample i is of class i modulo their number.
Index class_in_turn(const Draws& draws, Index classes) {
    return static_cast<Index>(draws.sample() % static_cast<std::uint64_t>(classes));
}

// ---- gaussian-clusters ------------------------------------------------------------------------

struct Clusters {
    RowMatrix centres;      // class x dimension, the offset included
    Eigen::RowVectorXd sds; // of the noise, per dimension

    // The class of largest likelihood (Mahalanobis distance).
    [[nodiscard]] Index nearest(const Eigen::RowVectorXd& x) const {
        Index nearest = 0;
        ((centres.rowwise() - x).array().rowwise() / sds.array())
            .square()
            .rowwise()
            .sum()
            .minCoeff(&nearest);
        return nearest;
    }
};

Clusters draw_clusters(const Parameters& p) {
    const Index classes = p.integer("classes"), dimension = p.integer("dimension");
    const double separation = p.number("separation");
    checked_size({classes, dimension}, "centres");
    Clusters c;
    c.centres = normal_matrix(p.random("centres"), classes, dimension, 1);
    if (p.word("centres") == "sphere") c.centres.rowwise().normalize();
    c.centres = (separation * c.centres).array() + p.number("offset");
    c.sds.resize(dimension);
    for (Index i = 0; i < dimension; ++i)
        c.sds(i) =
            p.number("noise") * std::pow(static_cast<double>(i + 1), -0.5 * p.number("spectrum"));
    return c;
}

// Monte Carlo over samples of their own; at most 2^32 multiplications.
std::vector<TruthArray> bayes_accuracy(const Clusters& c, const Random& random) {
    const auto cost = static_cast<double>(c.centres.size());
    const auto trials = static_cast<Index>(std::clamp(0x1p32 / cost, 100.0, 20000.0));
    Index right = 0;
    for (Index i = 0; i < trials; ++i) {
        const Index y = i % c.centres.rows();
        Eigen::RowVectorXd x = c.centres.row(y);
        for (Index j = 0; j < x.size(); ++j)
            x(j) += c.sds(j) * random.normal(static_cast<std::uint64_t>(j),
                                             {static_cast<std::uint64_t>(i), 0, 0});
        right += c.nearest(x) == y ? 1 : 0;
    }
    const double accuracy = static_cast<double>(right) / static_cast<double>(trials);
    return {truth_number("bayes_accuracy", accuracy,
                         concat("Accuracy of the best classifier, from ", trials, " samples")),
            truth_number("bayes_accuracy_standard_error",
                         std::sqrt(accuracy * (1 - accuracy) / static_cast<double>(trials)),
                         "Of bayes_accuracy")};
}

TaskParts make_gaussian_clusters(const Parameters& p) {
    enum : std::uint64_t { noise };
    const Clusters clusters = draw_clusters(p);
    const Random bayes = p.random("bayes");
    TaskParts parts;
    parts.layout = class_layout(clusters.centres.cols(), clusters.centres.rows());
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        *row.classes = class_in_turn(draws, clusters.centres.rows());
        for (Index j = 0; j < row.input.cols(); ++j)
            row.input(0, j) =
                clusters.centres(*row.classes, j) + clusters.sds(j) * draws.normal(noise, j);
    });
    parts.truth = [=] {
        std::vector<TruthArray> truth = bayes_accuracy(clusters, bayes);
        truth.push_back(truth_matrix("centre", clusters.centres, {"class", "feature"},
                                     "Mean of each class, the common offset included"));
        truth.push_back(truth_vector(
            "noise_sd", {clusters.sds.data(), clusters.sds.data() + clusters.sds.size()}, "feature",
            "Standard deviation within a class"));
        return truth;
    };
    return parts;
}

TaskEntry gaussian_clusters() {
    return {{"gaussian-clusters",
             "Gaussian clouds, one a class, of equal size: sample i is of class i modulo their "
             "number",
             {integer("classes", 10, 2, kMostClasses, "clouds"),
              integer("dimension", 100, 1, 1e7, "inputs"),
              number("separation", 5, 0, kAnyNumber,
                     "norm of the centres (sphere) or sd of their coordinates (normal)"),
              word("centres", {"sphere", "normal"},
                   "uniform on a sphere around 0, or of independent normal coordinates"),
              number("offset", 0, -kAnyNumber, kAnyNumber, "added to every input"),
              number("noise", 1, 1e-9, kAnyNumber, "sd of a cloud along the first input"),
              number("spectrum", 0, 0, 10,
                     "alpha: the variance along input j is j^-alpha of the first's")},
             {{"hessian",
               "Normal centres and an offset, as hessian-spectrum's classes",
               {{"dimension", "32"},
                {"separation", "0.7"},
                {"centres", "normal"},
                {"offset", "0.5"}}}}},
            make_gaussian_clusters};
}

// ---- stripes ----------------------------------------------------------------------------------

TaskParts make_stripes(const Parameters& p) {
    enum : std::uint64_t { position, noise };
    const Index classes = p.integer("classes"), stripes = p.integer("stripes");
    const double angle = p.number("angle") * kPi / 180, sd = p.number("noise");
    // The square's extent along the direction across the stripes.
    const double reach = std::abs(std::cos(angle)) + std::abs(std::sin(angle));
    TaskParts parts;
    parts.layout = class_layout(2, classes);
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        const double x = 2 * draws.uniform(position, 0) - 1, y = 2 * draws.uniform(position, 1) - 1;
        const double across = (std::cos(angle) * x + std::sin(angle) * y + reach) / (2 * reach);
        const auto stripe = static_cast<Index>(across * static_cast<double>(stripes));
        *row.classes = std::clamp<Index>(stripe, 0, stripes - 1) % classes;
        row.input(0, 0) = x + sd * draws.normal(noise, 0);
        row.input(0, 1) = y + sd * draws.normal(noise, 1);
    });
    parts.truth = [=] {
        std::vector<double> classes_of(static_cast<std::size_t>(stripes));
        for (std::size_t i = 0; i < classes_of.size(); ++i)
            classes_of[i] = static_cast<double>(static_cast<Index>(i) % classes);
        return std::vector<TruthArray>{
            truth_vector("direction", {std::cos(angle), std::sin(angle)}, "feature",
                         "Unit vector across the stripes"),
            truth_vector("edge", equally_spaced(-reach, reach, stripes + 1), "edge",
                         "Where stripes begin and end along the direction"),
            whole(truth_vector("stripe_class", classes_of, "stripe", "Class of each stripe"))};
    };
    return parts;
}

TaskEntry stripes() {
    return {{"stripes",
             "Points of the square from -1 to 1, cut into parallel stripes of equal width whose "
             "classes take turns",
             {integer("stripes", 4, 1, 1e6, "how many"),
              integer("classes", 2, 2, kMostClasses, "that take turns"),
              number("angle", 45, -360, 360, "of the direction across the stripes, degrees"),
              number("noise", 0, 0, kAnyNumber, "sd added to the points after they are classed")},
             {}},
            make_stripes};
}

// ---- spirals ----------------------------------------------------------------------------------

TaskParts make_spirals(const Parameters& p) {
    enum : std::uint64_t { radius, noise };
    const Index classes = p.integer("classes");
    const double turns = p.number("turns"), sd = p.number("noise");
    TaskParts parts;
    parts.layout = class_layout(2, classes);
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        *row.classes = class_in_turn(draws, classes);
        const double r = draws.uniform(radius);
        const double arm = static_cast<double>(*row.classes) / static_cast<double>(classes);
        const double angle = 2 * kPi * (turns * r + arm);
        row.input(0, 0) = r * std::cos(angle) + sd * draws.normal(noise, 0);
        row.input(0, 1) = r * std::sin(angle) + sd * draws.normal(noise, 1);
    });
    parts.truth = [=] {
        std::vector<double> first;
        for (Index arm = 0; arm < classes; ++arm)
            first.push_back(2 * kPi * static_cast<double>(arm) / static_cast<double>(classes));
        return std::vector<TruthArray>{
            in_units(truth_vector("arm_angle", first, "class", "Of each class at radius 0"), "rad"),
            in_units(truth_number("winding", 2 * kPi * turns,
                                  "Angle by which an arm turns from radius 0 to 1"),
                     "rad"),
            truth_number("noise_sd", sd, "Standard deviation of both coordinates about an arm")};
    };
    return parts;
}

TaskEntry spirals() {
    return {
        {"spirals",
         "Points along interleaved arms r (cos a, sin a), a = 2 pi (turns r + class / classes), r "
         "uniform on [0, 1); sample i is of class i modulo their number",
         {integer("classes", 2, 2, kMostClasses, "arms"),
          number("turns", 1.5, 0, 1e6, "of an arm around the centre"),
          number("noise", 0.05, 0, kAnyNumber, "sd added to both coordinates")},
         {}},
        make_spirals};
}

// ---- parity -----------------------------------------------------------------------------------

TaskParts make_parity(const Parameters& p) {
    enum : std::uint64_t { bit };
    const Index bits = p.integer("bits");
    const Index relevant = p.integer("relevant") == 0 ? bits : p.integer("relevant");
    if (relevant > bits) p.refuse("relevant", concat("an integer from 0 to bits (", bits, ")"));
    TaskParts parts;
    parts.layout = class_layout(bits, 2);
    parts.loss = "softmax_cross_entropy";
    parts.write = each_sample(parts.layout, [=](const Draws& draws, Row& row) {
        for (Index k = 0; k < bits; ++k) row.input(0, k) = draws.sign(bit, k);
        *row.classes = row.input.row(0).head(relevant).prod() < 0 ? 1 : 0;
    });
    parts.truth = [=] {
        std::vector<double> counts(static_cast<std::size_t>(bits), 0.0);
        std::fill_n(counts.begin(), relevant, 1.0);
        return std::vector<TruthArray>{
            whole(truth_vector("relevant", counts, "feature", "1: the bit counts for the class")),
            truth_number("accuracy_of_fewer", 0.5,
                         "Accuracy of any classifier that misses one of the relevant bits")};
    };
    return parts;
}

TaskEntry parity() {
    return {{"parity",
             "Random bits -1 and 1; the class is 1 where an odd number of the relevant ones is -1",
             {integer("bits", 8, 1, 1e6, "inputs"),
              integer("relevant", 0, 0, 1e6, "the first so many bits count; 0: all")},
             {}},
            make_parity};
}

} // namespace

std::vector<TaskEntry> classification_tasks() {
    return {gaussian_clusters(), stripes(), spirals(), parity()};
}

} // namespace assay::training

// Semantic development against networks written out weight by weight, closed forms, and
// definitions.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>
#include <assay/lindyn/coherence.hpp>
#include <assay/lindyn/development.hpp>
#include <assay/lindyn/differentiation.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/neural_similarity.hpp>

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <cmath>

using namespace assay;
using namespace assay::lindyn;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

Matrix normal(Index rows, Index cols, std::uint64_t seed) {
    const Random random(seed, "test/development");
    Matrix m(rows, cols);
    for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < cols; ++j)
            m(i, j) =
                random.normal(static_cast<std::uint64_t>(i), {static_cast<std::uint64_t>(j), 0, 0});
    return m;
}

Matrix orthonormal(Index rows, Index cols, std::uint64_t seed) {
    return linalg::orthonormalised(normal(rows, cols, seed));
}

// canary, salmon, oak, rose; grow, move, roots, fly, swim, leaves, petals.
Matrix canary() {
    Matrix y(7, 4);
    y << 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1;
    return y;
}

Modes canary_modes() {
    Statistics s;
    s.syx = canary() / 4;
    s.input_scale = 0.25;
    s.output_power = canary().squaredNorm() / 4;
    return find_modes(s, {});
}

AlignedDevelopment development_of(const Modes& modes, const Vector& time, double start, int depth) {
    std::vector<ModeLaw> laws;
    Vector end(modes.count());
    for (Index a = 0; a < modes.count(); ++a) {
        laws.push_back({modes.s(a), modes.input_variance(a), start, depth, 1, 0});
        end(a) = laws.back().end();
    }
    return {time, mode_curves(laws, time, {}), end, modes.u, modes.v, depth};
}

} // namespace

TEST_CASE("development: theory and a network with its strengths are one", "[lindyn]") {
    const Matrix u = orthonormal(7, 3, 1), v = orthonormal(5, 3, 2), r = orthonormal(6, 3, 3);
    Matrix a(4, 3);
    a << 0.1, 0.1, 0.1, 2, 0.5, 0.1, 3, 1.5, 0.4, 3, 2, 1;
    const Vector time = Vector::LinSpaced(4, 0, 3);
    std::vector<Layers> layers;
    std::vector<Matrix> maps, hidden, output;
    for (Index t = 0; t < 4; ++t) {
        const Vector root = a.row(t).transpose().cwiseSqrt();
        layers.push_back(
            {r * root.asDiagonal() * v.transpose(), u * root.asDiagonal() * r.transpose()});
        maps.push_back(whole_map(layers.back()));
        hidden.push_back(layers.back()[0].transpose() * layers.back()[0]);
        output.push_back(layers.back()[1] * layers.back()[1].transpose());
    }
    const AlignedDevelopment theory(time, a, a.row(3).transpose(), u, v, 2);
    const RecordedDevelopment run(time, layers);
    const GramDevelopment grams(time, maps, hidden, output);
    for (Index t = 0; t <= 4; ++t) {
        CHECK((theory.outputs(t) - run.outputs(t)).norm() < 1e-13);
        for (const Development* other :
             {static_cast<const Development*>(&run), static_cast<const Development*>(&grams)}) {
            CHECK((theory.outputs(t) - other->outputs(t)).norm() < 1e-12);
            CHECK((distances(theory.item_points(t)) - distances(other->item_points(t))).norm() <
                  1e-7);
            CHECK((projection(theory.feature_points(t)) - projection(other->feature_points(t)))
                      .norm() < 1e-10);
            // Across times: sum sqrt(a(t) a(t')) v v.
            const Matrix across = theory.item_points(t) * theory.item_points(1).transpose();
            CHECK((across - other->item_points(t) * other->item_points(1).transpose()).norm() <
                  1e-7);
        }
        for (Index i = 0; i < 5; ++i)
            for (Index j = 0; j < 5; ++j) {
                double square = 0;
                for (Index k = 0; k < 3; ++k)
                    square += a(std::min<Index>(t, 3), k) * std::pow(v(i, k) - v(j, k), 2);
                CHECK_THAT(distances(theory.item_points(t))(i, j),
                           WithinAbs(std::sqrt(square), 1e-7));
            }
    }
    CHECK((strengths_over_time(run, u, v) - a).norm() < 1e-12);
    CHECK_THROWS_AS(RecordedDevelopment(time, {layers[0]}), Error);
    CHECK_THROWS_AS(GramDevelopment(time, maps, hidden, {}), Error);
    CHECK_THROWS_AS(AlignedDevelopment(time, a.leftCols(2), a.row(3).transpose(), u, v, 2), Error);
}

TEST_CASE("development: scaling keeps distances and follows the path", "[lindyn]") {
    const Modes modes = canary_modes();
    const auto d = development_of(modes, Vector::LinSpaced(40, 0, 20), 1e-3, 2);
    const Embedding joint = embed_jointly(d, 4), each = embed_each(d, 3),
                    page = embed_jointly(d, 2);
    REQUIRE(joint.coordinates.size() == 40);
    CHECK_THAT(joint.variance_kept(0), WithinAbs(1, 1e-12));
    double whole = 0, kept = 0;
    for (Index t = 0; t < 40; ++t) {
        const auto k = static_cast<std::size_t>(t);
        const Matrix expected = distances(d.item_points(t));
        CHECK((distances(joint.coordinates[k]) - expected).norm() < 1e-6);
        // Four points span three dimensions.
        CHECK((distances(each.coordinates[k]) - expected).norm() < 1e-6);
        CHECK_THAT(each.variance_kept(t), WithinAbs(1, 1e-12));
        CHECK((page.coordinates[k] - joint.coordinates[k].leftCols(2)).norm() < 1e-12);
        whole += joint.coordinates[k].squaredNorm();
        kept += page.coordinates[k].squaredNorm();
        if (t == 0) continue;
        // No rotation brings a moment nearer to the one before: the product is symmetric and has
        // no negative eigenvalue.
        const Matrix product = each.coordinates[k].transpose() * each.coordinates[k - 1];
        CHECK((product - product.transpose()).norm() < 1e-10);
        CHECK(product.selfadjointView<Eigen::Lower>().eigenvalues().minCoeff() > -1e-10);
    }
    CHECK_THAT(page.variance_kept(0), WithinRel(kept / whole, 1e-12));
    CHECK(embed_each(d, 6).coordinates[3].cols() == 6);
}

TEST_CASE("development: a salmon flies for a while", "[lindyn]") {
    const Modes modes = canary_modes();
    const Vector time = Vector::LinSpaced(6001, 0, 60);
    const auto d = development_of(modes, time, 1e-6, 2);
    const Illusions found = illusory_correlations(d);
    CHECK_THAT(found.peak(3, 1), WithinAbs(0.4781, 1e-4));
    CHECK_THAT(found.peak_time(3, 1), WithinAbs(20.52, 0.01));
    CHECK_THAT(found.excursion(3, 1), WithinAbs(0.4781, 1e-4));
    CHECK(found.excursion(0, 0) == 0);
    CHECK(std::isnan(found.peak(0, 0)));
    CHECK_THAT(found.curve.maxCoeff(), WithinAbs(found.excursion.maxCoeff(), 1e-6));
    const Matrix strengths = strengths_over_time(d, modes.u, modes.v);
    const auto parts = peak_contributions(found, time, strengths, modes.u, modes.v, modes.group);
    REQUIRE(parts.size() == 3);
    CHECK_THAT(parts[0](3, 1), WithinAbs(0.25, 0.01));
    CHECK_THAT(parts[1](3, 1), WithinAbs(0.25, 0.01));
    CHECK_THAT(parts[0](3, 1) + parts[1](3, 1) + parts[2](3, 1), WithinAbs(0.4781, 1e-4));
    const Matrix curve = contributions(strengths, modes.u, modes.v, modes.group, 3, 1);
    CHECK_THAT(curve(6000, 2), WithinAbs(-0.5, 1e-6));
    for (Index t = 0; t < 6001; t += 500)
        CHECK_THAT(curve.row(t).sum(), WithinAbs(d.outputs(t)(3, 1), 1e-12));
    // Without a hidden layer there is no illusion.
    const Illusions none = illusory_correlations(development_of(modes, time, 0, 1));
    CHECK(none.excursion.maxCoeff() == 0);
}

TEST_CASE("development: typical items", "[lindyn]") {
    Matrix y = normal(9, 6, 5);
    Statistics s;
    s.syx = y / 6;
    s.input_scale = 1.0 / 6;
    const Modes modes = find_modes(s, {});
    const Vector time = Vector::LinSpaced(4001, 0, 400);
    const auto d = development_of(modes, time, 1e-4, 2);
    const Typicality t = typicality(d, modes.u, modes.v, modes.group, 0.5);
    for (Index a = 0; a < 6; ++a) {
        const Index feature = t.category_feature[static_cast<std::size_t>(a)];
        CHECK(modes.u(feature, a) == modes.u.col(a).maxCoeff());
        for (Index i = 0; i < 6; ++i) {
            CHECK_THAT(t.value(a, i),
                       WithinAbs(modes.u.col(a).dot(s.syx.col(i)) / modes.s(a), 1e-12));
            const double when = t.answer_time(a, i);
            Index last = -1;
            for (Index k = 0; k < time.size() && last < 0; ++k)
                if (d.outputs(k)(feature, i) >= 0.5) last = k;
            CHECK(std::isnan(when) == (last < 0));
            if (last > 0) CHECK((when > time(last - 1) && when <= time(last)));
        }
        for (std::size_t k = 1; k < 6; ++k)
            CHECK(t.value(a, t.order[static_cast<std::size_t>(a) * 6 + k]) <=
                  t.value(a, t.order[static_cast<std::size_t>(a) * 6 + k - 1]));
    }
    const Modes table = canary_modes();
    const Typicality equal =
        typicality(development_of(table, time, 1e-4, 2), table.u, table.v, table.group, 0.5);
    CHECK((equal.group_value - Matrix::Constant(3, 4, 0.5)).topRows(2).norm() < 1e-12);
    CHECK_THAT(equal.group_value(2, 1), WithinRel(std::sqrt(0.5), 1e-12));
}

TEST_CASE("development: projection is what training the new weights alone gives", "[lindyn]") {
    const Matrix h = normal(4, 3, 7);
    const Matrix credit = projection(h);
    Vector w = Vector::Zero(3);
    for (int step = 0; step < 4000; ++step)
        w += 0.05 * (1 - w.dot(h.row(2))) * h.row(2).transpose();
    for (Index j = 0; j < 4; ++j) CHECK_THAT(credit(2, j), WithinAbs(h.row(j).dot(w), 1e-12));
    Matrix silent = h;
    silent.row(1).setZero();
    CHECK(projection(silent).row(1).array().isNaN().all());
}

TEST_CASE("development: branches of a complete tree part when their mode is learned", "[lindyn]") {
    // Two branches of three items.
    Matrix labels(6, 3);
    labels << 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 1, 3, 0, 1, 4, 0, 1, 5;
    Matrix v(6, 6);
    v.col(0).setConstant(1);
    v.col(1) << 1, 1, 1, -1, -1, -1;
    v.col(2) << 1, -1, 0, 0, 0, 0;
    v.col(3) << 1, 1, -2, 0, 0, 0;
    v.col(4) << 0, 0, 0, 1, -1, 0;
    v.col(5) << 0, 0, 0, 1, 1, -2;
    v.colwise().normalize();
    Modes modes;
    modes.s = (Vector(6) << 3, 2, 1, 1, 1, 1).finished();
    modes.input_variance = Vector::Ones(6);
    modes.asymptote = modes.s;
    modes.u = orthonormal(8, 6, 4);
    modes.v = v;
    modes.group = {0, 1, 2, 2, 2, 2};
    const Vector time = Vector::LinSpaced(2001, 0, 12);
    const auto d = development_of(modes, time, 1e-3, 2);
    Differentiation found = differentiate(d, splits_of_labels(labels));
    REQUIRE(found.splits.size() == 3);
    CHECK(found.splits[0].level == 0);
    CHECK(found.splits[1].branches == std::vector<std::vector<Index>>{{0}, {1}, {2}});
    for (Index t = 0; t < 2001; t += 250) {
        const Matrix points = d.item_points(t);
        const double a1 = points.row(0).dot(v.row(0)) >= 0
                              ? strengths_over_time(d, modes.u, v)(t, 1)
                              : 0,
                     a2 = strengths_over_time(d, modes.u, v)(t, 2);
        // d^2 = 2 a_1 M_1 / P + 2 a_2 (M_2 - M_1) / P at level 0, 2 a_2 M_2 / P at level 1.
        CHECK_THAT(std::pow(found.item_distance(t, 0), 2),
                   WithinRel(2 * a1 * 2 / 6 + 2 * a2 * 4 / 6, 1e-10));
        CHECK_THAT(std::pow(found.distance(t, 0), 2), WithinRel(2 * a1 * 2 / 6, 1e-10));
        CHECK_THAT(std::pow(found.distance(t, 1), 2), WithinRel(2 * a2 * 6 / 6, 1e-10));
        CHECK_THAT(found.item_distance(t, 1), WithinRel(found.distance(t, 1), 1e-10));
    }
    const auto half = [&](double s) { return std::log(s / 1e-3 - 1) / (2 * s); };
    CHECK_THAT(found.half_time(0), WithinRel(half(2), 1e-4));
    CHECK_THAT(found.half_time(2), WithinRel(half(1), 1e-4));
    CHECK_THAT(found.time_90(2) - found.time_10(2), WithinRel(std::log(9) / 1, 1e-3));
    assign_groups(found, v, modes.asymptote, modes.group);
    CHECK(found.group == std::vector<std::int32_t>{1, 2, 2});
    // A clustering of the final distances finds the two branches.
    const auto merges = linalg::average_linkage(distances(d.item_points(d.end())));
    const auto splits = splits_of_linkage(merges, 6);
    REQUIRE(splits.size() == 5);
    CHECK(splits[0].level == 0);
    CHECK(splits[0].branches[0].size() == 3);
    CHECK_THAT(differentiate(d, splits).half_time(0), WithinRel(half(2), 1e-4));
    Matrix crossed = labels;
    crossed(3, 2) = 0;
    CHECK_THROWS_WITH(splits_of_labels(crossed), Contains("is below nodes"));
    CHECK(rooted_labels(labels.rightCols(2)).cols() == 3);
    CHECK(rooted_labels(labels).cols() == 3);
}

TEST_CASE("development: which level is learned first", "[lindyn]") {
    // Similarities of a 2 x 2 tree: q_0 across, q_1 within, 1.
    const double across = GENERATE(0.1, -0.2, 0.6), within = GENERATE(0.5, 0.3);
    Matrix labels(4, 2), similarity(4, 4);
    labels << 0, 0, 0, 0, 0, 1, 0, 1;
    for (Index i = 0; i < 4; ++i)
        for (Index j = 0; j < 4; ++j)
            similarity(i, j) = 3 * (i == j ? 1 : i / 2 == j / 2 ? within : across);
    const auto spectrum = level_spectrum(labels, similarity);
    REQUIRE(spectrum);
    CHECK(spectrum->nodes == Eigen::Vector3d(1, 2, 4));
    CHECK((spectrum->correlation - Eigen::Vector3d(across, within, 1)).norm() < 1e-12);
    const Vector ones = Vector::Ones(4);
    const Eigen::Vector4d between(1, 1, -1, -1), inside(1, -1, 0, 0);
    const auto eigenvalue = [&](const Vector& x) {
        return x.dot(similarity * x) / x.squaredNorm() / 3;
    };
    CHECK_THAT(spectrum->eigenvalue(0), WithinAbs(eigenvalue(ones), 1e-12));
    CHECK_THAT(spectrum->eigenvalue(1), WithinAbs(eigenvalue(between), 1e-12));
    CHECK_THAT(spectrum->eigenvalue(2), WithinAbs(eigenvalue(inside), 1e-12));
    CHECK(spectrum->first == (across < 0 ? 1 : 0));
    // l + 1 before l iff q_l < q_{l-1}.
    CHECK(spectrum->broad_to_fine() == (across >= 0 && within >= across));
    Matrix uneven(3, 2);
    uneven << 0, 0, 0, 0, 0, 1;
    CHECK(!level_spectrum(uneven, Matrix::Identity(3, 3)));
}

TEST_CASE("development: typicality in a group does not depend on its basis", "[lindyn]") {
    const Modes modes = canary_modes(); // the last two are equal
    const AlignedDevelopment d = development_of(modes, Vector::LinSpaced(200, 0, 60), 1e-3, 2);
    Matrix turn = Matrix::Identity(4, 4);
    turn.block(2, 2, 2, 2) << std::cos(0.7), -std::sin(0.7), std::sin(0.7), std::cos(0.7);
    const Matrix u = modes.u * turn, v = modes.v * turn;
    const Typicality one = typicality(d, modes.u, modes.v, modes.group, 0.5),
                     other = typicality(d, u, v, modes.group, 0.5);
    // Everything grows, animals move, and "fly" is the first of four alike.
    CHECK(other.group_feature == std::vector<std::int64_t>{0, 1, 3});
    CHECK(one.group_feature == other.group_feature);
    // The canary flies, oak and rose are neither here nor there, the salmon does not.
    const std::vector<std::int64_t> third(other.group_order.begin() + 8, other.group_order.end());
    CHECK(third.front() == 0);
    CHECK(third.back() == 1);
    for (const Typicality* t : {&one, &other}) {
        CHECK(std::isfinite(t->group_answer_time(2, 0)));
        CHECK(std::isfinite(t->group_answer_time(1, 1)));
        CHECK(std::isnan(t->group_answer_time(1, 2))); // an oak does not move
        CHECK(t->group_answer_time(0, 3) == t->answer_time(0, 3));
    }
    CHECK(one.group_answer_time(2, 0) == other.group_answer_time(2, 0));
}

TEST_CASE("development: hidden similarity of small and of large networks", "[lindyn]") {
    const Matrix u = orthonormal(6, 3, 11), v = orthonormal(5, 3, 12);
    const Vector a = Eigen::Vector3d(3, 2, 1), root = a.cwiseSqrt();
    std::vector<Layers> networks;
    for (const std::uint64_t seed : {13, 14}) {
        const Matrix r = orthonormal(7, 3, seed);
        networks.push_back(
            {r * root.asDiagonal() * v.transpose(), u * root.asDiagonal() * r.transpose()});
    }
    // The same map from other layers.
    const Matrix g = normal(7, 7, 15);
    networks.push_back({g * networks[0][0], networks[0][1] * g.inverse()});
    const NeuralSimilarity s = compare_networks(networks);
    CHECK_THAT(s.gram_correlation(0, 1), WithinAbs(1, 1e-12));
    CHECK(s.gram_difference(0, 1) < 1e-12);
    CHECK(s.root_law.head(2).maxCoeff() < 1e-12);
    CHECK(s.root_law(2) > 0.1);
    CHECK(s.map_difference(0, 2) < 1e-10);
    CHECK(s.gram_difference(0, 2) > 0.3);
    CHECK(s.distance_correlation(0, 2) < 0.99);
    CHECK_THROWS_AS(compare_networks({networks[0]}), Error);
    CHECK_THROWS_AS(compare_networks({networks[0], {Matrix::Ones(2, 4), Matrix::Ones(6, 2)}}),
                    Error);
}

TEST_CASE("development: hidden similarity of deep balanced networks is a root of the outputs'",
          "[lindyn]") {
    const std::size_t depth = GENERATE(1U, 3U, 4U);
    const Vector a = Eigen::Vector3d(3, 2, 1),
                 root = a.array().pow(1.0 / static_cast<double>(depth));
    std::vector<Layers> networks(3);
    for (std::size_t k = 0; k < 3; ++k) {
        Matrix below = orthonormal(5, 3, 12);
        for (std::size_t l = 1; l <= depth; ++l) {
            const Matrix above =
                orthonormal(l == depth ? 6 : 7, 3, l == depth ? 11 : 20 + 9 * k + l);
            networks[k].push_back(above * root.asDiagonal() * below.transpose());
            below = above;
        }
    }
    // The same map, the first layer larger and the last smaller.
    networks[2].front() *= 1.5;
    networks[2].back() /= 1.5;
    const NeuralSimilarity s = compare_networks(networks);
    CHECK(s.gram_difference(0, 1) < 1e-12);
    CHECK(s.root_law.head(2).maxCoeff() < 1e-12);
    if (depth > 1)
        CHECK_THAT(s.root_law(2),
                   WithinAbs(std::pow(1.5, 2 * static_cast<double>(depth)) - 1, 1e-10));
}

TEST_CASE("coherence: threshold, overlaps and a table", "[lindyn]") {
    const Coherence strong = predict_coherence({60, 80, 0.8}, 0.2, 1000, 1600);
    CHECK_THAT(strong.snr, WithinAbs(8.54, 0.005));
    CHECK_THAT(strong.singular_value, WithinAbs(3.681, 0.001));
    CHECK_THAT(strong.overlap_feature, WithinAbs(0.859, 0.001));
    CHECK_THAT(strong.overlap_item, WithinAbs(0.903, 0.001));
    const Coherence weak = predict_coherence({40, 60, 0.5}, 0.2, 1000, 1600);
    CHECK_THAT(weak.snr, WithinAbs(1.07, 0.005));
    CHECK_THAT(weak.overlap_feature, WithinAbs(0.056, 0.001));
    CHECK_THAT(weak.overlap_item, WithinAbs(0.070, 0.001));
    const Coherence none = predict_coherence({40, 60, 0.4}, 0.2, 1000, 1600);
    CHECK_THAT(none.snr, WithinAbs(0.47, 0.005));
    CHECK(none.overlap_item == 0);
    CHECK_THAT(none.singular_value, WithinRel(1 + std::sqrt(1.6), 1e-12));

    // Two blocks without noise inside, on a regular background.
    Matrix table(40, 30);
    std::vector<std::int64_t> item(30, -1), feature(40, -1);
    for (Index m = 0; m < 40; ++m)
        for (Index i = 0; i < 30; ++i) table(m, i) = (3 * m + 5 * i) % 7 == 0 ? 1 : 0;
    for (std::size_t i = 0; i < 10; ++i) item[i] = i < 6 ? 1 : 0;
    for (std::size_t m = 0; m < 24; ++m) feature[m] = m < 14 ? 1 : 0;
    table.block(0, 0, 14, 6).setOnes();
    table.block(14, 6, 10, 4).setOnes();
    const CoherenceReport report = judge_categories(table, feature, item);
    CHECK(report.categories[1].items == 6);
    CHECK(report.categories[1].features == 14);
    CHECK(report.categories[0].probability == 1);
    const double inside = 14 * 6 + 10 * 4, outside = 40 * 30 - inside;
    CHECK_THAT(report.background, WithinRel((table.sum() - inside) / outside, 1e-12));
    CHECK(report.mode == std::vector<std::int64_t>{1, 0});
    CHECK(report.observed[1].overlap_item > 0.9);
    CHECK_THROWS_WITH(judge_categories(table, item, item), Contains("30 categories of features"));
    feature.assign(40, -1);
    CHECK_THROWS_WITH(judge_categories(table, feature, item),
                      Contains("has no items or no features"));
}

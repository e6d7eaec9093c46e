// Layers of a network under alignment rules, against explicit matrices of small convolutions and
// Jacobians by finite differences.
#include <assay/core/error.hpp>
#include <assay/lindyn/stability_study.hpp>

#include <Eigen/Dense>
#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace assay;
using namespace assay::lindyn;

namespace {

constexpr const char* kNet = R"({"format": "assay-architecture/1",
  "input": {"shape": [1, 5, 4], "axes": ["channel", "height", "width"]},
  "layers": [
    {"name": "first", "type": "conv2d", "filters": 2, "kernel": 3, "padding": "same"},
    {"name": "bend", "type": "activation", "function": "tanh"},
    {"name": "conv", "type": "conv2d", "filters": 3, "kernel": [3, 2], "stride": [2, 1],
     "padding": [[1, 1], [0, 1]]},
    {"name": "bend2", "type": "activation", "function": "tanh"},
    {"name": "flat", "type": "flatten"},
    {"name": "out", "type": "dense", "units": 3}]})";

std::vector<double> normals(Index count, unsigned seed, double scale) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal(0, scale);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& v : values) v = normal(engine);
    return values;
}

RowMatrix gaussian_rows(Index rows, Index cols, unsigned seed) {
    const auto values = normals(rows * cols, seed, 1);
    return Eigen::Map<const RowMatrix>(values.data(), rows, cols);
}

// Output 3 x 4 of the second convolution: (5 + 2 - 3)/2 + 1 rows, 4 + 1 - 2 + 1 columns.
network::Model model() {
    return {kNet,
            {{"first", "weight", {2, 1, 3, 3}, normals(18, 1, 0.5)},
             {"first", "bias", {2}, normals(2, 2, 0.3)},
             {"conv", "weight", {3, 2, 3, 2}, normals(36, 3, 0.4)},
             {"conv", "bias", {3}, normals(3, 4, 0.3)},
             {"out", "weight", {3, 36}, normals(108, 5, 0.3)},
             {"out", "bias", {3}, normals(3, 6, 0.3)}},
            {}};
}

network::Samples samples(Index count) {
    network::Samples s;
    s.input_shape = {1, 5, 4};
    s.inputs = gaussian_rows(count, 20, 7);
    for (Index i = 0; i < count; ++i) s.classes.push_back(i % 3);
    return s;
}

// Patches of "conv" by literal loops: (samples x positions) x (channel, row, column).
Matrix patches_of(const RowMatrix& x) {
    Matrix patches = Matrix::Zero(x.rows() * 12, 12);
    for (Index n = 0; n < x.rows(); ++n)
        for (Index i = 0; i < 3; ++i)
            for (Index j = 0; j < 4; ++j)
                for (Index c = 0; c < 2; ++c)
                    for (Index a = 0; a < 3; ++a)
                        for (Index b = 0; b < 2; ++b) {
                            const Index row = 2 * i + a - 1, col = j + b;
                            if (row >= 0 && row < 5 && col < 4)
                                patches(n * 12 + i * 4 + j, (c * 3 + a) * 2 + b) =
                                    x(n, (c * 5 + row) * 4 + col);
                        }
    return patches;
}

// The matrix of an operator on arrays of a shape.
Matrix explicit_matrix(const std::function<Matrix(const Matrix&)>& apply, Index rows, Index cols) {
    Matrix whole(rows * cols, rows * cols);
    for (Index i = 0; i < whole.cols(); ++i) {
        Matrix unit = Matrix::Zero(rows, cols);
        unit.data()[i] = 1;
        const Matrix product = apply(unit);
        whole.col(i) = Eigen::Map<const Vector>(product.data(), product.size());
    }
    return whole;
}

} // namespace

TEST_CASE("a convolution's alignment equals explicit patches", "[lindyn][stability]") {
    const network::Samples data = samples(40);
    const NetworkLayers found = feedback_layers(model(), data, true, {});
    REQUIRE(found.layers.size() == 2);
    CHECK(found.left_out.empty());
    const NetworkLayer& conv = found.layers[0];
    CHECK(conv.feedback.name == "conv");
    CHECK(conv.inputs.cols() == 40);
    CHECK(found.layers[1].feedback.name == "out");
    const Matrix patches = patches_of(conv.inputs), w = conv.feedback.weight;
    const Matrix y = (patches * w.transpose()).rowwise() + conv.feedback.bias.transpose();
    const Projection& p = *conv.feedback.projection;
    CHECK(p.positions() == 12);
    CHECK(p.inputs() == 12);
    const Coefficients c{0.8, 0.3, 0, 0.4, 0};
    const AlignmentSystem system =
        sampled_system(conv.feedback, c, conv.inputs, {false, false, false}, {});
    CHECK((system.drive - 0.8 * y.transpose() * patches / 40).norm() < 1e-12);
    const Matrix b = gaussian_rows(3, 12, 8);
    CHECK((system.curvature(b) - 0.3 * b - 0.4 * b * patches.transpose() * patches / 40).norm() <
          1e-12);
    const double xx =
        Eigen::SelfAdjointEigenSolver<Matrix>(Matrix(patches.transpose() * patches / 480))
            .eigenvalues()(11);
    const AlignmentSystem sparse =
        sampled_system(conv.feedback, {0, 0, 0, 1, 0}, conv.inputs, {true, false, false}, {});
    CHECK(std::abs(largest_curvature(sparse, 1).value - xx) < 1e-8 * xx);
    // null: its Hessian by the definition, |r|^2 with r the patches of y B added up where they lie.
    const AlignmentSystem null =
        sampled_system(conv.feedback, {0, 0, 1, 0, 0}, conv.inputs, {}, {});
    const Matrix hessian = explicit_matrix(null.curvature, 3, 12);
    CHECK((hessian - hessian.transpose()).norm() < 1e-12 * hessian.norm());
    const auto power = [&](const Matrix& at) {
        RowMatrix r = RowMatrix::Zero(40, 40);
        const Matrix back = y * at;
        for (Index k = 0; k < 12; ++k) { // the adjoint of patches_of, element by element
            RowMatrix unit = RowMatrix::Zero(1, 40);
            for (Index cell = 0; cell < 40; ++cell) {
                unit.setZero();
                unit(0, cell) = 1;
                const Matrix where = patches_of(unit);
                for (Index position = 0; position < 12; ++position)
                    if (where(position, k) != 0)
                        for (Index n = 0; n < 40; ++n) r(n, cell) += back(n * 12 + position, k);
            }
        }
        return r.squaredNorm() / 40;
    };
    const Vector flat = Eigen::Map<const Vector>(b.data(), b.size());
    CHECK(std::abs(flat.dot(hessian * flat) - power(b)) < 1e-10 * power(b));
    const double top = Eigen::SelfAdjointEigenSolver<Matrix>(hessian).eigenvalues()(35);
    CHECK(std::abs(largest_curvature(null, 1).value - top) < 1e-7 * top);
    // The taper against that of its axes.
    const Taper taper = taper_of({{5, 3, 2, 1, 1, 1}, {4, 2, 1, 0, 1, 1}});
    for (Index k = 0; k < 12; ++k)
        CHECK(std::abs(conv.feedback.taper(1, k) - taper.kept(k % 6)) < 1e-14);
    CHECK(std::abs(conv.noise_share(3 * 4 + 1) - taper.noise(4)) < 1e-14);
    CHECK(found.layers[1].feedback.taper.size() == 0);
}

TEST_CASE("the mirror of a convolution ends where theory says", "[lindyn][stability]") {
    const NetworkLayers found = feedback_layers(model(), samples(40), true, {});
    StabilitySettings s;
    s.alignment.rule = AlignmentRule::wm;
    s.alignment.coefficients = usual_coefficients(AlignmentRule::wm);
    s.options.spatial_mean = true;
    s.steps = 400;
    s.repeats = 24;
    s.alignment.batch = 8;
    for (const bool compensate : {false, true}) {
        s.options.compensate = compensate;
        const LayerStability conv = study_layer(found.layers[0], 0, s, {});
        CHECK(conv.eta_critical == 2);
        CHECK(conv.taper_angle > 5);
        CHECK((conv.structural_angle > 5) != compensate);
        const double drawn = conv.angle_drawn.mean.tail(200).mean();
        CHECK(std::abs(drawn - conv.angle) < 0.06 * conv.angle);
        CHECK(std::abs(conv.norm_ratio_drawn.mean.tail(200).mean() - conv.norm_ratio) <
              0.03 * conv.norm_ratio);
    }
    const LayerStability out = study_layer(found.layers[1], 1, s, {});
    CHECK(std::abs(out.angle_drawn.mean.tail(200).mean() - out.angle) < 0.03 * out.angle);
    for (const Index t : {3, 10, 40})
        CHECK(std::abs(out.angle_drawn.mean(t) - out.angle_curve(t)) <
              5 * out.angle_drawn.error(t) + 0.5);
}

TEST_CASE("the task's curvature is that of the pseudo-gradient", "[lindyn][stability]") {
    constexpr const char* kChain = R"({"format": "assay-architecture/1", "input": {"shape": [4]},
      "layers": [{"name": "a", "type": "dense", "units": 5},
                 {"name": "t", "type": "activation", "function": "tanh"},
                 {"name": "b", "type": "dense", "units": 4},
                 {"name": "u", "type": "activation", "function": "tanh"},
                 {"name": "c", "type": "dense", "units": 2}]})";
    const network::Model net{kChain,
                             {{"a", "weight", {5, 4}, normals(20, 11, 0.6)},
                              {"a", "bias", {5}, normals(5, 12, 0.3)},
                              {"b", "weight", {4, 5}, normals(20, 13, 0.6)},
                              {"b", "bias", {4}, normals(4, 14, 0.3)},
                              {"c", "weight", {2, 4}, normals(8, 15, 0.6)},
                              {"c", "bias", {2}, normals(2, 16, 0.3)}},
                             {}};
    network::Samples data;
    data.input_shape = {4};
    data.inputs = gaussian_rows(300, 4, 17); // two blocks
    const auto matrix = [](const network::ParameterArray& a) {
        return Matrix(Eigen::Map<const RowMatrix>(a.values.data(), a.shape[0], a.shape[1]));
    };
    const Matrix fb = matrix(net.parameters[2]) + 0.3 * Matrix(gaussian_rows(4, 5, 18)),
                 fc = matrix(net.parameters[4]) + 0.3 * Matrix(gaussian_rows(2, 4, 19));
    // The pseudo-gradient of half the squared error with literal products; the flat parameters in
    // the model's order, row by row.
    Vector theta(59);
    Index at = 0;
    for (const auto& a : net.parameters)
        for (const double v : a.values) theta(at++) = v;
    RowMatrix targets;
    const auto pseudo = [&](const Vector& p) {
        const auto w = [&](Index offset, Index rows, Index cols) {
            return Matrix(Eigen::Map<const RowMatrix>(p.data() + offset, rows, cols));
        };
        const Matrix wa = w(0, 5, 4), wb = w(25, 4, 5), wc = w(49, 2, 4);
        const Matrix x = data.inputs;
        const Matrix h1 =
            ((x * wa.transpose()).rowwise() + p.segment(20, 5).transpose()).array().tanh().matrix();
        const Matrix h2 = ((h1 * wb.transpose()).rowwise() + p.segment(45, 4).transpose())
                              .array()
                              .tanh()
                              .matrix();
        const Matrix z = (h2 * wc.transpose()).rowwise() + p.segment(57, 2).transpose();
        if (targets.size() == 0) targets = z;
        const Matrix d3 = (z - targets) / 300;
        const Matrix d2 = ((d3 * fc).array() * (1 - h2.array().square())).matrix();
        const Matrix d1 = ((d2 * fb).array() * (1 - h1.array().square())).matrix();
        Vector g(59);
        const auto put = [&](Index offset, const RowMatrix& m) {
            g.segment(offset, m.size()) = Eigen::Map<const Vector>(m.data(), m.size());
        };
        put(0, d1.transpose() * x);
        put(20, d1.colwise().sum());
        put(25, d2.transpose() * h1);
        put(45, d2.colwise().sum());
        put(49, d3.transpose() * h2);
        put(57, d3.colwise().sum());
        return g;
    };
    static_cast<void>(pseudo(theta)); // targets are the outputs: a solution
    Matrix jacobian(59, 59);
    for (Index i = 0; i < 59; ++i) {
        Vector up = theta, down = theta;
        up(i) += 1e-5;
        down(i) -= 1e-5;
        jacobian.col(i) = (pseudo(up) - pseudo(down)) / 2e-5;
    }
    const auto values = Eigen::EigenSolver<Matrix>(jacobian).eigenvalues().eval();
    Index largest = 0;
    values.cwiseAbs().maxCoeff(&largest);
    data.values = targets;
    data.target_shape = {2};
    Execution run;
    run.threads = 2;
    const TaskCurvature found = task_curvature(net, data, {network::LossKind::half_squared_error},
                                               {{"b", fb}, {"c", fc}}, 3, run);
    CHECK(std::abs(found.value.real() - values(largest).real()) < 1e-6 * std::abs(values(largest)));
    CHECK(found.residual < 1e-7);
    CHECK_THROWS_AS(
        task_curvature(net, data, {network::LossKind::half_squared_error}, {{"b", fc}}, 3, run),
        Error);
}

TEST_CASE("errors go back through time by the feedback of recurrent layers", "[lindyn]") {
    const network::Model net{R"({"format": "assay-architecture/1",
      "input": {"shape": [4, 2], "axes": ["time", "feature"]},
      "layers": [{"name": "a", "type": "rnn", "units": 3, "return_sequences": true},
                 {"name": "b", "type": "rnn", "units": 2},
                 {"name": "out", "type": "dense", "units": 1}]})",
                             {{"a", "kernel", {3, 2}, normals(6, 1, 0.7)},
                              {"a", "recurrent", {3, 3}, normals(9, 2, 0.5)},
                              {"a", "bias", {3}, normals(3, 3, 0.3)},
                              {"b", "kernel", {2, 3}, normals(6, 4, 0.7)},
                              {"b", "recurrent", {2, 2}, normals(4, 5, 0.7)},
                              {"b", "bias", {2}, normals(2, 6, 0.3)},
                              {"out", "weight", {1, 2}, normals(2, 7, 1)},
                              {"out", "bias", {1}, {0.1}}},
                             {}};
    constexpr Index kSteps = 4, kSamples = 40;
    network::Samples data;
    data.input_shape = {4, 2};
    data.inputs = gaussian_rows(kSamples, 8, 8);
    const auto near = [&](std::size_t array, unsigned seed) {
        const network::ParameterArray& a = net.parameters[array];
        return Matrix(Eigen::Map<const RowMatrix>(a.values.data(), a.shape[0], a.shape[1]) +
                      0.4 * gaussian_rows(a.shape[0], a.shape[1], seed));
    };
    const Matrix back_ra = near(1, 11), back_kb = near(3, 12), back_rb = near(4, 13),
                 back_out = near(6, 14);
    Vector theta(33);
    Index at = 0;
    for (const auto& a : net.parameters)
        for (const double v : a.values) theta(at++) = v;
    REQUIRE(at == theta.size());
    Vector targets;
    // The pseudo-gradient of half the squared error, sample by sample and step by step.
    const auto pseudo = [&](const Vector& p) {
        const auto w = [&](Index offset, Index rows, Index cols) {
            return Matrix(Eigen::Map<const RowMatrix>(p.data() + offset, rows, cols));
        };
        const Matrix ka = w(0, 3, 2), ra = w(6, 3, 3), kb = w(18, 2, 3), rb = w(24, 2, 2),
                     out = w(30, 1, 2);
        const Vector bias_a = p.segment(15, 3), bias_b = p.segment(28, 2);
        Vector outputs(kSamples), g = Vector::Zero(p.size());
        const auto add = [&](Index offset, const RowMatrix& m) {
            g.segment(offset, m.size()) += Eigen::Map<const Vector>(m.data(), m.size());
        };
        for (Index s = 0; s < kSamples; ++s) {
            Matrix x(2, kSteps), ha = Matrix::Zero(3, kSteps + 1), hb = Matrix::Zero(2, kSteps + 1);
            for (Index t = 0; t < kSteps; ++t) {
                x.col(t) = data.inputs.row(s).segment(2 * t, 2).transpose();
                ha.col(t + 1) = (ka * x.col(t) + ra * ha.col(t) + bias_a).array().tanh();
                hb.col(t + 1) = (kb * ha.col(t + 1) + rb * hb.col(t) + bias_b).array().tanh();
            }
            outputs(s) = (out * hb.col(kSteps))(0) + p(32);
            if (targets.size() == 0) continue;
            const double error = (outputs(s) - targets(s)) / kSamples;
            add(30, error * hb.col(kSteps).transpose());
            g(32) += error;
            Vector into_b = error * back_out.transpose(), into_a = Vector::Zero(3);
            for (Index t = kSteps; t > 0; --t) {
                const Vector db = into_b.array() * (1 - hb.col(t).array().square());
                add(18, db * ha.col(t).transpose());
                add(24, db * hb.col(t - 1).transpose());
                add(28, db);
                into_b = back_rb.transpose() * db;
                into_a += back_kb.transpose() * db;
                const Vector da = into_a.array() * (1 - ha.col(t).array().square());
                add(0, da * x.col(t - 1).transpose());
                add(6, da * ha.col(t - 1).transpose());
                add(15, da);
                into_a = back_ra.transpose() * da;
            }
        }
        if (targets.size() == 0) targets = outputs; // a solution
        return g;
    };
    static_cast<void>(pseudo(theta));
    Matrix jacobian(theta.size(), theta.size());
    for (Index i = 0; i < theta.size(); ++i) {
        Vector up = theta, down = theta;
        up(i) += 1e-5;
        down(i) -= 1e-5;
        jacobian.col(i) = (pseudo(up) - pseudo(down)) / 2e-5;
    }
    const auto values = Eigen::EigenSolver<Matrix>(jacobian).eigenvalues().eval();
    Index largest = 0;
    values.cwiseAbs().maxCoeff(&largest);
    data.values = targets;
    data.target_shape = {1};
    const std::vector<LayerFeedback> feedback{{"a", back_ra, "recurrent"},
                                              {"b", back_kb, "kernel"},
                                              {"b", back_rb, "recurrent"},
                                              {"out", back_out}};
    const network::Loss loss{network::LossKind::half_squared_error};
    const TaskCurvature found = task_curvature(net, data, loss, feedback, 3, {});
    CHECK(std::abs(found.value.real() - values(largest).real()) < 1e-6 * std::abs(values(largest)));
    CHECK(found.residual < 1e-7);
    // Feedback through time is not the same as the layers' own arrays.
    const TaskCurvature dense = task_curvature(net, data, loss, {feedback.back()}, 3, {});
    CHECK(std::abs(dense.value - found.value) > 1e-3 * std::abs(found.value));
    CHECK_THROWS_AS(task_curvature(net, data, loss, {{"b", back_kb, "recurrent"}}, 3, {}), Error);
}

TEST_CASE("arrays of a recurrent layer see its inputs and its states", "[lindyn]") {
    const bool sequences = GENERATE(true, false);
    const std::string text = std::string(R"({"format": "assay-architecture/1",
      "input": {"shape": [4, 3], "axes": ["time", "feature"]},
      "layers": [{"name": "cell", "type": "rnn", "units": 2, "return_sequences": )") +
                             (sequences ? "true" : "false") + R"(},
                 {"name": "out", "type": "dense", "units": 1}]})";
    const network::Model net{text,
                             {{"cell", "kernel", {2, 3}, normals(6, 1, 0.6)},
                              {"cell", "recurrent", {2, 2}, normals(4, 2, 0.6)},
                              {"cell", "bias", {2}, normals(2, 3, 0.3)},
                              {"out", "weight", {1, 2}, normals(2, 4, 1)},
                              {"out", "bias", {1}, {0}}},
                             {}};
    network::Samples s;
    s.input_shape = {4, 3};
    s.inputs = gaussian_rows(5, 12, 6);
    s.lengths = {4, 4, 2, 4, 4};
    const NetworkLayers found = feedback_layers(net, s, true, {});
    // The cell is the first layer: errors go through its recurrent matrix alone, and `out`.
    REQUIRE(found.layers.size() == 2);
    const NetworkLayer& cell = found.layers[0];
    CHECK(cell.feedback.name == "cell.recurrent");
    CHECK(found.layers[1].feedback.name == "out");
    CHECK(found.left_out.empty());
    const auto kernel = Eigen::Map<const RowMatrix>(net.parameters[0].values.data(), 2, 3);
    const auto recurrent = Eigen::Map<const RowMatrix>(net.parameters[1].values.data(), 2, 2);
    const auto bias = Eigen::Map<const Vector>(net.parameters[2].values.data(), 2);
    CHECK(cell.feedback.weight == Matrix(recurrent));
    REQUIRE(cell.inputs.rows() == 18);
    Index row = 0;
    for (Index b = 0; b < 5; ++b) {
        Vector h = Vector::Zero(2);
        for (Index t = 0; t < s.lengths[std::size_t(b)]; ++t) {
            CHECK((cell.inputs.row(row++).transpose() - h).norm() < 1e-14);
            const Vector x = s.inputs.row(b).segment(3 * t, 3).transpose();
            h = (kernel * x + recurrent * h + bias).array().tanh();
        }
    }
    // As any other array: in the end a mirror of noise is rho W.
    StabilitySettings settings;
    settings.alignment.coefficients = usual_coefficients(AlignmentRule::wm);
    const LayerStability end = study_layer(cell, 0, settings, {});
    CHECK(angle_between(end.feedback, Matrix(recurrent)) < 1e-5);
    CHECK(end.lambda_xx > 0);
}

TEST_CASE("what stands behind a sample's last step does not matter", "[lindyn]") {
    const network::Model net{R"({"format": "assay-architecture/1",
      "input": {"shape": [4, 3], "axes": ["time", "feature"]},
      "layers": [{"name": "back", "type": "reverse"},
                 {"name": "cell", "type": "rnn", "units": 2, "return_sequences": false},
                 {"name": "out", "type": "dense", "units": 1}]})",
                             {{"cell", "kernel", {2, 3}, normals(6, 1, 0.6)},
                              {"cell", "recurrent", {2, 2}, normals(4, 2, 0.6)},
                              {"cell", "bias", {2}, normals(2, 3, 0.3)},
                              {"out", "weight", {1, 2}, normals(2, 4, 1)},
                              {"out", "bias", {1}, {0}}},
                             {}};
    const auto kernel = Eigen::Map<const RowMatrix>(net.parameters[0].values.data(), 2, 3);
    const auto recurrent = Eigen::Map<const RowMatrix>(net.parameters[1].values.data(), 2, 2);
    const auto bias = Eigen::Map<const Vector>(net.parameters[2].values.data(), 2);
    network::Samples s;
    s.input_shape = {4, 3};
    s.inputs = gaussian_rows(5, 12, 6);
    s.lengths = {4, 1, 2, 4, 3};
    for (const double padding : {0.0, 7.0}) {
        for (Index b = 0; b < 5; ++b)
            s.inputs.row(b).tail(12 - 3 * s.lengths[std::size_t(b)]).setConstant(padding);
        const NetworkLayers found = feedback_layers(net, s, true, {});
        REQUIRE(found.layers.size() == 2);
        const RowMatrix &states = found.layers[0].inputs, &last = found.layers[1].inputs;
        REQUIRE(states.rows() == 14);
        Index row = 0;
        for (Index b = 0; b < 5; ++b) {
            Vector h = Vector::Zero(2);
            for (Index t = s.lengths[std::size_t(b)]; t-- > 0;) {
                CHECK((states.row(row++).transpose() - h).norm() < 1e-14);
                const Vector x = s.inputs.row(b).segment(3 * t, 3).transpose();
                h = (kernel * x + recurrent * h + bias).array().tanh();
            }
            CHECK((last.row(b).transpose() - h).norm() < 1e-14);
        }
    }
}

TEST_CASE("what sampling adds to the feedback of a convolution, beside drawn runs", "[lindyn]") {
    const NetworkLayers found = feedback_layers(model(), samples(6), false, {});
    StabilitySettings s;
    s.alignment.rule = AlignmentRule::ia;
    s.alignment.coefficients = usual_coefficients(AlignmentRule::ia);
    s.alignment.rate = 0.06;
    s.alignment.batch = 1;
    s.options.spatial_mean = true;
    s.probe = 1024;
    s.draws = 24;
    s.steps = 300;
    s.repeats = 10;
    const NetworkLayer& conv = found.layers[0];
    REQUIRE(conv.feedback.projection->positions() > 1);
    const LayerStability told = study_layer(conv, 0, s, {});
    CHECK(told.sampling_power > 0);
    CHECK(told.sampling_error < 0.2 * told.sampling_power);
    // Means over the last half of the runs.
    const double drawn = told.angle_drawn.mean.tail(200).mean(),
                 ratio = told.norm_ratio_drawn.mean.tail(200).mean();
    CHECK(std::abs(told.angle - drawn) < 0.05 * drawn);
    CHECK(std::abs(told.norm_ratio - ratio) < 0.02 * ratio);
    CHECK(told.structural_angle < 0.9 * drawn); // which it is about
}

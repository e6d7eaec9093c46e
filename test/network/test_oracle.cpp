// Networks, losses and their derivatives against the oracle of test/reference (PyTorch's double
// autograd beside a second implementation in numpy).
#include <assay/network/network_io.hpp>
#include <assay/network/objective.hpp>

#include <catch2/catch.hpp>
#include <network/oracle.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <map>
#include <string>

using namespace assay;
using namespace assay::network;
using Eigen::Index;
using network_test::kOracleFile;
using network_test::rows_of;

namespace {

// A tree of arrays laid out like the weights.
Model tree(const hdf5::Group& group, const std::string& path, const Model& like) {
    Model model = like;
    for (auto& array : model.parameters) {
        const std::string at = path + "/" + array.layer + "/" + array.name;
        array.values = group.has_dataset(at) ? group.dataset(at).read<double>()
                                             : std::vector<double>(array.values.size(), 0.0);
    }
    return model;
}

double relative(const RowMatrix& found, const RowMatrix& expected) {
    REQUIRE(found.rows() == expected.rows());
    REQUIRE(found.cols() == expected.cols());
    if (expected.size() == 0) return 0;
    return (found - expected).cwiseAbs().maxCoeff() /
           std::max(1e-3, expected.cwiseAbs().maxCoeff());
}

struct Case {
    Model model;
    Samples samples;
    Loss loss;
    ObjectiveOptions options;
};

Case read_case(const hdf5::Group& group) {
    Case c;
    c.model = read_model(group);
    c.model.architecture = *group.text_attribute("architecture");
    c.samples = read_samples(group);
    // The file's int32 targets of sequences of classes, and values of any rank.
    c.loss = loss_of(*group.text_attribute("loss"));
    if (const auto options = group.text_attribute("loss_options")) {
        const auto json = nlohmann::json::parse(*options);
        if (json.contains("epsilon")) c.loss.epsilon = json["epsilon"];
        if (json.contains("l2"))
            for (const auto& [name, strength] : json["l2"].items())
                c.options.l2.push_back({name, strength});
    }
    if (group.text_attribute("mode").value_or("") == "training") c.options.mode = Mode::training;
    return c;
}

template <class S>
void check_case(const std::string& name, double tolerance) {
    CAPTURE(name);
    const auto file = hdf5::File::open(kOracleFile, "oracle");
    const auto group = file.root().group("/cases/" + name);
    const Case c = read_case(group);
    const hdf5::Dataset inputs = group.dataset("inputs");
    Samples samples = c.samples;
    const Network<S> network(c.model.architecture);
    const Weights<S> weights = network.load(c.model);
    Objective<S> objective(network, samples, c.loss, c.options, name);
    objective.set_weights(weights);
    const Execution run{2, &silent_monitor()};
    const Index batch = samples.count();

    const auto as_double = [](const auto& m) { return RowMatrix(m.template cast<double>()); };
    // Entries after a sequence's end mean nothing: compared only where valid.
    const TensorInfo& output = network.output();
    RowMatrix valid = RowMatrix::Ones(batch, output.size());
    if (output.sequence && !samples.lengths.empty())
        for (Index b = 0; b < batch; ++b) {
            const Index columns = output.size() / output.shape[0];
            const Index end = samples.lengths[static_cast<std::size_t>(b)] * columns;
            valid.row(b).tail(output.size() - end).setZero();
        }
    const RowMatrix outputs = as_double(objective.outputs(run)).cwiseProduct(valid);
    CHECK(relative(outputs, rows_of(group.dataset("outputs"), batch)) < tolerance);
    const double expected_loss = group.dataset("loss").read<double>()[0];
    CHECK(std::abs(objective.value(run).loss - expected_loss) <
          tolerance * std::max(1.0, std::abs(expected_loss)));

    const auto flat = [&](const std::string& path) {
        return RowMatrix(network.load(tree(group, path, c.model)).trained.template cast<double>());
    };
    const Column<S> direction = network.load(tree(group, "direction", c.model)).trained;
    typename Objective<S>::Value value;
    const RowMatrix gradient = as_double(objective.gradient(run, &value));
    CHECK(relative(gradient, flat("gradient")) < tolerance);
    CHECK(std::abs(value.loss - expected_loss) <
          tolerance * std::max(1.0, std::abs(expected_loss)));
    // Two directions at once, in both places.
    Columns<S> both(direction.size(), 2);
    both.col(0) = direction;
    both.col(1) = S(-2) * direction;
    for (const auto& [kind, path] :
         {std::pair{Curvature::hessian, "Hv"}, std::pair{Curvature::gauss_newton, "GGNv"}}) {
        if (!group.has_group(path)) continue;
        CAPTURE(path);
        const RowMatrix products = as_double(objective.curvature_products(kind, both, run));
        CHECK(relative(products.col(0), flat(path)) < 10 * tolerance);
        CHECK(relative(products.col(1), -2 * flat(path)) < 10 * tolerance);
    }
    if (group.has_dataset("per_sample_gradient_norms")) {
        RowMatrix norms(batch, 1);
        objective.sample_gradients(2, run, [&](Index first, const Columns<S>& g) {
            for (Index i = 0; i < g.cols(); ++i)
                norms(first + i, 0) = g.col(i).template cast<double>().norm();
        });
        CHECK(relative(norms, rows_of(group.dataset("per_sample_gradient_norms"), batch)) <
              tolerance);
    }

    // A pass by hand: Jv, vJ, derivatives with respect to the input and inner layers.
    std::vector<Index> all(static_cast<std::size_t>(batch));
    for (Index i = 0; i < batch; ++i) all[static_cast<std::size_t>(i)] = i;
    const Batch<S> rows = make_batch<S>(samples, all, output);
    PassInfo info;
    info.mode = c.options.mode;
    if (!rows.lengths.empty()) info.lengths = &rows.lengths;
    Pass<S> pass(network);
    pass.forward(weights, rows.inputs, info);
    const RowMatrix tangent = as_double(pass.tangent(direction, 1)).cwiseProduct(valid);
    CHECK(relative(tangent, rows_of(group.dataset("Jv"), batch)) < tolerance);
    const Rows<S> cotangent = rows_of(group.dataset("cotangent"), batch).cast<S>();
    pass.backward(cotangent, true);
    Column<S> adjoint = Column<S>::Zero(network.parameter_count());
    pass.add_gradient(adjoint.data());
    CHECK(relative(as_double(adjoint), flat("vJ")) < tolerance);
    if (group.has_dataset("input_vJ")) {
        CHECK(relative(as_double(pass.cotangent(0)), rows_of(group.dataset("input_vJ"), batch)) <
              tolerance);
        const Rows<S> moved = rows_of(group.dataset("input_direction"), batch).cast<S>();
        CHECK(relative(as_double(pass.tangent(Columns<S>(), 1, {{0, &moved}})),
                       rows_of(group.dataset("input_Jv"), batch)) < tolerance);
    }
    Rows<S> loss_gradient;
    loss_cotangent(c.loss, pass.activation(network.output_node()), rows,
                   1 / counted_rows(samples, output), loss_gradient);
    pass.backward(loss_gradient, true);
    if (group.has_dataset("input_gradient"))
        CHECK(relative(as_double(pass.cotangent(0)),
                       rows_of(group.dataset("input_gradient"), batch)) < tolerance);
    if (group.has_dataset("input_gradient_tangent")) {
        const Rows<S> dz = pass.tangent(direction, 1);
        Rows<S> moved;
        loss_curvature(c.loss, pass.activation(network.output_node()), rows,
                       1 / counted_rows(samples, output), dz, moved);
        pass.backward_tangent(moved);
        CHECK(relative(as_double(pass.cotangent_tangent(0)),
                       rows_of(group.dataset("input_gradient_tangent"), batch)) < 10 * tolerance);
    }
    if (group.has_group("activation"))
        for (const auto& layer : group.group("activation").names()) {
            CAPTURE(layer);
            const Index node = *network.find_node(layer);
            CHECK(relative(as_double(pass.activation(node)),
                           rows_of(group.dataset("activation/" + layer), batch)) < tolerance);
            CHECK(relative(as_double(pass.cotangent(node)),
                           rows_of(group.dataset("activation_gradient/" + layer), batch)) <
                  tolerance);
            const Rows<S> moved =
                rows_of(group.dataset("activation_direction/" + layer), batch).cast<S>();
            CHECK(relative(as_double(pass.tangent(Columns<S>(), 1, {{node, &moved}})),
                           rows_of(group.dataset("activation_Jv/" + layer), batch)) < tolerance);
        }
    if (group.has_dataset("hessian")) {
        const Columns<S> eye = Columns<S>::Identity(direction.size(), direction.size());
        CHECK(relative(as_double(objective.curvature_products(Curvature::hessian, eye, run)),
                       rows_of(group.dataset("hessian"), direction.size())) < 10 * tolerance);
    }
    if (group.has_group("updated")) {
        Weights<S> updated = weights;
        pass.forward(weights, rows.inputs, info);
        pass.update_statistics(updated);
        CHECK(relative(as_double(updated.statistics), network.load(tree(group, "updated", c.model))
                                                          .statistics.template cast<double>()) <
              tolerance);
    }
}

std::vector<std::string> case_names() {
    return hdf5::File::open(kOracleFile, "oracle").root().group("/cases").names();
}

} // namespace

TEST_CASE("networks equal the oracle in double", "[network]") {
    const auto names = case_names();
    REQUIRE(names.size() > 100);
    for (const auto& name : names) check_case<double>(name, 1e-11);
}

TEST_CASE("networks equal the oracle in float", "[network]") {
    for (const auto& name : case_names()) {
        if (name.rfind("kink_", 0) == 0 || name.rfind("extreme_", 0) == 0) continue;
        check_case<float>(name, 2e-4);
    }
}

// Every fixture of test/formats/models is read as its maker says, or refused with one line.
#include <assay/core/error.hpp>
#include <assay/formats/model_file.hpp>
#include <assay/network/network.hpp>
#include <assay/network/time_steps.hpp>

#include <catch2/catch.hpp>
#include <formats/models.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

using namespace assay;

namespace {

using Json = nlohmann::json;

const Json& expected_cases() {
    static const Json kCases = [] {
        std::ifstream in(kModels + "expected.json");
        return Json::parse(in);
    }();
    return kCases;
}

// What several cases share stands in the first of them.
const Json& resolved(const Json& expected, const char* key) {
    const Json& value = expected[key];
    return value.is_number() ? expected_cases()[value.get<std::size_t>()][key] : value;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

formats::ModelOptions options_of(const Json& json) {
    formats::ModelOptions options;
    const std::map<std::string, std::string*> fields{{"architecture", &options.architecture},
                                                     {"key", &options.key},
                                                     {"cell", &options.cell},
                                                     {"keras_backend", &options.keras_backend},
                                                     {"keras1_bn", &options.keras1_bn},
                                                     {"checkpoint", &options.checkpoint}};
    for (const auto& [key, value] : json.items()) {
        if (key == "forget_bias")
            options.forget_bias = value.get<double>();
        else if (key != "treat")
            *fields.at(key) = text_of(value);
        else
            for (const auto& pair : value) options.treat.emplace_back(pair[0], pair[1]);
    }
    return options;
}

void check_array(const network::ParameterArray& found, const Json& expected) {
    CHECK(found.shape == expected["shape"].get<std::vector<Index>>());
    CHECK(found.values == expected["values"].get<std::vector<double>>());
}

void check_weights(const network::Model& model, const Json& expected) {
    std::size_t count = 0;
    for (const auto& layer : expected) count += layer.size();
    CHECK(model.parameters.size() == count);
    for (const auto& found : model.parameters) {
        INFO(found.layer << "/" << found.name);
        REQUIRE(expected.contains(found.layer));
        REQUIRE(expected[found.layer].contains(found.name));
        check_array(found, expected[found.layer][found.name]);
    }
}

void check_notes(const std::vector<std::string>& notes, const Json& expected) {
    for (const auto& words : expected) {
        INFO("a note about " << words);
        CHECK(std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
            return note.find(words.get<std::string>()) != std::string::npos;
        }));
    }
}

network::Rows<double> rows_of(const Json& array) {
    const auto values = array["values"].get<std::vector<double>>();
    const auto count = array["shape"][0].get<Index>();
    return Eigen::Map<const network::Rows<double>>(values.data(), count,
                                                   static_cast<Index>(values.size()) / count);
}

// What the other software makes of some inputs; it ran in float32 here and there.
void check_outputs(const network::Model& model, const Json& input, const Json& output) {
    network::Shape shape = input["shape"].get<network::Shape>();
    shape.erase(shape.begin());
    const network::Network<double> network(network::with_steps_of(model.architecture, shape));
    const network::Weights<double> weights = network.load(model);
    const network::Rows<double> x = rows_of(input), wanted = rows_of(output);
    network::Pass<double> pass(network);
    network::PassInfo info;
    info.samples = x.rows();
    const network::Rows<double>& found = pass.forward(weights, x, info);
    REQUIRE(found.rows() == wanted.rows());
    REQUIRE(found.cols() == wanted.cols());
    CHECK((found - wanted).cwiseAbs().maxCoeff() < 1e-6);
}

void check_case(const formats::OpenedModel& opened, const Json& expected) {
    CHECK(opened.kind == expected["kind"]);
    if (expected["architecture"].is_null())
        CHECK(opened.model.architecture.empty());
    else
        CHECK(Json::parse(opened.model.architecture) == expected["architecture"]);
    check_weights(opened.model, resolved(expected, "weights"));
    Json gates = Json::object();
    for (const auto& one : opened.model.gates) gates[one.layer] = one.gates;
    CHECK(gates == expected["gates"]);
    check_notes(opened.notes, expected["notes"]);
    if (expected.contains("output"))
        check_outputs(opened.model, resolved(expected, "input"), resolved(expected, "output"));
}

} // namespace

TEST_CASE("model fixtures are read or refused as their maker says", "[formats][models]") {
    int read = 0, refused = 0;
    for (const Json& expected : expected_cases()) {
        const std::string file = expected["file"];
        INFO(file << " " << expected["case"]);
        const auto options = options_of(expected["options"]);
        if (expected.contains("says")) {
            const std::string message = model_refusal(kModels + file, options);
            CHECK(message.find(expected["says"].get<std::string>()) != std::string::npos);
            CHECK(message.find(file) != std::string::npos);
            CHECK(message.find('\n') == std::string::npos);
            CAPTURE(message);
            ++refused;
        } else {
            INFO(model_refusal(kModels + file, options));
            check_case(open_model_file(kModels + file, options), expected);
            ++read;
        }
    }
    CHECK(read > 40);
    CHECK(refused > 35);
    // What evil pickles would have made, had they been run.
    CHECK_FALSE(std::ifstream("/tmp/assay-was-here").good());
}

TEST_CASE("a note tells the regularizers of a Keras model", "[formats][models]") {
    const auto& cases = expected_cases();
    const auto found = std::find_if(cases.begin(), cases.end(), [](const Json& one) {
        return one["file"] == "keras2_weights.h5" && !one.contains("says");
    });
    REQUIRE(found != cases.end());
    Json architecture = (*found)["options"]["architecture"];
    const auto notes = [&] {
        formats::ModelOptions options;
        options.architecture = architecture.dump();
        return open_model_file(kModels + "keras2_weights.h5", options).notes;
    };
    CHECK(notes().empty());
    Json& layers = architecture["config"]["layers"];
    const Json second = {{"class_name", "L2"}, {"config", {{"l2", 0.009999999776482582}}}};
    layers.front()["config"]["kernel_regularizer"] = second;
    layers.back()["config"]["kernel_regularizer"] = second;
    layers.back()["config"]["bias_regularizer"] = {{"class_name", "L1L2"},
                                                   {"config", {{"l1", 0.001}, {"l2", 0}}}};
    layers.back()["config"]["activity_regularizer"] = {{"class_name", "L1L2"},
                                                       {"config", {{"l1", 0}, {"l2", 0}}}};
    layers[1]["config"]["W_regularizer"] = {
        {"name", "WeightRegularizer"}, {"l1", 0.0}, {"l2", 0.5}}; // Keras 1
    const std::string end =
        ": a penalty in training, which is left out (see checkpoint train --l2)";
    CHECK(notes() ==
          std::vector<std::string>{"W_regularizer WeightRegularizer (l2 0.5) of norm" + end,
                                   "bias_regularizer L1L2 (l1 0.001) of out" + end,
                                   "kernel_regularizer L2 (l2 0.01) of conv1, out" + end});
}

TEST_CASE("arrays have the types of their numbers in the file", "[formats][models]") {
    struct Known {
        std::string file, array, type;
    };
    for (const auto& known : std::vector<Known>{{"types_zip.pt", "half/weight", "float16"},
                                                {"types_zip.pt", "bfloat/weight", "bfloat16"},
                                                {"types_zip.pt", "double/weight", "float64"},
                                                {"types_zip.pt", "bool/weight", "boolean"},
                                                {"types_stream.pt", "byte/weight", "uint8"},
                                                {"types_stream.pt", "turned/weight", "float32"},
                                                {"types.safetensors", "first/bias", "float32"},
                                                {"types.safetensors", "second/bias", "float16"},
                                                {"types.safetensors", "second/weight", "bfloat16"},
                                                {"types.safetensors", "counts/weight", "int64"},
                                                {"fortran.npz", "", "float32"},
                                                {"tensorflow_gru.npz", "", "float64"},
                                                {"keras1_lstm.h5", "", "float32"},
                                                {"keras2.h5", "", "float32"},
                                                {"keras2_gru.h5", "", "float32"},
                                                {"keras3_gru.keras", "", "float32"}}) {
        CAPTURE(known.file, known.array);
        const auto opened = open_model_file(kModels + known.file);
        if (!known.array.empty()) {
            REQUIRE(opened.types.count(known.array) == 1);
            CHECK(opened.types.at(known.array) == known.type);
            continue;
        }
        // Of all arrays, also where they are turned, stacked or cut on the way.
        CHECK(opened.types.size() == opened.model.parameters.size());
        for (const auto& [name, type] : opened.types) {
            CAPTURE(name);
            CHECK(type == known.type);
        }
    }
}

TEST_CASE("models that others published are read", "[formats][models]") {
    const std::string folder = std::string(ASSAY_SOURCE_DIR) + "/../shared/data/attribute/";
    if (!std::ifstream(folder + "README.md").good()) {
        WARN("no published models beside the source");
        return;
    }
    const auto text_in = [&](const std::string& name) {
        std::ifstream in(folder + name);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    struct Published {
        std::string file, kind, architecture;
        Index numbers; // parameters, from the layer sizes that its authors state
    };
    const std::vector<Published> files{
        {"cifar_torchvision.pt", "torch-stream", "cifar_torchvision.json",
         6 * 75 + 6 + 16 * 150 + 16 + 400 * 120 + 120 + 120 * 84 + 84 + 840 + 10},
        {"california_model.pt", "torch-zip", "california_model.json",
         800 + 100 + 5000 + 50 + 500 + 10 + 10 + 1},
        {"retina_4_2_0.pt", "torch-stream", "retina_4_2_0.json",
         32 * 3 * 81 + 32 + 4 * 32 * 81 + 4},
        {"titanic_model.pt", "torch-stream", "", 144 + 12 + 96 + 8 + 16 + 2},
        {"LeNetWeights.h5", "keras-h5", "LeNetWeights.json",
         25 * 16 + 25 * 16 * 32 + 512 * 240 + 240 * 120 + 1200}};
    for (const auto& published : files) {
        INFO(published.file);
        formats::ModelOptions options;
        if (!published.architecture.empty()) options.architecture = text_in(published.architecture);
        const auto opened = open_model_file(folder + published.file, options);
        CHECK(opened.kind == published.kind);
        CHECK(opened.model.architecture == options.architecture);
        Index numbers = 0;
        for (const auto& p : opened.model.parameters)
            numbers += static_cast<Index>(p.values.size());
        CHECK(numbers == published.numbers);
        for (const auto& note : opened.notes) CHECK(note.find("in order") == std::string::npos);
    }
}

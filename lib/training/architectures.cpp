#include <assay/training/architectures.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace assay::training {
namespace {

constexpr std::array<const char*, 7> kCells{"rnn",   "gru",   "lstm",      "ugrnn",
                                            "janet", "ctrnn", "linear_rnn"};

constexpr double kMostTokens = 1e9;

struct Word {
    std::string kind;
    std::vector<Index> widths;
    std::string activation;
};

bool is_cell(const std::string& kind) {
    return std::find(kCells.begin(), kCells.end(), kind) != kCells.end();
}

[[noreturn]] void refuse_architecture(const std::string& text) {
    throw Error("found '" + printable(text, 60) +
                "'; a file, linear, mlp:W,W[:activation], conv:F,F[:activation] or "
                "rnn|gru|lstm|ugrnn|janet|ctrnn:UNITS[:activation] is expected");
}

Word parse_word(const std::string& text) {
    const auto parts = split(text, ':');
    Word word{parts.at(0), {}, ""};
    if (parts.size() > 3 || (parts.size() < 2 && word.kind != "linear")) refuse_architecture(text);
    if (parts.size() >= 2)
        for (const auto& one : split(parts[1], ',')) {
            const auto width = parse_integer(one);
            if (!width || *width < 1 || *width > (Index{1} << 24)) refuse_architecture(text);
            word.widths.push_back(*width);
        }
    if (parts.size() == 3) word.activation = parts[2];
    return word;
}

std::vector<std::string> axes_for(const NetworkShape& shape) {
    if (shape.input_axes.size() == shape.input_shape.size()) return shape.input_axes;
    switch (shape.input_shape.size()) {
    case 1:
        return {"feature"};
    case 2:
        return {"time", "feature"};
    case 3:
        return {"channel", "height", "width"};
    default:
        return {};
    }
}

void add_dense(Json& layers, const Word& word) {
    int number = 0;
    for (const Index width : word.widths) {
        const std::string suffix = std::to_string(++number);
        layers.push_back({{"name", "hidden" + suffix}, {"type", "dense"}, {"units", width}});
        layers.push_back({{"name", "act" + suffix},
                          {"type", "activation"},
                          {"function", word.activation.empty() ? "relu" : word.activation}});
    }
}

// 3x3 filters, the second and every later layer at stride 2.
void add_convolutions(Json& layers, const Word& word, std::size_t axes) {
    int number = 0;
    for (const Index filters : word.widths) {
        const std::string suffix = std::to_string(++number);
        const Index stride = number == 1 ? 1 : 2;
        layers.push_back({{"name", "conv" + suffix},
                          {"type", concat("conv", axes, "d")},
                          {"filters", filters},
                          {"kernel", std::vector<Index>(axes, 3)},
                          {"stride", std::vector<Index>(axes, stride)},
                          {"padding", "same"}});
        layers.push_back({{"name", "act" + suffix},
                          {"type", "activation"},
                          {"function", word.activation.empty() ? "relu" : word.activation}});
    }
    layers.push_back({{"name", "flat"}, {"type", "flatten"}});
}

void add_cells(Json& layers, const Word& word, bool per_step) {
    int number = 0;
    for (const Index units : word.widths) {
        ++number;
        const bool last = number == static_cast<int>(word.widths.size());
        Json layer{{"name", word.widths.size() == 1 ? "cell" : "cell" + std::to_string(number)},
                   {"type", word.kind == "linear_rnn" ? "linear" : word.kind},
                   {"units", units},
                   {"return_sequences", !last || per_step}};
        if (!word.activation.empty()) layer["activation"] = word.activation;
        if (word.kind == "ctrnn") layer["alpha"] = 0.1;
        layers.push_back(std::move(layer));
    }
}

} // namespace

bool is_architecture_word(const std::string& text) {
    const std::string kind = text.substr(0, text.find(':'));
    return kind == "linear" || kind == "mlp" || kind == "conv" || is_cell(kind);
}

std::string named_architecture(const std::string& text, const NetworkShape& shape) {
    const Word word = parse_word(text);
    Json layers = Json::array();
    const auto axes = axes_for(shape);
    const bool sequence = !axes.empty() && axes[0] == "time";
    if (shape.vocabulary > 0)
        layers.push_back({{"name", "embedding"},
                          {"type", "embedding"},
                          {"vocabulary", shape.vocabulary},
                          {"units", 16}});
    if (is_cell(word.kind)) {
        if (!sequence) throw Error(text + " expects sequences (time, feature)");
        add_cells(layers, word, shape.outputs_per_step);
    } else if (word.kind == "conv") {
        if (shape.input_shape.size() < 2 || sequence)
            throw Error(text + " expects images (channel, space...)");
        add_convolutions(layers, word, shape.input_shape.size() - 1);
    } else {
        if (shape.input_shape.size() > 1 && !shape.outputs_per_step)
            layers.push_back({{"name", "flat"}, {"type", "flatten"}});
        add_dense(layers, word);
    }
    layers.push_back({{"name", "readout"}, {"type", "dense"}, {"units", shape.outputs}});
    Json input{{"shape", shape.input_shape}};
    if (!axes.empty()) input["axes"] = axes;
    return Json{{"format", "assay-architecture/1"},
                {"input", input},
                {"layers", layers},
                {"output", {"readout"}}}
        .dump();
}

NetworkShape shape_of(const network::SampleSource& samples, const Survey& survey) {
    const network::Samples one = network::read_first(samples);
    NetworkShape shape{one.input_shape, one.input_axes, 1, false, 0};
    const bool sequence = !one.input_axes.empty() && one.input_axes[0] == "time";
    if (sequence && one.input_shape.size() == 1 && one.inputs.size() > 0) {
        if (survey.largest_input >= kMostTokens)
            throw Error(concat("the largest token id is ", survey.largest_input, "; ids below ",
                               kMostTokens, " are expected"));
        shape.vocabulary = static_cast<Index>(survey.largest_input) + 1;
    }
    if (!one.classes.empty()) {
        shape.outputs = std::max<Index>(2, survey.largest_class + 1);
        shape.outputs_per_step = one.classes.size() > 1;
    } else if (!one.target_shape.empty()) {
        shape.outputs = one.target_shape.back();
        shape.outputs_per_step = one.target_shape.size() > 1;
    }
    return shape;
}

} // namespace assay::training

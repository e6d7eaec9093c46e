#include <assay/formats/keras_model.hpp>

#include <assay/core/error.hpp>
#include <assay/core/json.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/keras_builder.hpp>
#include <assay/formats/keras_graph.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

namespace assay::formats {
namespace {

using network::Keys;

std::string label(const KerasLayer& layer) {
    return "layer '" + printable(layer.name, 60) + "' (" + printable(layer.class_name, 40) + ")";
}

std::optional<std::string> treatment(const ModelOptions& options, const std::string& class_name) {
    for (const auto& [name, function] : options.treat)
        if (name == class_name) return function;
    return std::nullopt;
}

// --- classes that nobody knows, all of them at once ---

void collect_unknown(const KerasGraph& graph, const ModelOptions& options,
                     std::vector<std::string>& unknown) {
    for (const auto& layer : graph.layers) {
        if (!layer.model.empty())
            collect_unknown(layer.model.front(), options, unknown);
        else if (layer.class_name != "InputLayer" && keras_class(layer.class_name) == nullptr &&
                 !treatment(options, layer.class_name))
            unknown.push_back(label(layer));
    }
}

void refuse_unknown(const KerasGraph& graph, const ModelOptions& options) {
    std::vector<std::string> unknown;
    collect_unknown(graph, options, unknown);
    if (!unknown.empty())
        throw Error(printable(join(unknown, ", "), 300) +
                    (unknown.size() == 1 ? " is of a class that is" : " are of classes that are") +
                    " not known here; --treat CLASS=identity|relu|... names a stand-in");
}

// --- regularizers, which matter to training alone ---

// "L2 (l2 0.01)": class and strengths above 0; empty where there is no penalty.
std::string penalty_text(const Json& regularizer) {
    if (regularizer.is_string()) return printable(regularizer.get<std::string>(), 40);
    if (!regularizer.is_object()) return "";
    const auto member = [&](const char* name) {
        const auto found = regularizer.find(name);
        return found == regularizer.end() ? Json() : *found;
    };
    const bool nested = member("config").is_object(); // not in Keras 1
    const Json config = nested ? member("config") : regularizer;
    const Json kind = nested ? member("class_name") : member("name");
    std::vector<std::string> strengths;
    for (const auto& [name, value] : config.items())
        if (value.is_number() && value != 0)
            strengths.push_back(printable(name, 20) + " " + significant(value.get<double>(), 6));
    if (strengths.empty()) return "";
    return (kind.is_string() ? printable(kind.get<std::string>(), 40) + " " : "") + "(" +
           join(strengths, ", ") + ")";
}

// Layers by what is penalised of them.
using Penalties = std::map<std::string, std::vector<std::string>>;

void collect_penalties(const Json& config, const std::string& layer, Penalties& found) {
    for (const auto& [field, value] : config.items()) {
        if (!ends_with(field, "_regularizer")) {
            if (value.is_structured()) collect_penalties(value, layer, found); // of a wrapped layer
        } else if (const std::string text = penalty_text(value); !text.empty()) {
            found[field + " " + text].push_back(layer);
        }
    }
}

void collect_penalties(const KerasGraph& graph, Penalties& found) {
    for (const auto& layer : graph.layers) {
        if (!layer.model.empty())
            collect_penalties(layer.model.front(), found);
        else
            collect_penalties(*layer.config, printable(layer.name, 60), found);
    }
}

void note_penalties(const KerasGraph& graph, KerasBuilder& builder) {
    Penalties found;
    collect_penalties(graph, found);
    for (const auto& [penalty, layers] : found)
        builder.note(penalty + " of " + printable(join(layers, ", "), 300) +
                     ": a penalty in training, which is left out (see checkpoint train --l2)");
}

// --- the model's input ---

hdf5::Shape shape_field(Keys& keys, const std::string& field) {
    const Json& value = keys.value(field);
    if (!value.is_array() || value.empty()) keys.refuse(field, "expected the shape of a batch");
    hdf5::Shape shape;
    for (std::size_t i = 1; i < value.size(); ++i) { // the first is the batch
        const Json extent{{field, value[i]}};
        shape.push_back(value[i].is_null() ? kUnknownExtent
                                           : Keys(extent, keys.path()).count(field, 1, 1 << 24));
    }
    return shape;
}

std::optional<hdf5::Shape> stated_shape(const Json& config) {
    if (!config.is_object()) return std::nullopt;
    Keys keys(config, "config");
    for (const char* field : {"batch_input_shape", "batch_shape", "build_input_shape"})
        if (keys.has(field)) return shape_field(keys, field);
    return std::nullopt;
}

// Keras 1 lets a dense layer state its inputs, and Keras 3 the whole model.
std::optional<hdf5::Shape> other_shape(const KerasGraph& graph) {
    if (graph.whole->contains("build_config")) {
        Keys keys((*graph.whole)["build_config"], "build_config");
        if (keys.has("input_shape")) return shape_field(keys, "input_shape");
    }
    const KerasLayer& first = graph.layers.front();
    Keys keys(*first.config, "config");
    if (first.class_name == "Dense" && keys.has("input_dim"))
        return hdf5::Shape{keys.count("input_dim", 1, 1 << 24)};
    return std::nullopt;
}

hdf5::Shape input_shape(const KerasGraph& graph) {
    if (const auto shape = stated_shape(*graph.layers.front().config)) return *shape;
    const KerasLayer* first = &graph.layers.front();
    if (!first->model.empty()) return input_shape(first->model.front());
    if (const auto shape = stated_shape(*graph.config)) return *shape;
    if (const auto shape = other_shape(graph)) return *shape;
    throw Error(label(*first) + ": states no input shape; --architecture tells it");
}

// What the layers make of the input: the first that says so.
struct InputUse {
    bool spatial = false, recurrent = false, channels_first = false;
};

void find_use(const KerasGraph& graph, InputUse& use) {
    for (const auto& layer : graph.layers) {
        if (use.spatial || use.recurrent) return;
        if (!layer.model.empty()) find_use(layer.model.front(), use);
        if (is_recurrent_class(layer.class_name)) use.recurrent = true;
        if (spatial_rank(layer.class_name) == 0) continue;
        use.spatial = true;
        use.channels_first = has_channels_first(*layer.config);
    }
}

std::vector<std::string> axes_of(std::size_t rank, const InputUse& use) {
    if (use.recurrent && rank <= 2)
        return rank == 1 ? std::vector<std::string>{"time"}
                         : std::vector<std::string>{"time", "feature"};
    switch (rank) {
    case 1:
        return {"feature"};
    case 2:
        return {"channel", "length"};
    case 3:
        return {"channel", "height", "width"};
    case 4:
        return {"channel", "depth", "height", "width"};
    default:
        throw Error(concat("its input has ", rank, " axes; 1 to 4 are expected"));
    }
}

KerasTensor make_input(KerasBuilder& builder, const KerasGraph& graph) {
    KerasTensor input{"input", input_shape(graph), false};
    InputUse use;
    find_use(graph, use);
    const auto axes = axes_of(input.rank(), use);
    input.moved = !use.channels_first && (input.rank() > 2 || (input.rank() == 2 && use.spatial));
    hdf5::Shape ours = input.shape;
    if (input.moved) std::rotate(ours.begin(), ours.end() - 1, ours.end());
    if (axes.front() == "time" && ours.front() == kUnknownExtent) {
        ours.front() = 1;
        builder.note("the number of time steps is not in the file; the architecture says 1");
    }
    if (std::find(ours.begin(), ours.end(), kUnknownExtent) != ours.end())
        throw Error("its input shape is not told in full (null); --architecture tells it");
    builder.set_input(ours, axes);
    return input;
}

// Several inputs stand one after the other in one vector, each as Keras lays it out.
std::vector<KerasTensor> make_inputs(KerasBuilder& builder, const KerasGraph& graph) {
    InputUse use;
    find_use(graph, use);
    std::vector<hdf5::Shape> shapes;
    std::vector<std::string> words;
    Index total = 0;
    for (const auto& name : graph.inputs) {
        const auto layer = std::find_if(graph.layers.begin(), graph.layers.end(),
                                        [&](const KerasLayer& one) { return one.name == name; });
        const auto shape =
            layer == graph.layers.end() ? std::nullopt : stated_shape(*layer->config);
        if (!shape || std::count(shape->begin(), shape->end(), kUnknownExtent) != 0)
            throw Error("the shape of input '" + printable(name, 60) +
                        "' is not told in full; --architecture tells it");
        shapes.push_back(*shape);
        words.push_back(printable(name, 60) + " (" + hdf5::shape_text(*shape) + ")");
        total += hdf5::element_count(*shape, "input '" + name + "'");
    }
    builder.set_input({total}, {"feature"});
    builder.note("the inputs stand one after the other in one vector: " + join(words, ", "));
    std::vector<KerasTensor> inputs;
    Index start = 0;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
        const Index size = hdf5::element_count(shapes[i], "an input");
        const KerasTensor part =
            builder.emit(builder.unique_name(graph.inputs[i]), "slice",
                         {{"axis", 0}, {"start", start}, {"stop", start + size}},
                         {{"input", {total}, false}}, {size});
        const bool sequence = use.recurrent && shapes[i].size() <= 2;
        inputs.push_back(builder.emit(builder.unique_name(graph.inputs[i] + ".shape"), "reshape",
                                      {{"shape", shapes[i]}, {"sequence", sequence}}, {part},
                                      shapes[i]));
        start += size;
    }
    return inputs;
}

// --- the walk ---

// "MaxPooling2D" -> "max_pooling2d", as Keras names folders.
std::string snake_case(const std::string& name) {
    std::string snake;
    const auto upper = [&](std::size_t i) {
        return i < name.size() && std::isupper(static_cast<unsigned char>(name[i])) != 0;
    };
    const auto lower = [&](std::size_t i) {
        return i < name.size() && std::islower(static_cast<unsigned char>(name[i])) != 0;
    };
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (i > 0 && upper(i) && (lower(i + 1) || lower(i - 1))) snake += '_';
        snake += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
    }
    return snake;
}

// Folders of a graph's layers in an archive: repeats of a class are counted in the file's order.
std::vector<std::string> folders_of(const KerasGraph& graph, const std::string& parent) {
    std::vector<std::string> folders(graph.layers.size());
    std::map<std::string, int> seen;
    for (const std::size_t i : graph.file_order) {
        const std::string name = snake_case(graph.layers[i].class_name);
        const int repeat = seen[name]++;
        folders[i] = parent + "layers/" + name + (repeat > 0 ? "_" + std::to_string(repeat) : "");
    }
    return folders;
}

class Walk {
  public:
    Walk(KerasBuilder& builder, const ModelOptions& options)
        : builder_(builder), options_(options) {}

    std::vector<KerasTensor> graph(const KerasGraph& graph, const KerasPlace& place,
                                   const std::vector<KerasTensor>& inputs) {
        if (graph.inputs.size() != inputs.size())
            throw Error(
                concat("a model of ", graph.inputs.size(), " inputs is given ", inputs.size()));
        std::map<std::string, KerasTensor> made;
        for (std::size_t i = 0; i < inputs.size(); ++i) made[graph.inputs[i]] = inputs[i];
        const auto folders =
            folders_of(graph, place.folder.empty() ? std::string() : place.folder + "/");
        for (std::size_t i = 0; i < graph.layers.size(); ++i) {
            const KerasLayer& layer = graph.layers[i];
            if (made.count(layer.name) != 0) continue; // an InputLayer
            KerasCall call{&layer, {place.names, folders[i]}, "", {}};
            call.place.names.push_back(layer.name);
            for (const auto& input : layer.inputs) call.inputs.push_back(found(made, input));
            made[layer.name] = at_place(label(layer), [&] { return converted(call); });
        }
        std::vector<KerasTensor> outputs;
        for (const auto& output : graph.outputs) outputs.push_back(found(made, output));
        return outputs;
    }

  private:
    static const KerasTensor& found(const std::map<std::string, KerasTensor>& made,
                                    const std::string& name) {
        const auto tensor = made.find(name);
        if (tensor == made.end())
            throw Error("the output of '" + printable(name, 60) + "' is not there");
        return tensor->second;
    }

    KerasTensor converted(KerasCall& call) {
        if (!call.layer->model.empty()) return model(call);
        if (call.layer->class_name == "InputLayer") throw Error("is no input of the model");
        call.name = builder_.unique_name(join(call.place.names, "."));
        if (const auto stand_in = treatment(options_, call.layer->class_name))
            return treated(call, *stand_in);
        return keras_class(call.layer->class_name)(builder_, call);
    }

    KerasTensor model(const KerasCall& call) {
        const auto outputs = graph(call.layer->model.front(), call.place, call.inputs);
        if (outputs.size() != 1)
            throw Error(concat("has ", outputs.size(),
                               " outputs; one is expected of a model inside another"));
        return outputs.front();
    }

    KerasTensor treated(const KerasCall& call, const std::string& function) {
        if (call.inputs.size() != 1)
            throw Error(concat("takes ", call.inputs.size(), " inputs; one is expected"));
        builder_.note(label(*call.layer) + " is treated as " + function);
        return builder_.activate(call.name, function == "identity" ? "linear" : function,
                                 call.inputs.front());
    }

    KerasBuilder& builder_;
    const ModelOptions& options_;
};

} // namespace

KernelLayout kernel_layout(const KerasOrigin& origin, const ModelOptions& options,
                           bool theano_ordering, OpenedModel& opened) {
    std::string backend = origin.backend.empty() ? options.keras_backend : origin.backend;
    if (backend.empty() && theano_ordering) {
        backend = "theano";
        const std::string assumed =
            "the file does not tell its backend: kernels of \"th\" ordering "
            "were taken for Theano's and rotated (--keras-backend "
            "tensorflow)";
        auto& notes = opened.notes;
        if (std::find(notes.begin(), notes.end(), assumed) == notes.end()) notes.push_back(assumed);
    }
    return {theano_ordering, backend == "theano"};
}

void fill_from_keras(const std::string& config, const KerasWeights& weights,
                     const KerasOrigin& origin, const ModelOptions& options, OpenedModel& opened) {
    const Json json = network::parse_json(config, "model_config");
    at_place("model_config", [&] {
        const KerasGraph graph = keras_graph(json);
        refuse_unknown(graph, options);
        KerasBuilder builder(weights, origin, options, opened);
        note_penalties(graph, builder);
        const auto inputs = graph.inputs.size() > 1
                                ? make_inputs(builder, graph)
                                : std::vector<KerasTensor>{make_input(builder, graph)};
        builder.finish(Walk(builder, options).graph(graph, {}, inputs));
    });
}

} // namespace assay::formats

#include <assay/network/network_io.hpp>

#include <assay/core/text.hpp>
#include <assay/network/sample_file_io.hpp>

#include <algorithm>

namespace assay::network {
namespace {

constexpr std::size_t kMostArrays = 1000000;

ParameterArray read_parameter(const hdf5::Dataset& dataset, const std::string& layer,
                              const std::string& name) {
    dataset.expect_numeric();
    return {layer, name, dataset.shape(), dataset.read<double>()};
}

std::string axes_of(const std::string& parameter, std::size_t rank) {
    if (parameter == "kernel" || parameter == "recurrent") return "gate_unit,input";
    if (rank == 0) return "";
    std::string axes = "output";
    const char* const space[] = {"depth", "height", "width"};
    if (rank > 1) axes += ",input";
    for (std::size_t axis = 2; axis < rank; ++axis)
        axes += std::string(",") + space[std::min<std::size_t>(3 - (rank - 2) + axis - 2, 2)];
    return axes;
}

hdf5::ArrayInfo parameter_info(const std::string& name, const Shape& shape) {
    return {axes_of(name, shape.size()), "", "parameter of the layer"};
}

void write_gates(const hdf5::Group& weights, const std::vector<LayerGates>& gates) {
    for (const auto& one : gates)
        if (weights.has_group(one.layer))
            weights.group(one.layer).set_attribute("gates", one.gates);
}

template <class T>
void write_as(hdf5::Group& group, const std::string& name, const std::vector<double>& values,
              const Shape& shape, const hdf5::ArrayInfo& info) {
    const std::vector<T> converted(values.begin(), values.end());
    group.write(name, converted.data(), shape, info);
}

void write_real(hdf5::Group& group, const std::string& name, const std::vector<double>& values,
                const Shape& shape, const hdf5::ArrayInfo& info, Storage storage) {
    if (storage == Storage::float32)
        write_as<float>(group, name, values, shape, info);
    else
        write_as<double>(group, name, values, shape, info);
}

Shape with_samples(const Shape& shape, Index count) {
    Shape result = shape;
    result.insert(result.begin(), count);
    return result;
}

bool can_be_tokens(const RowMatrix& m) {
    return (m.array() == m.array().floor()).all() && m.minCoeff() >= 0 && m.maxCoeff() < 1e9;
}

} // namespace

Model read_model(const hdf5::Group& group) {
    Model model;
    model.architecture = group.read_text("architecture").value_or("");
    if (!group.has_group("weights"))
        throw Error(group.where() + ": there is no group 'weights' (see checkpoint inspect)");
    const hdf5::Group weights = group.group("weights");
    for (const auto& layer : weights.names()) {
        if (!weights.has_group(layer)) continue;
        const hdf5::Group arrays = weights.group(layer);
        for (const auto& name : arrays.names()) {
            if (!arrays.has_dataset(name)) continue;
            model.parameters.push_back(
                read_parameter(arrays.dataset(name, hdf5::ReadOrder::rows), layer, name));
            if (model.parameters.size() > kMostArrays)
                throw Error(weights.where() + ": more than a million arrays");
        }
        if (const auto gates = arrays.text_attribute("gates"))
            model.gates.push_back({layer, *gates});
    }
    return model;
}

void write_weights(hdf5::Group group, const Model& model, Storage storage) {
    hdf5::Group weights = group.create_group("weights");
    for (const auto& array : model.parameters) {
        hdf5::Group layer = weights.create_group(array.layer);
        write_real(layer, array.name, array.values, array.shape,
                   parameter_info(array.name, array.shape), storage);
    }
    write_gates(weights, model.gates);
}

void write_weights(hdf5::Group group, const Layout& layout, const NumbersView& trained,
                   const NumbersView& statistics) {
    hdf5::Group weights = group.create_group("weights");
    for (const auto& [layer, info, offset] : layout.arrays) {
        hdf5::Group arrays = weights.create_group(layer);
        std::visit(
            [&, &info = info, offset = offset](const auto& numbers) {
                arrays.write(info.name, numbers.data + offset, info.shape,
                             parameter_info(info.name, info.shape));
            },
            info.trained ? trained : statistics);
    }
    write_gates(weights, layout.gates);
}

void write_model(hdf5::Group group, const Model& model, Storage storage) {
    group.write_text("architecture", model.architecture);
    write_weights(group, model, storage);
}

Samples read_samples(const hdf5::Group& group) {
    return read_all(SampleFile(group, SampleFile::kWhole, ""));
}

void write_samples(hdf5::Group group, const Samples& samples, Storage storage) {
    const Index count = samples.count();
    const auto flat = [](const RowMatrix& m) {
        return std::vector<double>(m.data(), m.data() + m.size());
    };
    const std::string axes =
        samples.input_axes.empty() ? "" : "sample," + join(samples.input_axes, ",");
    const bool tokens = samples.input_axes == std::vector<std::string>{"time"};
    if (tokens && count > 0 && can_be_tokens(samples.inputs))
        write_as<std::int64_t>(group, "inputs", flat(samples.inputs),
                               with_samples(samples.input_shape, count), {axes, "", "token ids"});
    else
        write_real(group, "inputs", flat(samples.inputs), with_samples(samples.input_shape, count),
                   {axes, "", "what the network sees"}, storage);
    if (!samples.classes.empty()) {
        Shape shape{count};
        if (static_cast<Index>(samples.classes.size()) != count)
            shape.push_back(static_cast<Index>(samples.classes.size()) / count);
        group.write("targets", samples.classes.data(), shape,
                    {shape.size() > 1 ? "sample,time" : "sample", "", "class"});
    } else if (samples.values.size() > 0) {
        write_real(group, "targets", flat(samples.values),
                   with_samples(samples.target_shape, count),
                   {samples.target_shape.size() > 1 ? "sample,time,output" : "sample,output", "",
                    "what the network should say"},
                   storage);
    }
    if (!samples.lengths.empty())
        group.write("lengths",
                    std::vector<std::int64_t>(samples.lengths.begin(), samples.lengths.end()),
                    {"sample", "", "valid steps"});
    if (samples.mask.size() > 0)
        write_as<std::uint8_t>(group, "mask", flat(samples.mask),
                               {samples.mask.rows(), samples.mask.cols()},
                               {"sample,time", "", "1 = counts in the loss"});
}

} // namespace assay::network

#include <assay/cnmf/model_io.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace assay::cnmf {
namespace {

template <class Scalar>
void write_arrays_as(hdf5::Group& group, const Model& model, Index warps) {
    const auto tensor = motif_tensor(model.motifs, model.components);
    const std::vector<Scalar> w(tensor.begin(), tensor.end());
    const std::string axis = warps > 1 ? "warp," : "";
    const auto shape = [&](hdf5::Shape rest) {
        if (warps == 1) return rest;
        rest.front() /= warps;
        rest.insert(rest.begin(), warps);
        return rest;
    };
    group.write("W", w.data(), shape({model.components, model.units(), model.lags}),
                {axis + "component,unit,lag", "",
                 "motifs: weight of a unit at a lag after the activation"});
    if (model.activations.size() == 0) return;
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> h =
        model.activations.cast<Scalar>();
    group.write("H", h.data(), shape({h.rows(), h.cols()}),
                {axis + "component,time", "", "activations: when motifs start"});
}

// The first two dimensions of an array made one: components of the first warp, then of the next.
hdf5::Shape without_warps(const hdf5::Dataset& dataset, Index rank) {
    dataset.expect_numeric();
    if (dataset.rank() != rank + 1) dataset.expect_rank(rank);
    hdf5::Shape shape = dataset.shape();
    if (dataset.rank() == rank) return shape;
    shape[1] *= shape[0];
    shape.erase(shape.begin());
    return shape;
}

Matrix read_activations(const hdf5::Dataset& h) {
    const hdf5::Shape shape = without_warps(h, 2);
    const std::vector<double> values = h.read<double>();
    return Eigen::Map<const RowMatrix>(values.data(), shape[0], shape[1]);
}

} // namespace

std::vector<std::uint8_t> flags(const std::vector<bool>& values) {
    return {values.begin(), values.end()};
}

void write_arrays(hdf5::Group& group, const Model& model, Index warps) {
    write_arrays_as<double>(group, model, warps);
}

void write_unit_ids(hdf5::Group& group, const RecordingFacts& facts) {
    if (!facts.unit_ids.empty())
        group.write("unit_id", facts.unit_ids, {"unit", "", "the unit's number in its source"});
}

void write_neighbours(hdf5::Group& group, const RecordingFacts& facts) {
    group.write("segment_start",
                std::vector<std::int64_t>(facts.segment_start.begin(), facts.segment_start.end()),
                {"segment", "bin", "first bin of each segment; nothing crosses their borders"});
    if (facts.bin_seconds && !facts.segment_seconds.empty())
        group.write("segment_time", facts.segment_seconds,
                    {"segment", "s", "session time at which each segment starts"});
    write_unit_ids(group, facts);
}

void write_facts(hdf5::Group& group, const ModelFacts& facts) {
    if (facts.bin_seconds) group.set_attribute("dt", *facts.bin_seconds);
    write_neighbours(group, facts);
    if (facts.unit_scale.size() > 0)
        group.write("unit_scale", facts.unit_scale,
                    {"unit", "", "factor each unit's data were multiplied by"});
}

void write_model(hdf5::Group group, const Model& model, const ModelFacts& facts,
                 Precision precision) {
    if (precision == Precision::float32)
        write_arrays_as<float>(group, model, 1);
    else
        write_arrays_as<double>(group, model, 1);
    write_facts(group, facts);
}

Model read_model(const hdf5::Group& group) {
    if (!group.has_dataset("W"))
        throw Error(group.where() +
                    ": holds no W; a group with W (component, unit, lag) is expected");
    const hdf5::Dataset w = group.dataset("W");
    const hdf5::Shape shape = without_warps(w, 3);
    if (w.size() == 0) throw Error(w.where() + ": is empty");
    Model model;
    model.components = shape[0];
    model.lags = shape[2];
    model.motifs = motif_matrix(w.read<double>(), model.components, shape[1], model.lags);
    if (!model.motifs.allFinite() || model.motifs.minCoeff() < 0)
        throw Error(w.where() +
                    ": holds negative or non-finite numbers; nonnegative ones are expected");
    if (group.has_dataset("H")) {
        const hdf5::Dataset h = group.dataset("H");
        model.activations = read_activations(h);
        if (model.activations.rows() != model.components)
            throw Error(concat(h.where(), ": has ", model.activations.rows(), " components; ",
                               model.components, " are expected, as in W"));
        if (model.activations.size() == 0) throw Error(h.where() + ": is empty");
        if (!model.activations.allFinite() || model.activations.minCoeff() < 0)
            throw Error(h.where() +
                        ": holds negative or non-finite numbers; nonnegative ones are expected");
    }
    return model;
}

Vector vector_of(const hdf5::Group& group, const char* name, Index size, const char* as_in) {
    const hdf5::Dataset dataset = group.dataset(name).expect_numeric();
    Vector values = dataset.read_vector();
    if (values.size() != size)
        throw Error(concat(dataset.where(), ": has ", values.size(), " entries; ", size,
                           " are expected, as in ", as_in));
    return values;
}

ModelFacts read_facts(const hdf5::Group& group, const Model& model) {
    ModelFacts facts;
    facts.bin_seconds = group.number_attribute("dt");
    if (facts.bin_seconds && !(*facts.bin_seconds > 0 && std::isfinite(*facts.bin_seconds)))
        throw Error(concat(group.where(), ": its attribute dt is ", *facts.bin_seconds,
                           "; a positive finite number is expected"));
    if (group.has_dataset("segment_start")) {
        const hdf5::Dataset dataset = group.dataset("segment_start");
        const auto starts = dataset.expect_numeric().read<std::int64_t>();
        if (starts.empty() || starts.front() != 0 ||
            !std::is_sorted(starts.begin(), starts.end(), std::less_equal<>()))
            throw Error(dataset.where() + ": ascending first bins from 0 are expected");
        if (model.activations.size() > 0 && starts.back() >= model.activations.cols())
            throw Error(concat(dataset.where(), ": a segment starts at bin ", starts.back(),
                               ", outside the ", model.activations.cols(), " bins of H"));
        facts.segment_start.assign(starts.begin(), starts.end());
    }
    if (group.has_dataset("segment_time")) {
        const Vector seconds = vector_of(
            group, "segment_time", static_cast<Index>(facts.segment_start.size()), "segment_start");
        if (!seconds.allFinite())
            throw Error(group.where() + "/segment_time: finite times are expected");
        facts.segment_seconds.assign(seconds.data(), seconds.data() + seconds.size());
    }
    if (group.has_dataset("unit_id")) {
        facts.unit_ids = group.dataset("unit_id").expect_numeric().read<std::int64_t>();
        if (static_cast<Index>(facts.unit_ids.size()) != model.units())
            throw Error(concat(group.where(), "/unit_id: has ", facts.unit_ids.size(), " entries; ",
                               model.units(), " are expected, as in W"));
    }
    if (group.has_dataset("unit_scale")) {
        facts.unit_scale = vector_of(group, "unit_scale", model.units(), "W");
        if (!facts.unit_scale.allFinite() || !(facts.unit_scale.minCoeff() > 0))
            throw Error(group.where() + "/unit_scale: positive finite numbers are expected");
    }
    return facts;
}

std::string newest_model(const hdf5::Group& root) {
    if (root.has_group("/cnmf"))
        for (const auto& name : root.group("/cnmf").names())
            if ((name == "fit" || name == "transform" || name == "align") &&
                root.has_dataset("/cnmf/" + name + "/W"))
                return "/cnmf/" + name;
    return "/cnmf/fit";
}

StartSpec read_start(const hdf5::Group& group) {
    StartSpec start;
    if (group.has_dataset("W")) {
        const hdf5::Dataset w = group.dataset("W");
        const hdf5::Shape shape = without_warps(w, 3);
        start.components = shape[0];
        start.lags = shape[2];
        start.motifs = motif_matrix(w.read<double>(), start.components, shape[1], start.lags);
    }
    if (group.has_dataset("H")) start.activations = read_activations(group.dataset("H"));
    if (!start.motifs && !start.activations) throw Error(group.where() + ": holds neither W nor H");
    return start;
}

} // namespace assay::cnmf

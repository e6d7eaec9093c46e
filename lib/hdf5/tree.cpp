#include <assay/hdf5/tree.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/hdf5/chunks.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>

namespace assay::hdf5 {
namespace {

constexpr std::size_t kAttributeBytes = std::size_t{1} << 26U;

// Text or data of variable length live in a heap without checksums.
bool has_fixed_size(Id type) {
    return H5Tdetect_class(type, H5T_VLEN) <= 0 && H5Tdetect_class(type, H5T_REFERENCE) <= 0 &&
           H5Tis_variable_str(type) <= 0;
}

// Raw bytes of an attribute in its own type; empty for one of variable length.
std::vector<char> attribute_bytes(Id attribute, Id type, const std::string& where) {
    const Handle space(H5Aget_space(attribute));
    const hssize_t count = H5Sget_simple_extent_npoints(space.get());
    const std::size_t each = H5Tget_size(type);
    if (!has_fixed_size(type) || count < 0 || each == 0) return {};
    if (static_cast<std::size_t>(count) > kAttributeBytes / each)
        throw Error(where + ": an attribute is implausibly long");
    std::vector<char> bytes(static_cast<std::size_t>(count) * each);
    if (!bytes.empty())
        check(H5Aread(attribute, type, bytes.data()), where, "an attribute cannot be read");
    return bytes;
}

H5L_type_t link_type(const Group& group, const std::string& name) {
    H5L_info_t info{};
    check(H5Lget_info(group.id(), name.c_str(), &info, H5P_DEFAULT), group.where(),
          "a link cannot be read; the file is damaged");
    return info.type;
}

void copy_members(const Group& source, Group& destination, Timings timings,
                  std::vector<std::string>& left_out);

void copy_member(const Group& source, const std::string& name, Group& destination, Timings timings,
                 std::vector<std::string>& left_out) {
    if (link_type(source, name) != H5L_TYPE_HARD) {
        left_out.push_back(source.where() + "/" + name);
        return;
    }
    if (source.has_group(name)) {
        if (name == "timing" && timings == Timings::leave_out) return;
        const Group from = source.group(name);
        Group to = destination.create_group(name);
        copy_attributes(from, to);
        copy_members(from, to, timings, left_out);
        return;
    }
    if (!source.has_dataset(name)) {
        left_out.push_back(source.where() + "/" + name);
        return;
    }
    const Dataset dataset = source.dataset(name);
    const Handle type(H5Dget_type(dataset.id()));
    if (!has_fixed_size(type.get()) || H5Tcommitted(type.get()) > 0) {
        left_out.push_back(dataset.where());
        return;
    }
    destination.copy_from(source, name);
}

void copy_members(const Group& source, Group& destination, Timings timings,
                  std::vector<std::string>& left_out) {
    for (const auto& name : source.names())
        copy_member(source, name, destination, timings, left_out);
}

void digest_attributes(Digest& digest, const Object& object) {
    auto names = object.attribute_names();
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
        const Handle attribute(H5Aopen(object.id(), name.c_str(), H5P_DEFAULT));
        const Handle type(H5Aget_type(attribute.get()));
        digest.add("@" + name + "=");
        const auto bytes = attribute_bytes(attribute.get(), type.get(), object.where());
        digest.add(bytes.data(), bytes.size());
    }
}

// Boxes that cover a dataset in C order: its chunks, or runs of rows where it has none, so that no
// chunk is read twice.
Shape box_shape(const Dataset& dataset, std::size_t element_bytes) {
    constexpr Index kBoxBytes = 4194304;
    Shape box = dataset.shape();
    if (const Shape chunk = chunk_shape(dataset); !chunk.empty()) {
        for (std::size_t i = 0; i < box.size(); ++i)
            box[i] = std::clamp<Index>(chunk[i], 1, box[i]);
        return box;
    }
    const Index row_bytes =
        std::max<Index>(1, dataset.size() / box[0] * static_cast<Index>(element_bytes));
    box[0] = std::clamp<Index>(kBoxBytes / row_bytes, 1, box[0]);
    return box;
}

// The box with number `number` in its own type.
std::vector<char> raw_box(const Dataset& dataset, Id type, const Shape& box, Index number) {
    std::vector<hsize_t> start(box.size()), count(box.size());
    std::size_t elements = 1;
    for (std::size_t i = box.size(); i-- > 0;) {
        const Index boxes = (dataset.shape()[i] + box[i] - 1) / box[i];
        const Index first = number % boxes * box[i];
        number /= boxes;
        start[i] = static_cast<hsize_t>(first);
        count[i] = static_cast<hsize_t>(std::min(box[i], dataset.shape()[i] - first));
        elements *= static_cast<std::size_t>(count[i]);
    }
    const Handle space(H5Dget_space(dataset.id()));
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    std::vector<char> bytes(elements * H5Tget_size(type));
    check(H5Dread(dataset.id(), type, memory.get(), space.get(), H5P_DEFAULT, bytes.data()),
          dataset.where(), "its data cannot be read; the file is damaged");
    return bytes;
}

void digest_dataset(Digest& digest, const Dataset& dataset, bool& sampled) {
    constexpr double kWhole = 268435456;
    constexpr Index kSamples = 256;
    const Handle type(H5Dget_type(dataset.id()));
    digest.add("[" + shape_text(dataset.shape()) + "]" + dataset.type_text());
    if (!has_fixed_size(type.get()) || dataset.size() == 0) return;
    if (dataset.rank() == 0) {
        std::vector<char> bytes(H5Tget_size(type.get()));
        check(H5Dread(dataset.id(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
              dataset.where(), "its data cannot be read; the file is damaged");
        digest.add(bytes.data(), bytes.size());
        return;
    }
    const std::size_t element_bytes = H5Tget_size(type.get());
    const Shape box = box_shape(dataset, element_bytes);
    Index boxes = 1;
    for (std::size_t i = 0; i < box.size(); ++i)
        boxes *= (dataset.shape()[i] + box[i] - 1) / box[i];
    const bool whole =
        static_cast<double>(dataset.size()) * static_cast<double>(element_bytes) <= kWhole;
    const Index step = whole ? 1 : std::max<Index>(1, boxes / kSamples);
    sampled |= step > 1;
    for (Index number = 0; number < boxes; number += step) {
        const auto bytes = raw_box(dataset, type.get(), box, number);
        digest.add(bytes.data(), bytes.size());
    }
}

void digest_group(Digest& digest, const Group& group, bool& sampled) {
    digest_attributes(digest, group);
    auto names = group.names();
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
        if (name == "timing" || (group.path() == "/" && name == "provenance")) continue;
        digest.add("/" + name);
        if (link_type(group, name) != H5L_TYPE_HARD) continue;
        if (group.has_group(name)) {
            digest.add("{");
            digest_group(digest, group.group(name), sampled);
            digest.add("}");
        } else if (group.has_dataset(name)) {
            const Dataset dataset = group.dataset(name);
            digest_attributes(digest, dataset);
            digest_dataset(digest, dataset, sampled);
        }
    }
}

} // namespace

void copy_attributes(const Object& from, Object& to) {
    for (const auto& name : from.attribute_names()) {
        const Handle attribute = checked(H5Aopen(from.id(), name.c_str(), H5P_DEFAULT),
                                         from.where(), "an attribute cannot be opened");
        const Handle type(H5Aget_type(attribute.get())), space(H5Aget_space(attribute.get()));
        // Text of variable length, as h5py writes it, goes over in the sealed form.
        if (const auto text =
                H5Tis_variable_str(type.get()) > 0 ? from.text_attribute(name) : std::nullopt) {
            to.set_attribute(name, *text);
            continue;
        }
        const auto bytes = attribute_bytes(attribute.get(), type.get(), from.where());
        if (bytes.empty()) continue;
        if (to.has_attribute(name)) H5Adelete(to.id(), name.c_str());
        const Handle copy = checked(
            H5Acreate2(to.id(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
            to.where(), "an attribute cannot be made");
        check(H5Awrite(copy.get(), type.get(), bytes.data()), to.where(),
              "an attribute cannot be written");
    }
}

std::vector<std::string> copy_tree(const Group& source, const std::string& path, Group destination,
                                   Timings timings) {
    std::vector<std::string> left_out;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) {
        copy_member(source, path, destination, timings, left_out);
    } else {
        Group parent = destination.create_group(path.substr(0, slash));
        copy_member(source.group(path.substr(0, slash)), path.substr(slash + 1), parent, timings,
                    left_out);
    }
    return left_out;
}

std::string content_digest(const Group& root) {
    Digest digest;
    bool sampled = false;
    digest_group(digest, root, sampled);
    return (sampled ? "sampled-" : "") + digest.hex();
}

} // namespace assay::hdf5

#include <assay/hdf5/tree.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
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

// Reads `rows` rows of a dataset from `first` in its own type.
std::vector<char> raw_rows(const Dataset& dataset, Id type, Index first, Index rows,
                           std::size_t row_bytes) {
    std::vector<hsize_t> start(dataset.shape().size(), 0),
        count(dataset.shape().begin(), dataset.shape().end());
    start[0] = static_cast<hsize_t>(first);
    count[0] = static_cast<hsize_t>(rows);
    const Handle space(H5Dget_space(dataset.id()));
    H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const Handle memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr));
    std::vector<char> bytes(static_cast<std::size_t>(rows) * row_bytes);
    check(H5Dread(dataset.id(), type, memory.get(), space.get(), H5P_DEFAULT, bytes.data()),
          dataset.where(), "its data cannot be read; the file is damaged");
    return bytes;
}

void digest_dataset(Digest& digest, const Dataset& dataset, bool& sampled) {
    constexpr double kWhole = 268435456, kPiece = 4194304;
    constexpr Index kSamples = 64;
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
    const Index rows = dataset.shape()[0];
    const Index row_elements = dataset.size() / rows;
    const double row_bytes =
        static_cast<double>(row_elements) * static_cast<double>(H5Tget_size(type.get()));
    const Index piece = std::clamp<Index>(static_cast<Index>(kPiece / row_bytes), 1, rows);
    const bool whole = row_bytes * static_cast<double>(rows) <= kWhole;
    const Index pieces = (rows + piece - 1) / piece;
    const Index step = whole ? 1 : std::max<Index>(1, pieces / kSamples);
    sampled |= step > 1;
    for (Index p = 0; p < pieces; p += step) {
        const auto bytes =
            raw_rows(dataset, type.get(), p * piece, std::min(piece, rows - p * piece),
                     static_cast<std::size_t>(row_bytes));
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

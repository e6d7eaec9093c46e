// MATLAB files: v7.3 is HDF5 with reversed dimensions; level 5 is read through libmatio.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>
#include <assay/formats/number_blocks.hpp>
#include <assay/formats/stored_recording.hpp>

#ifdef ASSAY_HAVE_MATIO
#include <matio.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::formats {
namespace {

constexpr const char* kNotDense = ": is no dense array of numbers, which is expected";

std::string class_of(const hdf5::Object& object) {
    return object.text_attribute("MATLAB_class").value_or("");
}

bool is_empty(const hdf5::Object& object) {
    return object.number_attribute("MATLAB_empty").value_or(0) != 0;
}

SparseMatrix read_sparse(const hdf5::Group& group) {
    const double rows = group.number_attribute("MATLAB_sparse").value_or(0);
    if (!is_whole(rows))
        throw Error(group.where() + ": states the implausible number of " + shortest(rows) +
                    " rows (MATLAB_sparse)");
    const auto jc = whole_numbers(group.dataset("jc"));
    std::vector<std::int64_t> ir;
    std::vector<double> data;
    if (group.has_dataset("ir")) ir = whole_numbers(group.dataset("ir"));
    if (group.has_dataset("data")) data = group.dataset("data").expect_numeric().read<double>();
    return compressed_matrix(data, ir, jc, static_cast<Index>(rows),
                             static_cast<Index>(jc.size()) - 1, false, group.where());
}

[[noreturn]] void refuse_struct(const hdf5::Group& group) {
    throw Error(group.where() + ": is a struct; one of its fields is expected (" +
                join(group.names(), ", ") + ")");
}

// MATLAB's first index runs fastest: what it writes is, in C order, of reversed dimensions.
hdf5::Shape dense_shape(const hdf5::Dataset& dataset) {
    if (is_empty(dataset)) throw Error(dataset.where() + ": is an empty array");
    if (class_of(dataset) == "char")
        throw Error(dataset.where() + ": holds text; numbers are expected");
    dataset.expect_numeric();
    return {dataset.shape().rbegin(), dataset.shape().rend()};
}

StoredArray array_of(const hdf5::Dataset& dataset) {
    StoredArray array;
    array.shape = dense_shape(dataset);
    array.bytes = sizeof(double) * static_cast<double>(dataset.size());
    array.read = [dataset, shape = array.shape](const NumberBlock& take) {
        const std::vector<double> numbers = dataset.read<double>();
        const auto number = [&](Index i) { return numbers[static_cast<std::size_t>(i)]; };
        hand_over(shape, Fastest::first_index, number, take);
    };
    return array;
}

SpikeTrains read_cell(const hdf5::Dataset& cell) {
    SpikeTrains trains;
    for (const auto& target : cell.referenced_datasets()) {
        trains.ids.push_back(static_cast<std::int64_t>(trains.ids.size()) + 1);
        trains.times.emplace_back();
        if (!target || is_empty(*target)) continue;
        const std::string kind = class_of(*target);
        if (kind == "char" || kind == "cell")
            throw Error(cell.where() + ": its cells hold " + kind +
                        "; vectors of spike times are expected");
        const Vector times = target->expect_numeric().read_vector();
        trains.times.back().assign(times.data(), times.data() + times.size());
    }
    return trains;
}

} // namespace

bool is_matlab(const hdf5::Group& root, const std::string& path) {
    if (root.has_dataset(path)) return root.dataset(path).has_attribute("MATLAB_class");
    return root.has_group(path) && (root.group(path).has_attribute("MATLAB_class") ||
                                    root.group(path).has_attribute("MATLAB_sparse"));
}

AnyArray read_matlab73(const hdf5::Group& root, const std::string& path) {
    if (root.has_group(path)) {
        const hdf5::Group group = root.group(path);
        if (group.has_attribute("MATLAB_sparse")) return read_sparse(group);
        refuse_struct(group);
    }
    const hdf5::Dataset dataset = root.dataset(path);
    if (dataset.kind() == hdf5::Kind::reference) return read_cell(dataset);
    return collected(array_of(dataset));
}

std::optional<hdf5::Shape> matlab73_shape(const hdf5::Group& root, const std::string& path) {
    if (!root.has_dataset(path)) return std::nullopt;
    const hdf5::Dataset dataset = root.dataset(path, hdf5::ReadOrder::rows);
    if (dataset.kind() == hdf5::Kind::reference) return std::nullopt;
    return dense_shape(dataset);
}

StoredArray matlab73_array(const hdf5::Group& root, const std::string& path) {
    if (root.has_group(path)) {
        const hdf5::Group group = root.group(path);
        if (group.has_attribute("MATLAB_sparse")) throw Error(group.where() + kNotDense);
        refuse_struct(group);
    }
    const hdf5::Dataset dataset = root.dataset(path);
    if (dataset.kind() == hdf5::Kind::reference) throw Error(dataset.where() + kNotDense);
    return array_of(dataset);
}

std::vector<std::string> matlab73_tensors(const hdf5::Group& root) {
    std::vector<std::string> found;
    for (const std::string& name : root.names()) {
        if (!root.has_dataset(name)) continue;
        const hdf5::Dataset dataset = root.dataset(name);
        const std::string kind = class_of(dataset);
        if (!kind.empty() && kind != "char" && dataset.numeric() && dataset.size() > 1 &&
            !is_empty(dataset))
            found.push_back(name);
    }
    return found;
}

#ifdef ASSAY_HAVE_MATIO

namespace {

using MatFile = std::unique_ptr<mat_t, int (*)(mat_t*)>;
using MatVariable = std::unique_ptr<matvar_t, void (*)(matvar_t*)>;

constexpr std::uint64_t kFileHeader = 128, kTag = 8; // bytes
constexpr std::uint32_t kMatrix = 14, kCompressed = 15;

// Bytes of a data element with its tag, from the tag (MAT-File Level 5 format, "Data Element
// Format").
std::uint64_t element_bytes(const std::array<unsigned char, kTag>& tag, bool big_endian) {
    const auto word = [&](std::size_t first) {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i)
            value |= std::uint32_t{tag[first + i]} << (8 * (big_endian ? 3 - i : i));
        return value;
    };
    const std::uint32_t type = word(0), length = word(4);
    if ((type >> 16U) != 0) return kTag; // a small element: its data stand in the tag
    const bool padded = type != kMatrix && type != kCompressed;
    return kTag + (padded ? (std::uint64_t{length} + 7) / 8 * 8 : length);
}

// libmatio does not notice reads beyond the end of a file: every element must end inside it.
void check_complete(const std::string& path) {
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    if (!in) throw Error(path + ": cannot be opened");
    const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(0, in.tellg()));
    const auto expect_to_hold = [&](std::uint64_t end) {
        if (end > size)
            throw Error(concat(path, ": is cut short: it holds ", size, " bytes; at least ", end,
                               " are expected"));
    };
    expect_to_hold(kFileHeader);
    std::array<char, 2> order{};
    in.seekg(126);
    in.read(order.data(), order.size());
    for (std::uint64_t at = kFileHeader; at < size;) {
        expect_to_hold(at + kTag);
        std::array<unsigned char, kTag> tag{};
        in.seekg(static_cast<std::streamoff>(at));
        in.read(reinterpret_cast<char*>(tag.data()), tag.size());
        at += element_bytes(tag, order[0] == 'M');
        expect_to_hold(at);
    }
}

MatFile open_mat(const std::string& path) {
    check_complete(path);
    MatFile file(Mat_Open(path.c_str(), MAT_ACC_RDONLY), Mat_Close);
    if (!file) throw Error(path + ": cannot be read as a MATLAB file; it is damaged or incomplete");
    return file;
}

hdf5::Shape shape_of(const matvar_t& variable, const std::string& where) {
    hdf5::Shape shape;
    for (int i = 0; i < variable.rank; ++i) {
        if (variable.dims[i] > (std::size_t{1} << 60U))
            throw Error(where + ": has an impossible shape");
        shape.push_back(static_cast<Index>(variable.dims[i]));
    }
    return shape;
}

Index element_count(const matvar_t& variable, const std::string& where) {
    return hdf5::element_count(shape_of(variable, where), where);
}

template <class T>
double number_at(const void* data, Index i) {
    return static_cast<double>(static_cast<const T*>(data)[i]);
}

// The i-th of numbers that libmatio holds; throws Error for those of no known type.
using NumberAt = double (*)(const void* data, Index i);
NumberAt reader_of(matio_types type, const std::string& where) {
    switch (type) {
    case MAT_T_DOUBLE:
        return number_at<double>;
    case MAT_T_SINGLE:
        return number_at<float>;
    case MAT_T_INT8:
        return number_at<std::int8_t>;
    case MAT_T_UINT8:
        return number_at<std::uint8_t>;
    case MAT_T_INT16:
        return number_at<std::int16_t>;
    case MAT_T_UINT16:
        return number_at<std::uint16_t>;
    case MAT_T_INT32:
        return number_at<std::int32_t>;
    case MAT_T_UINT32:
        return number_at<std::uint32_t>;
    case MAT_T_INT64:
        return number_at<std::int64_t>;
    case MAT_T_UINT64:
        return number_at<std::uint64_t>;
    default:
        throw Error(where + ": holds no numbers; numbers are expected");
    }
}

void expect_data(const void* data, Index count, const std::string& where) {
    if (count > 0 && data == nullptr)
        throw Error(where + ": its numbers are missing; the file is damaged");
}

std::vector<double> numbers(const void* data, matio_types type, Index count,
                            const std::string& where) {
    expect_data(data, count, where);
    const NumberAt number = reader_of(type, where);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (Index i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = number(data, i);
    return values;
}

void hand_over_numbers(const matvar_t& v, const std::string& where, const NumberBlock& take) {
    expect_data(v.data, element_count(v, where), where);
    const NumberAt number = reader_of(v.data_type, where);
    hand_over(
        shape_of(v, where), Fastest::first_index, [&](Index i) { return number(v.data, i); }, take);
}

bool is_numeric(const matvar_t& v) {
    return v.class_type >= MAT_C_DOUBLE && v.class_type <= MAT_C_UINT64;
}

void expect_real(const matvar_t& v, const std::string& where) {
    if (v.isComplex != 0) throw Error(where + ": holds complex numbers; real ones are expected");
}

void expect_numbers(const matvar_t& v, const std::string& where) {
    if (!is_numeric(v)) throw Error(where + ": holds no numbers; numbers are expected");
}

SparseMatrix sparse_of(const matvar_t& v, const std::string& where) {
    const auto* sparse = static_cast<const mat_sparse_t*>(v.data);
    if (sparse == nullptr || v.rank != 2) throw Error(where + ": is damaged");
    const std::vector<std::int64_t> jc(sparse->jc, sparse->jc + sparse->njc),
        ir(sparse->ir, sparse->ir + sparse->nir);
    auto data = numbers(sparse->data, v.data_type, static_cast<Index>(sparse->ndata), where);
    const auto stored = jc.empty() ? std::size_t{0}
                                   : static_cast<std::size_t>(std::max<std::int64_t>(0, jc.back()));
    if (stored > data.size() || stored > ir.size()) throw Error(where + ": is damaged");
    data.resize(stored);
    const hdf5::Shape shape = shape_of(v, where);
    return compressed_matrix(data, {ir.begin(), ir.begin() + static_cast<std::ptrdiff_t>(stored)},
                             jc, shape[0], shape[1], false, where);
}

AnyArray array_of(const matvar_t& v, const std::string& where) {
    expect_real(v, where);
    if (v.class_type == MAT_C_SPARSE) return sparse_of(v, where);
    if (v.class_type == MAT_C_CELL) {
        SpikeTrains trains;
        auto* const* cells = static_cast<matvar_t* const*>(v.data);
        for (Index i = 0; i < element_count(v, where); ++i) {
            trains.ids.push_back(i + 1);
            trains.times.emplace_back();
            if (cells == nullptr || cells[i] == nullptr) continue;
            if (!is_numeric(*cells[i]))
                throw Error(where +
                            ": its cells hold no numbers; vectors of spike times are expected");
            trains.times.back() = numbers(cells[i]->data, cells[i]->data_type,
                                          element_count(*cells[i], where), where);
        }
        return trains;
    }
    expect_numbers(v, where);
    StoredArray array;
    array.shape = shape_of(v, where);
    expect_data(v.data, element_count(v, where), where);
    array.read = [&](const NumberBlock& take) { hand_over_numbers(v, where, take); };
    return collected(array);
}

// A variable, or a field of a struct.
struct Located {
    MatFile file;
    MatVariable variable;
    const matvar_t* at;
};

// `read`: Mat_VarRead, or Mat_VarReadInfo for all but the numbers.
Located located(const std::string& path, const std::string& variable_path, const std::string& where,
                matvar_t* (*read)(mat_t*, const char*)) {
    const auto parts = split(variable_path, '/');
    MatFile file = open_mat(path);
    MatVariable variable(read(file.get(), parts.front().c_str()), Mat_VarFree);
    if (!variable)
        throw Error(where + ": not in the file; it holds " + join(matlab5_names(path), ", "));
    const matvar_t* at = variable.get();
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (at->class_type != MAT_C_STRUCT)
            throw Error(where + ": '" + parts[i - 1] + "' is no struct");
        at = Mat_VarGetStructFieldByName(const_cast<matvar_t*>(at), parts[i].c_str(), 0);
        if (at == nullptr) throw Error(where + ": has no field '" + parts[i] + "'");
    }
    if (at->class_type == MAT_C_STRUCT)
        throw Error(where + ": is a struct; one of its fields is expected");
    return {std::move(file), std::move(variable), at};
}

} // namespace

std::vector<std::string> matlab5_names(const std::string& path) {
    const MatFile file = open_mat(path);
    std::vector<std::string> names;
    for (;;) {
        const MatVariable variable(Mat_VarReadNextInfo(file.get()), Mat_VarFree);
        if (!variable) return names;
        names.emplace_back(variable->name == nullptr ? "" : variable->name);
    }
}

namespace {

void collect_arrays(matvar_t& v, const std::string& path, std::vector<std::string>& found) {
    if (v.class_type == MAT_C_STRUCT) {
        char* const* names = Mat_VarGetStructFieldnames(&v);
        for (unsigned i = 0; i < Mat_VarGetNumberOfFields(&v); ++i) {
            if (names == nullptr || names[i] == nullptr) continue; // a damaged file
            matvar_t* field = Mat_VarGetStructFieldByIndex(&v, i, 0);
            if (field != nullptr) collect_arrays(*field, path + "/" + names[i], found);
        }
        return;
    }
    const bool matrix = is_numeric(v) || v.class_type == MAT_C_SPARSE;
    if (v.class_type == MAT_C_CELL || (matrix && v.rank == 2 && v.isComplex == 0))
        found.push_back(path);
}

} // namespace

std::vector<std::string> matlab5_arrays(const std::string& path) {
    const MatFile file = open_mat(path);
    std::vector<std::string> found;
    for (;;) {
        const MatVariable v(Mat_VarReadNextInfo(file.get()), Mat_VarFree);
        if (!v) return found;
        if (v->name != nullptr) collect_arrays(*v, v->name, found);
    }
}

std::vector<std::string> matlab5_tensors(const std::string& path) {
    const MatFile file = open_mat(path);
    std::vector<std::string> found;
    for (;;) {
        const MatVariable v(Mat_VarReadNextInfo(file.get()), Mat_VarFree);
        if (!v) return found;
        if (v->name != nullptr && is_numeric(*v) && element_count(*v, path) > 1)
            found.emplace_back(v->name);
    }
}

AnyArray read_matlab5(const std::string& path, const std::string& variable) {
    const std::string where = path + ":/" + variable;
    const Located found = located(path, variable, where, Mat_VarRead);
    return array_of(*found.at, where);
}

StoredArray matlab5_array(const std::string& path, const std::string& variable) {
    const std::string where = path + ":/" + variable;
    const Located found = located(path, variable, where, Mat_VarReadInfo);
    expect_real(*found.at, where);
    if (found.at->class_type == MAT_C_SPARSE || found.at->class_type == MAT_C_CELL)
        throw Error(where + kNotDense);
    expect_numbers(*found.at, where);
    StoredArray array;
    array.shape = shape_of(*found.at, where);
    array.bytes = static_cast<double>(Mat_SizeOfClass(found.at->class_type)) *
                  static_cast<double>(element_count(*found.at, where));
    array.read = [path, variable, where, shape = array.shape](const NumberBlock& take) {
        const Located whole = located(path, variable, where, Mat_VarRead);
        if (shape_of(*whole.at, where) != shape)
            throw Error(where + ": its shape is unclear; the file is damaged");
        hand_over_numbers(*whole.at, where, take);
    };
    return array;
}

#else

namespace {

[[noreturn]] void refuse_level5(const std::string& path) {
    throw Error(
        path +
        ": is a MATLAB level 5 file, which this build cannot read; save it again with -v7.3");
}

} // namespace

std::vector<std::string> matlab5_names(const std::string&) {
    return {};
}

std::vector<std::string> matlab5_arrays(const std::string&) {
    return {};
}

std::vector<std::string> matlab5_tensors(const std::string& path) {
    refuse_level5(path);
}

AnyArray read_matlab5(const std::string& path, const std::string&) {
    refuse_level5(path);
}

StoredArray matlab5_array(const std::string& path, const std::string&) {
    refuse_level5(path);
}

#endif

} // namespace assay::formats

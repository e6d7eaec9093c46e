// MATLAB files: v7.3 is HDF5 with reversed dimensions; level 5 is read through libmatio.
#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/arrays.hpp>

#ifdef ASSAY_HAVE_MATIO
#include <matio.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <numeric>

namespace assay::formats {
namespace {

std::string class_of(const hdf5::Object& object) {
    return object.text_attribute("MATLAB_class").value_or("");
}

bool is_empty(const hdf5::Object& object) {
    return object.number_attribute("MATLAB_empty").value_or(0) != 0;
}

// MATLAB's first index runs fastest: what it writes is, in C order, of reversed dimensions.
DenseArray reversed(const DenseArray& stored) {
    std::vector<std::size_t> axes(stored.shape.size());
    std::iota(axes.rbegin(), axes.rend(), std::size_t{0});
    return permuted(stored, axes);
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
        throw Error(group.where() + ": is a struct; one of its fields is expected (" +
                    join(group.names(), ", ") + ")");
    }
    const hdf5::Dataset dataset = root.dataset(path);
    if (dataset.kind() == hdf5::Kind::reference) return read_cell(dataset);
    if (is_empty(dataset)) throw Error(dataset.where() + ": is an empty array");
    if (class_of(dataset) == "char")
        throw Error(dataset.where() + ": holds text; numbers are expected");
    dataset.expect_numeric();
    return reversed({dataset.shape(), dataset.read<double>()});
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
void append(std::vector<double>& values, const void* data, Index count) {
    const T* typed = static_cast<const T*>(data);
    values.insert(values.end(), typed, typed + count);
}

std::vector<double> numbers(const void* data, matio_types type, Index count,
                            const std::string& where) {
    std::vector<double> values;
    if (count > 0 && data == nullptr)
        throw Error(where + ": its numbers are missing; the file is damaged");
    switch (type) {
    case MAT_T_DOUBLE:
        append<double>(values, data, count);
        break;
    case MAT_T_SINGLE:
        append<float>(values, data, count);
        break;
    case MAT_T_INT8:
        append<std::int8_t>(values, data, count);
        break;
    case MAT_T_UINT8:
        append<std::uint8_t>(values, data, count);
        break;
    case MAT_T_INT16:
        append<std::int16_t>(values, data, count);
        break;
    case MAT_T_UINT16:
        append<std::uint16_t>(values, data, count);
        break;
    case MAT_T_INT32:
        append<std::int32_t>(values, data, count);
        break;
    case MAT_T_UINT32:
        append<std::uint32_t>(values, data, count);
        break;
    case MAT_T_INT64:
        append<std::int64_t>(values, data, count);
        break;
    case MAT_T_UINT64:
        append<std::uint64_t>(values, data, count);
        break;
    default:
        throw Error(where + ": holds no numbers; numbers are expected");
    }
    return values;
}

bool is_numeric(const matvar_t& v) {
    return v.class_type >= MAT_C_DOUBLE && v.class_type <= MAT_C_UINT64;
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
    if (v.isComplex != 0) throw Error(where + ": holds complex numbers; real ones are expected");
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
    if (!is_numeric(v)) throw Error(where + ": holds no numbers; numbers are expected");
    DenseArray stored{shape_of(v, where),
                      numbers(v.data, v.data_type, element_count(v, where), where)};
    std::reverse(stored.shape.begin(), stored.shape.end());
    return reversed(stored);
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

AnyArray read_matlab5(const std::string& path, const std::string& variable_path) {
    const std::string where = path + ":/" + variable_path;
    const auto parts = split(variable_path, '/');
    const MatFile file = open_mat(path);
    const MatVariable variable(Mat_VarRead(file.get(), parts.front().c_str()), Mat_VarFree);
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
    return array_of(*at, where);
}

#else

std::vector<std::string> matlab5_names(const std::string&) {
    return {};
}

std::vector<std::string> matlab5_arrays(const std::string&) {
    return {};
}

AnyArray read_matlab5(const std::string& path, const std::string&) {
    throw Error(
        path +
        ": is a MATLAB level 5 file, which this build cannot read; save it again with -v7.3");
}

#endif

} // namespace assay::formats

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace assay::hdf5 {

template <>
Id memory_type<double>() {
    return H5T_NATIVE_DOUBLE;
}
template <>
Id memory_type<float>() {
    return H5T_NATIVE_FLOAT;
}
template <>
Id memory_type<std::int64_t>() {
    return H5T_NATIVE_INT64;
}
template <>
Id memory_type<std::int32_t>() {
    return H5T_NATIVE_INT32;
}
template <>
Id memory_type<std::uint64_t>() {
    return H5T_NATIVE_UINT64;
}
template <>
Id memory_type<std::uint16_t>() {
    return H5T_NATIVE_UINT16;
}
template <>
Id memory_type<std::uint8_t>() {
    return H5T_NATIVE_UINT8;
}
template <>
Id memory_type<std::int16_t>() {
    return H5T_NATIVE_INT16;
}
template <>
Id memory_type<std::int8_t>() {
    return H5T_NATIVE_INT8;
}
namespace {

// numpy's complex128: a compound of r and i. Made once, for as long as the program runs.
Id complex_of(Id part) {
    const Id type = H5Tcreate(H5T_COMPOUND, 2 * sizeof(double));
    H5Tinsert(type, "r", 0, part);
    H5Tinsert(type, "i", sizeof(double), part);
    return type;
}

} // namespace

template <>
Id memory_type<std::complex<double>>() {
    static const Id type = complex_of(H5T_NATIVE_DOUBLE);
    return type;
}
template <>
Id file_type<std::complex<double>>() {
    static const Id type = complex_of(H5T_IEEE_F64LE);
    return type;
}
template <>
Id file_type<double>() {
    return H5T_IEEE_F64LE;
}
template <>
Id file_type<float>() {
    return H5T_IEEE_F32LE;
}
template <>
Id file_type<std::int64_t>() {
    return H5T_STD_I64LE;
}
template <>
Id file_type<std::int32_t>() {
    return H5T_STD_I32LE;
}
template <>
Id file_type<std::uint64_t>() {
    return H5T_STD_U64LE;
}
template <>
Id file_type<std::uint16_t>() {
    return H5T_STD_U16LE;
}
template <>
Id file_type<std::uint8_t>() {
    return H5T_STD_U8LE;
}
template <>
Id file_type<std::int16_t>() {
    return H5T_STD_I16LE;
}
template <>
Id file_type<std::int8_t>() {
    return H5T_STD_I8LE;
}

namespace {

Kind kind_of(Id type) {
    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        return Kind::floating;
    case H5T_INTEGER:
        return Kind::integer;
    case H5T_ENUM:
        return H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1 ? Kind::boolean : Kind::integer;
    case H5T_STRING:
        return Kind::string;
    case H5T_REFERENCE:
        return Kind::reference;
    case H5T_COMPOUND: {
        if (H5Tget_nmembers(type) != 2) return Kind::compound;
        const Handle first(H5Tget_member_type(type, 0));
        return H5Tget_member_index(type, "r") == 0 && H5Tget_member_index(type, "i") == 1 &&
                       H5Tget_class(first.get()) == H5T_FLOAT
                   ? Kind::complex
                   : Kind::compound;
    }
    default:
        return Kind::other;
    }
}

std::vector<hsize_t> extents(const Shape& shape) {
    return {shape.begin(), shape.end()};
}

} // namespace

Dataset::Dataset(std::shared_ptr<Handle> handle, std::string file, std::string path)
    : Object(std::move(handle), std::move(file), std::move(path)) {
    const Handle space =
        checked(H5Dget_space(id()), where_, "its shape cannot be read; the file is damaged");
    const Handle type =
        checked(H5Dget_type(id()), where_, "its type cannot be read; the file is damaged");
    const int rank = H5Sget_simple_extent_ndims(space.get());
    check(rank, where_, "its shape cannot be read; the file is damaged");
    std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr);
    for (const hsize_t size : sizes) {
        if (size > hsize_t{1} << 60U)
            throw Error(where_ + ": a size of " + std::to_string(size) + " is impossible");
        shape_.push_back(static_cast<Index>(size));
    }
    if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) shape_ = {0};
    kind_ = kind_of(type.get());
    element_bytes_ = static_cast<int>(H5Tget_size(type.get()));
    storage_bytes_ = static_cast<std::int64_t>(H5Dget_storage_size(id()));
}

Index Dataset::size() const {
    return element_count(shape_, where_);
}

bool Dataset::numeric() const {
    return kind_ == Kind::floating || kind_ == Kind::integer || kind_ == Kind::boolean;
}

std::string Dataset::type_text() const {
    const std::string bits = std::to_string(8 * element_bytes_);
    switch (kind_) {
    case Kind::floating:
        return "float" + bits;
    case Kind::integer: {
        const Handle type(H5Dget_type(id()));
        return (H5Tget_sign(type.get()) == H5T_SGN_NONE ? "uint" : "int") + bits;
    }
    case Kind::boolean:
        return "boolean";
    case Kind::string:
        return "text";
    case Kind::complex:
        return "complex" + bits;
    case Kind::reference:
        return "object references";
    case Kind::compound:
        return "compound";
    default:
        return "an unsupported type";
    }
}

const Dataset& Dataset::expect_numeric() const {
    if (!numeric()) throw Error(where_ + ": holds " + type_text() + "; numbers are expected");
    double claimed = element_bytes_;
    for (const Index extent : shape_) claimed *= static_cast<double>(extent);
    if (!stores_enough(claimed)) throw implausible(claimed);
    return *this;
}

const Dataset& Dataset::expect_rank(Index wanted) const {
    if (rank() != wanted)
        throw Error(concat(where_, ": has ", rank(), " dimensions (", shape_text(shape_), "); ",
                           wanted, " are expected"));
    return *this;
}

bool stores_enough(double claimed_bytes, std::int64_t stored_bytes) {
    constexpr double kMostPacked = 2000, kHeader = 65536, kSmall = 67108864;
    return claimed_bytes <=
           std::max(kSmall, kMostPacked * (static_cast<double>(stored_bytes) + kHeader));
}

bool Dataset::stores_enough(double claimed_bytes) const {
    return hdf5::stores_enough(claimed_bytes, storage_bytes_);
}

Error Dataset::implausible(double claimed_bytes) const {
    return Error(concat(where_, ": claims ", shape_text(shape_), " numbers (",
                        human_bytes(claimed_bytes), ") but stores ",
                        human_bytes(static_cast<double>(storage_bytes_)),
                        "; the file is damaged or incomplete"));
}

void Dataset::check_plausible(Index elements, std::size_t bytes_each) const {
    const double wanted = static_cast<double>(elements) * static_cast<double>(bytes_each);
    if (wanted > physical_memory() ||
        !stores_enough(static_cast<double>(elements) * element_bytes_))
        throw implausible(wanted);
}

template <class T>
std::vector<T> Dataset::read() const {
    expect_numeric();
    const Index count = size();
    check_plausible(count, sizeof(T));
    std::vector<T> values(static_cast<std::size_t>(count));
    silence_library();
    if (count > 0)
        check(H5Dread(id(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), where_,
              "its numbers cannot be read; the file is damaged or incomplete");
    return values;
}

namespace {

void expect_complex(const Dataset& dataset) {
    if (dataset.kind() != Kind::complex)
        throw Error(dataset.where() + ": found " + dataset.type_text() +
                    ", complex numbers are expected");
}

} // namespace

std::vector<std::complex<double>> Dataset::read_complex() const {
    expect_complex(*this);
    const Index count = size();
    check_plausible(count, sizeof(std::complex<double>));
    std::vector<std::complex<double>> values(static_cast<std::size_t>(count));
    silence_library();
    if (count > 0)
        check(H5Dread(id(), memory_type<std::complex<double>>(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                      values.data()),
              where_, "its numbers cannot be read; the file is damaged or incomplete");
    return values;
}

template <class T>
void Dataset::read_box(const Shape& offset, const Shape& count, T* out) const {
    if constexpr (std::is_same_v<T, std::complex<double>>)
        expect_complex(*this);
    else
        expect_numeric();
    ASSAY_ASSERT(offset.size() == shape_.size() && count.size() == shape_.size(),
                 "box of the wrong rank");
    silence_library();
    const auto starts = extents(offset);
    const auto counts = extents(count);
    if (std::find(counts.begin(), counts.end(), hsize_t{0}) != counts.end()) return;
    const Handle file_space(H5Dget_space(id()));
    const Handle memory_space(
        H5Screate_simple(static_cast<int>(counts.size()), counts.data(), nullptr));
    check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, starts.data(), nullptr,
                              counts.data(), nullptr),
          where_, "a part of it cannot be selected");
    check(H5Dread(id(), memory_type<T>(), memory_space.get(), file_space.get(), H5P_DEFAULT, out),
          where_, "its numbers cannot be read; the file is damaged or incomplete");
}

template <class T>
void Dataset::write_box(const Shape& offset, const Shape& count, const T* data) {
    const auto starts = extents(offset);
    const auto counts = extents(count);
    if (std::find(counts.begin(), counts.end(), hsize_t{0}) != counts.end()) return;
    const Handle file_space(H5Dget_space(id()));
    const Handle memory_space(
        H5Screate_simple(static_cast<int>(counts.size()), counts.data(), nullptr));
    check(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, starts.data(), nullptr,
                              counts.data(), nullptr),
          where_, "a part of it cannot be selected");
    check(H5Dwrite(id(), memory_type<T>(), memory_space.get(), file_space.get(), H5P_DEFAULT, data),
          where_, "cannot be written; is the disk full?");
}

RowMatrix Dataset::read_matrix() const {
    expect_rank(2);
    const auto values = read<double>();
    return Eigen::Map<const RowMatrix>(values.data(), shape_[0], shape_[1]);
}

Vector Dataset::read_vector() const {
    const auto longest =
        shape_.empty() ? Index{1} : *std::max_element(shape_.begin(), shape_.end());
    if (size() != longest)
        throw Error(where_ + ": has the shape " + shape_text(shape_) + "; a vector is expected");
    const auto values = read<double>();
    return Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size()));
}

std::vector<std::string> Dataset::read_text() const {
    if (kind_ != Kind::string)
        throw Error(where_ + ": holds " + type_text() + "; text is expected");
    check_plausible(size(), static_cast<std::size_t>(std::max(element_bytes_, 1)));
    silence_library();
    return read_strings(id(), false, size(), where_);
}

std::vector<std::optional<Dataset>> Dataset::referenced_datasets() const {
    const Handle type(H5Dget_type(id()));
    if (kind_ != Kind::reference || H5Tequal(type.get(), H5T_STD_REF_OBJ) <= 0)
        throw Error(where_ + ": holds " + type_text() + "; object references are expected");
    check_plausible(size(), sizeof(hobj_ref_t));
    std::vector<hobj_ref_t> references(static_cast<std::size_t>(size()));
    check(H5Dread(id(), H5T_STD_REF_OBJ, H5S_ALL, H5S_ALL, H5P_DEFAULT, references.data()), where_,
          "its references cannot be read");
    std::vector<std::optional<Dataset>> targets;
    for (const hobj_ref_t& reference : references) {
        const auto target = kept_open(
            handle_,
            Handle(reference == 0 ? -1
                                  : H5Rdereference2(id(), H5P_DEFAULT, H5R_OBJECT, &reference)));
        if (target->get() < 0 || H5Iget_type(target->get()) != H5I_DATASET) {
            targets.emplace_back(std::nullopt);
            continue;
        }
        std::string target_path(256, '\0');
        const ssize_t length = H5Iget_name(target->get(), target_path.data(), target_path.size());
        target_path.resize(static_cast<std::size_t>(std::clamp<ssize_t>(length, 0, 255)));
        targets.emplace_back(Dataset(target, file_, target_path));
    }
    return targets;
}

#define ASSAY_INSTANTIATE(T)                                                                       \
    template ASSAY_API std::vector<T> Dataset::read<T>() const;                                    \
    template ASSAY_API void Dataset::read_box<T>(const Shape&, const Shape&, T*) const;            \
    template ASSAY_API void Dataset::write_box<T>(const Shape&, const Shape&, const T*);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
ASSAY_INSTANTIATE(std::int64_t)
ASSAY_INSTANTIATE(std::int32_t)
ASSAY_INSTANTIATE(std::uint64_t)
ASSAY_INSTANTIATE(std::uint16_t)
ASSAY_INSTANTIATE(std::uint8_t)
ASSAY_INSTANTIATE(std::int16_t)
ASSAY_INSTANTIATE(std::int8_t)
#undef ASSAY_INSTANTIATE
template ASSAY_API void Dataset::read_box(const Shape&, const Shape&, std::complex<double>*) const;
template ASSAY_API void Dataset::write_box(const Shape&, const Shape&, const std::complex<double>*);

} // namespace assay::hdf5

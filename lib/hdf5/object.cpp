#include <assay/hdf5/object.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/library_errors.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <utility>

namespace assay::hdf5 {

static_assert(sizeof(Id) == sizeof(hid_t));

void silence_library() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void leave_files_at_exit() {
    H5dont_atexit();
}

namespace {

// The library forgets its errors at its next call, so that they are taken down where they are
// found.
struct Failure {
    std::mutex mutex;
    std::string message;
    std::vector<std::string> errors;
};

Failure& newest_failure() {
    static Failure failure;
    return failure;
}

herr_t take_down(unsigned, const H5E_error2_t* error, void* into) {
    std::array<char, 128> words{};
    H5Eget_msg(error->min_num, nullptr, words.data(), words.size());
    static_cast<std::vector<std::string>*>(into)->push_back(
        concat("HDF5: ", error->func_name, ": ", error->desc, " (", words.data(), ")"));
    return 0;
}

[[noreturn]] void fail(const std::string& message) {
    std::vector<std::string> errors;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take_down, &errors);
    Failure& failure = newest_failure();
    const std::lock_guard<std::mutex> lock(failure.mutex);
    failure.message = message;
    failure.errors = std::move(errors);
    throw Error(message);
}

} // namespace

std::vector<std::string> library_errors(const std::string& message) {
    Failure& failure = newest_failure();
    const std::lock_guard<std::mutex> lock(failure.mutex);
    return !failure.message.empty() && ends_with(message, failure.message)
               ? failure.errors
               : std::vector<std::string>{};
}

Handle checked(Id id, const std::string& where, const char* what) {
    if (id < 0) fail(where + ": " + what);
    return Handle(id);
}

void check(int status, const std::string& where, const char* what) {
    if (status < 0) fail(where + ": " + what);
}

std::shared_ptr<Handle> kept_open(std::shared_ptr<Handle> owner, Handle handle) {
    struct Kept {
        std::shared_ptr<Handle> owner; // destroyed last
        Handle handle;
    };
    auto kept = std::make_shared<Kept>(Kept{std::move(owner), std::move(handle)});
    return {kept, &kept->handle};
}

namespace {

void close_id(Id id) {
    if (id < 0) return;
    switch (H5Iget_type(id)) {
    case H5I_FILE:
        H5Fclose(id);
        break;
    case H5I_GROUP:
        H5Gclose(id);
        break;
    case H5I_DATASET:
        H5Dclose(id);
        break;
    case H5I_DATATYPE:
        H5Tclose(id);
        break;
    case H5I_DATASPACE:
        H5Sclose(id);
        break;
    case H5I_ATTR:
        H5Aclose(id);
        break;
    case H5I_GENPROP_LST:
        H5Pclose(id);
        break;
    default:
        break;
    }
}

} // namespace

Handle::~Handle() {
    close_id(id_);
}

Handle& Handle::operator=(Handle&& other) noexcept {
    if (this != &other) {
        close_id(id_);
        id_ = std::exchange(other.id_, -1);
    }
    return *this;
}

Index element_count(const Shape& shape, const std::string& where) {
    Index count = 1;
    for (const Index extent : shape) {
        if (extent > 0 && count > std::numeric_limits<Index>::max() / extent)
            throw Error(where + ": a shape of " + shape_text(shape) + " is impossible");
        count *= extent;
    }
    return count;
}

std::string shape_text(const Shape& shape) {
    if (shape.empty()) return "scalar";
    std::vector<std::string> parts;
    for (const Index extent : shape) parts.push_back(std::to_string(extent));
    return join(parts, " x ");
}

Object::Object(std::shared_ptr<Handle> handle, std::string file, std::string path)
    : handle_(std::move(handle)), file_(std::move(file)), path_(std::move(path)),
      where_(file_ + ":" + path_) {}

bool Object::has_attribute(const std::string& name) const {
    return H5Aexists(id(), name.c_str()) > 0;
}

std::vector<std::string> Object::attribute_names() const {
    std::vector<std::string> names;
    const auto collect = [](hid_t, const char* name, const H5A_info_t*, void* into) -> herr_t {
        static_cast<std::vector<std::string>*>(into)->emplace_back(name);
        return 0;
    };
    hsize_t position = 0;
    // As in Group::names.
    check(H5Aiterate2(id(), H5_INDEX_NAME, H5_ITER_NATIVE, &position, collect, &names), where_,
          "its attributes cannot be listed; the file is damaged");
    std::sort(names.begin(), names.end());
    return names;
}

namespace {

constexpr hsize_t kAttributeLimit = hsize_t{1}
                                    << 24; // elements or bytes of an attribute we are ready to read

hssize_t space_size(Id space) {
    return H5Sget_simple_extent_npoints(space);
}

} // namespace

std::vector<std::string> read_strings(Id object, bool attribute, hssize_t count,
                                      const std::string& where) {
    const Handle type(attribute ? H5Aget_type(object) : H5Dget_type(object));
    const auto transfer = [&](Id memory_type, void* buffer) {
        check(attribute ? H5Aread(object, memory_type, buffer)
                        : H5Dread(object, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer),
              where, "its text cannot be read");
    };
    const Handle memory(H5Tcopy(H5T_C_S1));
    H5Tset_cset(memory.get(), H5Tget_cset(type.get()));
    std::vector<std::string> texts;
    if (H5Tis_variable_str(type.get()) > 0) {
        H5Tset_size(memory.get(), H5T_VARIABLE);
        std::vector<char*> pointers(static_cast<std::size_t>(count), nullptr);
        transfer(memory.get(), pointers.data());
        for (char* pointer : pointers) {
            texts.emplace_back(pointer == nullptr ? "" : pointer);
            if (pointer != nullptr) H5free_memory(pointer);
        }
        return texts;
    }
    const std::size_t bytes = H5Tget_size(type.get());
    if (bytes == 0 || bytes * static_cast<std::size_t>(count) > kAttributeLimit * 16)
        throw Error(where + ": its text is implausibly long");
    H5Tset_size(memory.get(), bytes);
    H5Tset_strpad(memory.get(), H5Tget_strpad(type.get()));
    std::vector<char> buffer(bytes * static_cast<std::size_t>(count));
    transfer(memory.get(), buffer.data());
    for (hssize_t i = 0; i < count; ++i) {
        std::string text(buffer.data() + static_cast<std::size_t>(i) * bytes, bytes);
        text.resize(std::min(text.size(), text.find('\0')));
        if (H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD)
            text.resize(text.find_last_not_of(' ') + 1);
        texts.push_back(std::move(text));
    }
    return texts;
}

std::optional<std::string> Object::text_attribute(const std::string& name) const {
    if (!has_attribute(name)) return std::nullopt;
    const Handle attribute =
        checked(H5Aopen(id(), name.c_str(), H5P_DEFAULT), where_, "an attribute cannot be opened");
    const Handle type(H5Aget_type(attribute.get()));
    const Handle space(H5Aget_space(attribute.get()));
    if (H5Tget_class(type.get()) != H5T_STRING) return std::nullopt;
    const hssize_t count = space_size(space.get());
    if (count < 0 || static_cast<hsize_t>(count) > kAttributeLimit)
        throw Error(where_ + ": attribute '" + name + "' is implausibly long");
    return join(read_strings(attribute.get(), true, count, where_ + "@" + name), "\n");
}

std::vector<double> Object::numbers_attribute(const std::string& name) const {
    if (!has_attribute(name)) return {};
    const Handle attribute =
        checked(H5Aopen(id(), name.c_str(), H5P_DEFAULT), where_, "an attribute cannot be opened");
    const Handle type(H5Aget_type(attribute.get()));
    const H5T_class_t type_class = H5Tget_class(type.get());
    if (type_class != H5T_FLOAT && type_class != H5T_INTEGER && type_class != H5T_ENUM) return {};
    const Handle space(H5Aget_space(attribute.get()));
    const hssize_t count = space_size(space.get());
    if (count < 0 || static_cast<hsize_t>(count) > kAttributeLimit)
        throw Error(where_ + ": attribute '" + name + "' is implausibly long");
    std::vector<double> numbers(static_cast<std::size_t>(count));
    if (count > 0)
        check(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, numbers.data()), where_,
              "an attribute cannot be read");
    return numbers;
}

std::optional<double> Object::number_attribute(const std::string& name) const {
    const auto numbers = numbers_attribute(name);
    if (numbers.size() != 1) return std::nullopt;
    return numbers.front();
}

namespace {

void write_attribute(const Object& object, const std::string& name, Id type, Id space,
                     const void* data) {
    if (object.has_attribute(name)) H5Adelete(object.id(), name.c_str());
    const Handle attribute =
        checked(H5Acreate2(object.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
                object.where(), "an attribute cannot be made");
    check(H5Awrite(attribute.get(), type, data), object.where(), "an attribute cannot be written");
}

} // namespace

void Object::set_attribute(const std::string& name, const std::string& text) {
    if (text.size() > kTextAttributeLimit)
        throw Error(where_ + ": attribute '" + name + "' is too long");
    const Handle type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), std::max<std::size_t>(1, text.size()));
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    const Handle space(H5Screate(H5S_SCALAR));
    const std::string padded = text.empty() ? std::string(1, '\0') : text;
    write_attribute(*this, name, type.get(), space.get(), padded.data());
}

void Object::set_attribute(const std::string& name, double number) {
    const Handle space(H5Screate(H5S_SCALAR));
    write_attribute(*this, name, H5T_IEEE_F64LE, space.get(), &number);
}

void Object::set_attribute(const std::string& name, std::int64_t number) {
    const Handle space(H5Screate(H5S_SCALAR));
    write_attribute(*this, name, H5T_STD_I64LE, space.get(), &number);
}

void Object::set_attribute(const std::string& name, const std::vector<double>& numbers) {
    const hsize_t count = numbers.size();
    const Handle space(H5Screate_simple(1, &count, nullptr));
    write_attribute(*this, name, H5T_IEEE_F64LE, space.get(), numbers.data());
}

} // namespace assay::hdf5

// RAII over the HDF5 C API: files, groups, datasets and attributes, with errors that name file and
// path. Reading takes files of any origin and trusts none of their counts; writing produces the
// sealed form in which every byte is under a checksum (superblock 3, fixed-length strings,
// Fletcher32 or compact layout, no timestamps).
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

#include <complex>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::hdf5 {

// hid_t of the HDF5 1.10 API, so that this header does not drag hdf5.h along.
using Id = std::int64_t;

// Owns one HDF5 identifier; closing is by kind.
class ASSAY_API Handle {
  public:
    Handle() = default;
    explicit Handle(Id id) : id_(id) {}
    ~Handle();
    Handle(Handle&& other) noexcept : id_(other.id_) { other.id_ = -1; }
    Handle& operator=(Handle&& other) noexcept;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    [[nodiscard]] Id get() const { return id_; }
    [[nodiscard]] Id release() { return std::exchange(id_, -1); }

  private:
    Id id_ = -1;
};

enum class Kind { floating, integer, boolean, string, complex, reference, compound, other };
// Of the arrays of a file, from 4 KB on, by shuffling bytes and deflate level 1. automatic: where a
// sample says that it pays, and never in a stream.
enum class Compression { none, automatic, always };
// How an array will be read: a few columns of it, for which the chunks of all rows are kept in
// memory (up to a limit), or whole rows, each once.
enum class ReadOrder { columns, rows };

// What a reader of the file should know about an array; empty entries are left out.
struct ArrayInfo {
    std::string axes;        // "component,unit,lag"
    std::string units;       // "s"
    std::string description; // one line
};

// The form of our files, the root's attribute `format`.
inline constexpr const char* kFormat = "assay/1";

using Shape = std::vector<Index>;

// Number of elements; throws Error naming `where` when the product leaves 63 bits.
[[nodiscard]] ASSAY_API Index element_count(const Shape& shape, const std::string& where);
[[nodiscard]] ASSAY_API std::string shape_text(const Shape& shape); // "75 x 666"

// Anything that carries attributes.
class ASSAY_API Object {
  public:
    [[nodiscard]] const std::string& where() const { return where_; } // "rec.h5:/data/X"
    [[nodiscard]] const std::string& path() const { return path_; }   // "/data/X"
    [[nodiscard]] Id id() const { return handle_->get(); }

    [[nodiscard]] bool has_attribute(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> attribute_names() const;
    // Empty where the attribute is missing or of another kind; arrays of strings are joined by
    // newlines.
    [[nodiscard]] std::optional<std::string> text_attribute(const std::string& name) const;
    [[nodiscard]] std::optional<double> number_attribute(const std::string& name) const;
    [[nodiscard]] std::vector<double> numbers_attribute(const std::string& name) const;

    // Text above 60 KB throws: use Group::write_text.
    void set_attribute(const std::string& name, const std::string& text);
    void set_attribute(const std::string& name, const char* text) {
        set_attribute(name, std::string(text));
    }
    void set_attribute(const std::string& name, double number);
    void set_attribute(const std::string& name, std::int64_t number);
    void set_attribute(const std::string& name, int number) {
        set_attribute(name, std::int64_t{number});
    }
    void set_attribute(const std::string& name, const std::vector<double>& numbers);

  protected:
    Object(std::shared_ptr<Handle> handle, std::string file, std::string path);
    std::shared_ptr<Handle> handle_;
    std::string file_;
    std::string path_;
    std::string where_;
};

class ASSAY_API Dataset : public Object {
  public:
    Dataset(std::shared_ptr<Handle> handle, std::string file, std::string path);

    [[nodiscard]] const Shape& shape() const { return shape_; } // empty for a scalar
    [[nodiscard]] Index rank() const { return static_cast<Index>(shape_.size()); }
    [[nodiscard]] Index size() const;
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool numeric() const;
    [[nodiscard]] int element_bytes() const { return element_bytes_; }
    [[nodiscard]] std::string type_text() const; // "float64", "int16", "boolean"
    [[nodiscard]] std::string axes() const { return text_attribute("axes").value_or(""); }

    // Whole numeric arrays, converted to T (double, float, int64, int32, int16, int8, uint64,
    // uint16, uint8), C order.
    template <class T>
    [[nodiscard]] std::vector<T> read() const;
    // Complex numbers (compound of r and i, as numpy stores them).
    [[nodiscard]] std::vector<std::complex<double>> read_complex() const;
    // The box of `count` elements from `offset`, into `out`, C order.
    template <class T>
    void read_box(const Shape& offset, const Shape& count, T* out) const;
    [[nodiscard]] RowMatrix read_matrix() const; // rank 2
    [[nodiscard]] Vector read_vector() const;    // rank 1 (or one row or column)
    [[nodiscard]] std::vector<std::string> read_text() const;
    // The datasets or groups that an array of object references names; null references give empty
    // optionals.
    [[nodiscard]] std::vector<std::optional<Dataset>> referenced_datasets() const;

    // Throws Error unless numeric and of that rank; says what was found. A shape far beyond what is
    // stored is refused too.
    const Dataset& expect_numeric() const;
    const Dataset& expect_rank(Index rank) const;

    // Writes a box of a dataset made with Group::create.
    template <class T>
    void write_box(const Shape& offset, const Shape& count, const T* data);

  private:
    void check_plausible(Index elements, std::size_t bytes_each) const;
    [[nodiscard]] Error implausible(double claimed_bytes) const;
    [[nodiscard]] bool stores_enough(double claimed_bytes) const;
    Shape shape_;
    Kind kind_ = Kind::other;
    int element_bytes_ = 0;
    std::int64_t storage_bytes_ = 0;
};

class ASSAY_API Group : public Object {
  public:
    Group(std::shared_ptr<Handle> handle, std::string file, std::string path,
          Compression compression);

    // Names of members in the order of creation where the file keeps it, else by name.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] bool has(const std::string& path) const; // external links count as absent
    [[nodiscard]] bool has_group(const std::string& path) const;
    [[nodiscard]] bool has_dataset(const std::string& path) const;
    [[nodiscard]] Group group(const std::string& path) const;
    [[nodiscard]] Dataset dataset(const std::string& path,
                                  ReadOrder order = ReadOrder::columns) const;
    // Absolute paths of all datasets below, depth first, at most `limit`.
    [[nodiscard]] std::vector<std::string> dataset_paths(std::size_t limit = 10000) const;

    Group create_group(const std::string& path); // opens it where it exists; makes the way to it
    // An array to be written in boxes; `chunk` (empty: whole rows) should be the shape of the
    // boxes. From `sample`, the first of its numbers, automatic compression decides (none: not
    // compressed).
    template <class T>
    Dataset create(const std::string& name, const Shape& shape, const ArrayInfo& info,
                   const Shape& chunk = {}, const T* sample = nullptr, Index sample_size = 0);
    template <class T>
    void write(const std::string& name, const T* data, const Shape& shape,
               const ArrayInfo& info = {});
    template <class T>
    void write(const std::string& name, const std::vector<T>& data, const ArrayInfo& info = {}) {
        write(name, data.data(), {static_cast<Index>(data.size())}, info);
    }
    void write(const std::string& name, const Vector& data, const ArrayInfo& info = {});
    void write(const std::string& name, const Matrix& data, const ArrayInfo& info = {});
    void write_scalar(const std::string& name, double value, const ArrayInfo& info = {});
    // An attribute up to 60 KB, else a uint8 dataset of that name.
    void write_text(const std::string& name, const std::string& text);
    [[nodiscard]] std::optional<std::string> read_text(const std::string& name) const;
    // Copies a member of another file (chunks as they are) to `path` here.
    void copy_from(const Group& source, const std::string& path);

  private:
    void check_links(const std::string& path) const;
    [[nodiscard]] std::string absolute(const std::string& path) const;
    [[nodiscard]] bool deflates(const void* sample, Index numbers, std::size_t number_bytes) const;
    Compression compression_;
};

// A file opened for reading, or the private handle of an output.
class ASSAY_API File {
  public:
    // `name` is what messages call it. Throws Error when it is no readable HDF5 file.
    static File open(const std::string& path, const std::string& name);
    static File create(const std::string& path, const std::string& name, Compression compression);
    [[nodiscard]] Group root() const;
    [[nodiscard]] const std::string& name() const { return name_; }
    // Closes everything opened through this file; throws Error where data could not be written.
    void close();

  private:
    File(Handle handle, std::string name, Compression compression);
    std::shared_ptr<Handle> handle_;
    std::string name_;
    Compression compression_ = Compression::none;
};

} // namespace assay::hdf5

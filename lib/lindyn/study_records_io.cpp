#include <assay/lindyn/study_records_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/seed.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/attribute_text.hpp>

#include <cmath>

namespace assay::lindyn {
namespace {

// A dataset that both have, or none.
bool same_numbers(const hdf5::Group& one, const hdf5::Group& other, const std::string& name) {
    if (one.has_dataset(name) != other.has_dataset(name)) return false;
    if (!one.has_dataset(name)) return true;
    const hdf5::Dataset a = one.dataset(name), b = other.dataset(name);
    return a.shape() == b.shape() && a.read<double>() == b.read<double>();
}

} // namespace

void Rows::write(hdf5::Group& group, const std::string& name, const RowMatrix& rows,
                 const hdf5::ArrayInfo& info) const {
    hdf5::ArrayInfo whole = info;
    hdf5::Shape shape{rows.cols()};
    if (!axis.empty()) {
        shape.insert(shape.begin(), count);
        whole.axes = axis + "," + info.axes;
    }
    group.write(name, rows.data(), shape, whole);
}

void Rows::write_scalars(hdf5::Group& group, const std::string& name, const Vector& values,
                         const hdf5::ArrayInfo& info) const {
    if (axis.empty()) {
        group.write_scalar(name, values(0), info);
        return;
    }
    hdf5::ArrayInfo whole = info;
    whole.axes = axis;
    group.write(name, values, whole);
}

double number_attribute(const hdf5::Group& group, const char* name) {
    const auto value = group.number_attribute(name);
    if (!value) throw Error(concat(group.where(), ": attribute '", name, "' is missing"));
    return *value;
}

Index whole_attribute(const hdf5::Group& group, const char* name, double least) {
    const auto value = group.number_attribute(name);
    if (!value || !(*value >= least) || !(*value <= 1e15) || *value != std::floor(*value))
        throw Error(
            concat(group.where(), ": attribute '", name, "' of ", least, " or more is expected"));
    return static_cast<Index>(*value);
}

RowMatrix read_rows(const hdf5::Group& group, const std::string& name, Index rows, Index cols) {
    const RowMatrix matrix = group.dataset(name).expect_numeric().expect_rank(2).read_matrix();
    if (matrix.rows() != rows || (cols >= 0 && matrix.cols() != cols))
        throw Error(concat(group.where(), "/", name, ": ", matrix.rows(), " x ", matrix.cols(),
                           " numbers do not fit the other arrays"));
    return matrix;
}

Vector read_column(const hdf5::Group& group, const std::string& name, Index count) {
    const Vector values = group.dataset(name).expect_numeric().expect_rank(1).read_vector();
    if (values.size() != count)
        throw Error(concat(group.where(), "/", name, ": ", values.size(), " numbers; ", count,
                           " are expected"));
    return values;
}

std::vector<std::int64_t> read_numbers(const hdf5::Group& group, const std::string& name) {
    return group.dataset(name).expect_numeric().expect_rank(1).read<std::int64_t>();
}

void write_seed(hdf5::Group& group, std::uint64_t seed) {
    group.set_attribute("seed", std::to_string(seed));
}

std::uint64_t read_seed(const hdf5::Group& group) {
    const auto seed = parse_seed(group.text_attribute("seed").value_or(""));
    if (!seed) throw Error(group.where() + ": attribute 'seed', a whole number, is missing");
    return *seed;
}

void write_part(hdf5::Group& group, const StudyPart& part) {
    if (part.count == 1) return;
    group.set_attribute("shard", static_cast<std::int64_t>(part.index));
    group.set_attribute("shards", static_cast<std::int64_t>(part.count));
}

StudyPart read_part(const hdf5::Group& group) {
    return {whole_attribute(group, "shard", 1), whole_attribute(group, "shards", 1)};
}

void check_same_study(const hdf5::Group& part, const hdf5::Group& first,
                      const std::vector<std::string>& datasets) {
    for (const std::string& name : first.attribute_names())
        if (name != "shard" &&
            hdf5::attribute_text(part, name) != hdf5::attribute_text(first, name))
            throw Error(concat(
                part.where(), ": ", name, " ", printable(hdf5::attribute_text(part, name), 40),
                "; the first shard has ", printable(hdf5::attribute_text(first, name), 40)));
    const std::string sweep = first.text_attribute("sweep").value_or("");
    for (const std::string& name : sweep.empty() ? std::vector<std::string>{} : split(sweep, ','))
        if (!same_numbers(part, first, "sweep/" + name))
            throw Error(
                concat(part.where(), ": sweeps other values of ", name, " than the first shard"));
    for (const std::string& name : datasets)
        if (!same_numbers(part, first, name))
            throw Error(concat(part.where(), "/", name, ": other numbers than the first shard's"));
}

} // namespace assay::lindyn

#include <assay/hdf5/table.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/types.hpp>

#include <hdf5.h>

#include <algorithm>
#include <cstring>

namespace assay::hdf5 {
namespace {

constexpr std::size_t kLongestText = std::size_t{1}
                                     << 16U; // bytes of an entry we are ready to read

// UTF-8 of at most so many bytes, padded with zeros.
Handle text_type(std::size_t bytes) {
    Handle type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), bytes);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    return type;
}

// Where a column stands in a record, in memory and (packed alike) in the file.
struct Field {
    std::string name;
    Handle memory, file;
    std::size_t offset = 0, bytes = 0;
};

std::size_t longest(const std::vector<std::string>& texts) {
    std::size_t bytes = 1;
    for (const auto& text : texts) bytes = std::max(bytes, text.size());
    return bytes;
}

Field field_of(const std::string& name, const std::vector<std::string>& texts) {
    const std::size_t bytes = longest(texts);
    return {name, text_type(bytes), text_type(bytes), 0, bytes};
}
template <class T>
Field field_of(const std::string& name, const std::vector<T>&) {
    return {name, Handle(H5Tcopy(memory_type<T>())), Handle(H5Tcopy(file_type<T>())), 0, sizeof(T)};
}

Handle record_type(const std::vector<Field>& fields, std::size_t bytes, Handle Field::*part,
                   const std::string& where) {
    Handle type(H5Tcreate(H5T_COMPOUND, bytes));
    silence_library();
    for (const Field& field : fields)
        if (field.name.empty() ||
            H5Tinsert(type.get(), field.name.c_str(), field.offset, (field.*part).get()) < 0)
            throw Error(where + ": column '" + printable(field.name, 60) +
                        "' stands twice, or has no name");
    return type;
}

std::size_t pack(std::vector<Field>& fields) {
    std::size_t bytes = 0;
    for (Field& field : fields) {
        field.offset = bytes;
        bytes += field.bytes;
    }
    return bytes;
}

void put(char* to, const std::string& text) {
    std::copy(text.begin(), text.end(), to);
}
template <class T>
void put(char* to, T number) {
    std::memcpy(to, &number, sizeof number);
}

// What a column of a file becomes: the type to read it as, and an empty column of that kind.
std::pair<Field, TableColumn> column_of(Id record, unsigned member, const std::string& where) {
    char* const raw = H5Tget_member_name(record, member);
    TableColumn column{raw == nullptr ? "" : raw, {}};
    H5free_memory(raw);
    const Handle type(H5Tget_member_type(record, member));
    const auto kind = H5Tget_class(type.get());
    const std::size_t bytes = H5Tget_size(type.get());
    if (kind == H5T_STRING && H5Tis_variable_str(type.get()) == 0 && bytes <= kLongestText) {
        Field field{column.name, Handle(H5Tcopy(type.get())), Handle(), 0, bytes};
        column.values = std::vector<std::string>();
        return {std::move(field), std::move(column)};
    }
    const auto number = [&](auto example) {
        using T = decltype(example);
        Field field{column.name, Handle(H5Tcopy(memory_type<T>())), Handle(), 0, sizeof(T)};
        column.values = std::vector<T>();
        return std::make_pair(std::move(field), std::move(column));
    };
    if (kind == H5T_FLOAT) return number(double{});
    if (kind == H5T_INTEGER || kind == H5T_ENUM)
        return bytes < sizeof(std::int32_t) ||
                       (bytes == sizeof(std::int32_t) && H5Tget_sign(type.get()) == H5T_SGN_2)
                   ? number(std::int32_t{})
                   : number(std::int64_t{});
    throw Error(where + ": column '" + printable(column.name, 60) +
                "' is neither a number nor text of fixed length");
}

void take(std::vector<std::string>& column, const char* from, const Field& field) {
    std::string text(from, field.bytes);
    text.resize(std::min(text.size(), text.find('\0')));
    if (H5Tget_strpad(field.memory.get()) == H5T_STR_SPACEPAD)
        text.resize(text.find_last_not_of(' ') + 1);
    column.push_back(std::move(text));
}
template <class T>
void take(std::vector<T>& column, const char* from, const Field&) {
    T number{};
    std::memcpy(&number, from, sizeof number);
    column.push_back(number);
}

} // namespace

Index TableColumn::rows() const {
    return std::visit([](const auto& v) { return static_cast<Index>(v.size()); }, values);
}

template <class T>
const std::vector<T>& Table::column(const std::string& name) const {
    for (const TableColumn& one : columns) {
        if (one.name != name) continue;
        const auto* values = std::get_if<std::vector<T>>(&one.values);
        if (values == nullptr) throw Error("column '" + name + "' is of another kind");
        return *values;
    }
    throw Error("there is no column '" + name + "'");
}

void write_table(const Group& group, const std::string& name, const Table& table,
                 const ArrayInfo& info) {
    const std::string place = group.where() + "/" + name;
    if (table.columns.empty()) throw Error(place + ": a table without columns");
    std::vector<Field> fields;
    for (const TableColumn& column : table.columns) {
        if (column.rows() != table.rows())
            throw Error(concat(place, ": column '", column.name, "' has ", column.rows(),
                               " rows, the first has ", table.rows()));
        fields.push_back(
            std::visit([&](const auto& v) { return field_of(column.name, v); }, column.values));
    }
    const std::size_t bytes = pack(fields);
    const auto rows = static_cast<std::size_t>(table.rows());
    std::vector<char> records(rows * bytes, '\0');
    for (std::size_t c = 0; c < fields.size(); ++c)
        std::visit(
            [&](const auto& v) {
                for (std::size_t r = 0; r < rows; ++r)
                    put(records.data() + r * bytes + fields[c].offset, v[r]);
            },
            table.columns[c].values);
    const Handle memory = record_type(fields, bytes, &Field::memory, place),
                 file = record_type(fields, bytes, &Field::file, place);
    const hsize_t extent = rows;
    const Handle space(H5Screate_simple(1, &extent, nullptr)),
        creation = dataset_creation({table.rows()}, bytes, rows * bytes, false);
    silence_library();
    check(H5Dwrite(checked(H5Dcreate2(group.id(), name.c_str(), file.get(), space.get(),
                                      link_creation().get(), creation.get(), H5P_DEFAULT),
                           place, "cannot be made; is the disk full?")
                       .get(),
                   memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, records.data()),
          place, "cannot be written; is the disk full?");
    Dataset dataset = group.dataset(name);
    if (!info.axes.empty()) dataset.set_attribute("axes", info.axes);
    if (!info.description.empty()) dataset.set_attribute("description", info.description);
}

Table read_table(const Dataset& dataset) {
    const std::string& where = dataset.where();
    if (dataset.kind() != Kind::compound && dataset.kind() != Kind::complex)
        throw Error(where + ": holds " + dataset.type_text() + "; a table is expected");
    static_cast<void>(dataset.expect_rank(1));
    silence_library();
    const Handle record(H5Dget_type(dataset.id()));
    const int members = H5Tget_nmembers(record.get());
    check(members, where, "its columns cannot be read; the file is damaged");
    std::vector<Field> fields;
    Table table;
    for (unsigned member = 0; member < static_cast<unsigned>(members); ++member) {
        auto [field, column] = column_of(record.get(), member, where);
        fields.push_back(std::move(field));
        table.columns.push_back(std::move(column));
    }
    const std::size_t bytes = pack(fields);
    const auto claimed = static_cast<double>(bytes) * static_cast<double>(dataset.size());
    if (!stores_enough(claimed, static_cast<std::int64_t>(H5Dget_storage_size(dataset.id()))))
        throw Error(concat(where, ": claims ", dataset.size(),
                           " rows, far more than it stores; the file is damaged or incomplete"));
    const auto rows = static_cast<std::size_t>(dataset.size());
    const Handle memory = record_type(fields, bytes, &Field::memory, where);
    std::vector<char> records(rows * bytes);
    if (rows > 0)
        check(H5Dread(dataset.id(), memory.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, records.data()),
              where, "its rows cannot be read; the file is damaged or incomplete");
    for (std::size_t c = 0; c < fields.size(); ++c)
        std::visit(
            [&](auto& v) {
                v.reserve(rows);
                for (std::size_t r = 0; r < rows; ++r)
                    take(v, records.data() + r * bytes + fields[c].offset, fields[c]);
            },
            table.columns[c].values);
    return table;
}

template ASSAY_API const std::vector<std::string>& Table::column(const std::string&) const;
template ASSAY_API const std::vector<std::int32_t>& Table::column(const std::string&) const;
template ASSAY_API const std::vector<std::int64_t>& Table::column(const std::string&) const;
template ASSAY_API const std::vector<double>& Table::column(const std::string&) const;

} // namespace assay::hdf5

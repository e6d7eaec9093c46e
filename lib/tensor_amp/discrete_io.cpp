#include <assay/tensor_amp/discrete_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/recording.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/stream.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>

#include <algorithm>
#include <fstream>
#include <vector>

namespace assay::tensor_amp {
namespace {

MatrixXd read_text_states(const std::string& path) {
    std::ifstream in(path);
    if (!in) throw Error(path + ": cannot be opened");
    std::vector<std::vector<double>> rows;
    for (std::string line; std::getline(in, line);) {
        std::replace(line.begin(), line.end(), ',', ' ');
        std::replace(line.begin(), line.end(), '\t', ' ');
        line = trim(line);
        if (line.empty() || line.front() == '#') continue;
        std::vector<double> row;
        for (const std::string& field : split(line, ' ')) {
            if (field.empty()) continue;
            const auto value = parse_double(trim(field));
            if (!value)
                throw Error(concat(path, ": '", printable(field, 40), "' in row ", rows.size(),
                                   "; numbers are expected"));
            row.push_back(*value);
        }
        if (!rows.empty() && row.size() != rows.front().size())
            throw Error(concat(path, ": row ", rows.size(), " has ", row.size(), " numbers; ",
                               rows.front().size(), " are expected"));
        rows.push_back(std::move(row));
        if (static_cast<Index>(rows.size()) > kMostStates)
            throw Error(concat(path, ": more than ", kMostStates, " states"));
    }
    if (rows.empty()) throw Error(path + ": no states");
    MatrixXd states(static_cast<Index>(rows.size()), static_cast<Index>(rows.front().size()));
    for (Index i = 0; i < states.rows(); ++i)
        for (Index j = 0; j < states.cols(); ++j)
            states(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    return states;
}

} // namespace

MatrixXd read_discrete_values(const std::string& path) {
    const hdf5::Address address = hdf5::Address::parse(path);
    std::ifstream in(address.file, std::ios::binary);
    char signature[4] = {};
    in.read(signature, 4);
    if (std::string(signature, 4) != "\x89HDF") return read_text_states(path);
    const hdf5::File file = hdf5::File::open(address.file, address.file);
    const hdf5::Group group = address.path.empty() ? file.root() : file.root().group(address.path);
    const hdf5::Dataset values = group.dataset("values").expect_numeric();
    const VectorXd weights = group.dataset("weights").expect_numeric().read_vector();
    const RowMatrix states = values.rank() == 1 ? RowMatrix(values.read_vector())
                                                : RowMatrix(values.expect_rank(2).read_matrix());
    if (states.rows() != weights.size())
        throw Error(concat(values.where(), ": ", states.rows(), " states for ", weights.size(),
                           " weights"));
    MatrixXd table(states.rows(), states.cols() + 1);
    table << states, weights;
    return table;
}

} // namespace assay::tensor_amp

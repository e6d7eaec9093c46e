#include "edges_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <fstream>
#include <sstream>

namespace lindyn_app {

using namespace assay;

namespace {

void add_edge(Edges& edges, const std::string& from, const std::string& to,
              const std::string& weight) {
    const std::string separator = edges.ends.empty() ? "" : ",";
    edges.ends += separator + from + "," + to;
    edges.weights += separator + weight;
}

Edges edges_of_text(const std::string& file) {
    std::ifstream in(file);
    if (!in) throw Error(file + ": cannot be read");
    Edges edges;
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
        for (char& c : line)
            if (c == ',' || c == ';' || c == '\t') c = ' ';
        std::istringstream words(line.substr(0, line.find('#')));
        std::string from, to, weight = "1", more;
        if (!(words >> from)) continue;
        const bool two = static_cast<bool>(words >> to);
        words >> weight;
        if (!two || words >> more || !parse_integer(from) || !parse_integer(to) ||
            !parse_double(weight))
            throw Error(concat(file, ": line ", number, ": found '", printable(line, 40),
                               "'; two items and perhaps a weight are expected"));
        add_edge(edges, from, to, weight);
    }
    return edges;
}

Edges edges_of_array(const hdf5::Dataset& dataset) {
    const RowMatrix rows = dataset.expect_rank(2).expect_numeric().read_matrix();
    if (rows.cols() != 2 && rows.cols() != 3)
        throw Error(concat(dataset.where(), ": ", rows.cols(),
                           " columns; two items and perhaps a weight are expected"));
    Edges edges;
    for (Index e = 0; e < rows.rows(); ++e)
        add_edge(edges, shortest(rows(e, 0)), shortest(rows(e, 1)),
                 rows.cols() == 3 ? shortest(rows(e, 2)) : "1");
    return edges;
}

} // namespace

Edges read_edges(cli::Context& context, const std::string& text) {
    const hdf5::Address address = hdf5::Address::parse(text);
    if (address.path.empty()) {
        context.note_foreign(address.file);
        return edges_of_text(address.file);
    }
    return edges_of_array(context.open(address).root().dataset(address.path));
}

std::string read_numbers(cli::Context& context, const std::string& text) {
    const hdf5::Address address = hdf5::Address::parse(text);
    std::vector<std::string> numbers;
    const hdf5::Dataset dataset = context.open(address).root().dataset(address.path);
    for (const double x : dataset.expect_numeric().read<double>()) numbers.push_back(shortest(x));
    return join(numbers, ",");
}

} // namespace lindyn_app

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/discrete_prior.hpp>
#include <assay/tensor_amp/nonnegative_prior.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/prior_text.hpp>
#include <assay/tensor_amp/sparse_prior.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <map>

namespace assay::tensor_amp {

std::string shown(double value) {
    return shortest(value);
}

std::string shown(const VectorXd& values) {
    std::vector<std::string> parts;
    for (const double value : values) parts.push_back(shortest(value));
    return "[" + join(parts, ",") + "]";
}

std::string shown(const MatrixXd& values) {
    std::vector<std::string> rows;
    for (Index i = 0; i < values.rows(); ++i)
        rows.push_back(shown(VectorXd(values.row(i).transpose())));
    return "[" + join(rows, ",") + "]";
}

namespace {

// Splits at commas that stand in no bracket.
std::vector<std::string> split_outside_brackets(const std::string& text) {
    std::vector<std::string> parts(1);
    int depth = 0;
    for (const char c : text) {
        depth += (c == '[') - (c == ']');
        if (c == ',' && depth == 0)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

// The keys of one prior, taken one by one; what is left over is an error.
class Keys {
  public:
    Keys(const std::string& name, const std::string& text, std::vector<std::string> known)
        : name_(name), known_(std::move(known)) {
        if (trim(text).empty()) return;
        for (const std::string& part : split_outside_brackets(text)) {
            const auto equals = part.find('=');
            const std::string key = trim(part.substr(0, equals));
            if (equals == std::string::npos)
                throw UsageError(
                    concat(name_, ": found '", printable(part), "', expected key=value"));
            if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
                const auto near = nearest_name(key, known_);
                throw UsageError(concat(name_, ": unknown key '", printable(key), "'",
                                        near             ? "; did you mean '" + *near + "'?"
                                        : known_.empty() ? "; it has none"
                                                         : "; it has " + join(known_, ", ")));
            }
            if (!values_.emplace(key, trim(part.substr(equals + 1))).second)
                throw UsageError(concat(name_, ": ", key, " is given twice"));
        }
    }

    [[nodiscard]] bool has(const std::string& key) const { return values_.count(key) > 0; }
    [[nodiscard]] const std::string& text(const std::string& key) const { return values_.at(key); }

    [[nodiscard]] double number(const std::string& key, double otherwise) const {
        if (!has(key)) return otherwise;
        const auto value = parse_double(text(key));
        if (!value || !std::isfinite(*value)) wrong(key, "a number");
        return *value;
    }

    // A number for all components, or a list with one for each.
    [[nodiscard]] VectorXd vector(const std::string& key, double otherwise, Index rank) const {
        if (!has(key) || text(key).front() != '[')
            return VectorXd::Constant(rank, number(key, otherwise));
        const nlohmann::json list = json(key);
        if (static_cast<Index>(list.size()) != rank)
            throw UsageError(concat(name_, ": ", key, " has ", list.size(), " values for ", rank,
                                    rank == 1 ? " component" : " components"));
        VectorXd values(rank);
        for (Index k = 0; k < rank; ++k)
            values(k) = element(key, list[static_cast<std::size_t>(k)]);
        return values;
    }

    [[nodiscard]] MatrixXd matrix(const std::string& key, Index rank) const {
        const nlohmann::json rows = json(key);
        MatrixXd values(rank, rank);
        bool square = static_cast<Index>(rows.size()) == rank;
        for (Index i = 0; square && i < rank; ++i) {
            const nlohmann::json& row = rows[static_cast<std::size_t>(i)];
            square = row.is_array() && static_cast<Index>(row.size()) == rank;
            for (Index j = 0; square && j < rank; ++j)
                values(i, j) = element(key, row[static_cast<std::size_t>(j)]);
        }
        if (!square) wrong(key, concat(rank, " rows of ", rank, " numbers"));
        return values;
    }

  private:
    [[noreturn]] void wrong(const std::string& key, const std::string& expected) const {
        throw UsageError(
            concat(name_, ": ", key, " is '", printable(text(key)), "', expected ", expected));
    }
    [[nodiscard]] nlohmann::json json(const std::string& key) const {
        nlohmann::json list = nlohmann::json::parse(text(key), nullptr, false);
        if (!list.is_array()) wrong(key, "a list");
        return list;
    }
    [[nodiscard]] double element(const std::string& key, const nlohmann::json& value) const {
        if (!value.is_number()) wrong(key, "numbers");
        return value.get<double>();
    }

    std::string name_;
    std::vector<std::string> known_;
    std::map<std::string, std::string> values_;
};

struct PriorFamily {
    std::vector<std::string> keys;
    std::function<PriorPointer(const Keys&, Index rank, ValueReader)> make;
};

PriorPointer gauss(const Keys& keys, Index rank, ValueReader) {
    if (keys.has("var") && keys.has("cov")) throw UsageError("gauss: give var or cov, not both");
    const VectorXd mean = keys.vector("mean", 0, rank);
    const MatrixXd covariance = keys.has("cov")
                                    ? keys.matrix("cov", rank)
                                    : MatrixXd(keys.vector("var", 1, rank).asDiagonal());
    for (const double variance : covariance.diagonal())
        if (!(variance > 0))
            throw UsageError(concat("gauss: a variance is ", variance, "; it must be positive"));
    return std::make_shared<GaussianPrior>(mean, covariance);
}

PriorPointer discrete(const Keys& keys, Index rank, ValueReader read_values) {
    if (!keys.has("file")) throw UsageError("discrete: needs file=PATH with values and weights");
    if (!read_values) throw UsageError("discrete: files cannot be read here");
    const MatrixXd table = read_values(keys.text("file"));
    if (table.cols() != rank + 1)
        throw UsageError(
            concat("discrete: values have ", table.cols() - 1, " components for ", rank));
    return std::make_shared<DiscretePrior>(table.leftCols(rank), table.col(rank),
                                           "discrete:file=" + keys.text("file"));
}

const std::map<std::string, PriorFamily>& families() {
    static const std::map<std::string, PriorFamily> all{
        {"gauss", {{"mean", "var", "cov"}, gauss}},
        {"rademacher",
         {{"p"},
          [](const Keys& keys, Index rank, ValueReader) {
              return rademacher_prior(rank, keys.number("p", 0.5));
          }}},
        {"bernoulli",
         {{"rho"},
          [](const Keys& keys, Index rank, ValueReader) {
              return bernoulli_prior(rank, keys.number("rho", 0.5));
          }}},
        {"sparse-rademacher",
         {{"rho"},
          [](const Keys& keys, Index rank, ValueReader) {
              return sparse_rademacher_prior(rank, keys.number("rho", 0.1));
          }}},
        {"one-hot",
         {{"probabilities"},
          [](const Keys& keys, Index rank, ValueReader) {
              return one_hot_prior(
                  keys.vector("probabilities", 1 / static_cast<double>(rank), rank));
          }}},
        {"discrete", {{"file"}, discrete}},
        {"gauss-bernoulli",
         {{"rho", "mean", "var"},
          [](const Keys& keys, Index rank, ValueReader) -> PriorPointer {
              return std::make_shared<GaussBernoulliPrior>(
                  rank, keys.number("rho", 0.1), keys.number("mean", 0), keys.number("var", 1));
          }}},
        {"nonneg-gauss",
         {{"mean", "var"},
          [](const Keys& keys, Index rank, ValueReader) -> PriorPointer {
              return std::make_shared<TruncatedGaussianPrior>(keys.vector("mean", 0, rank),
                                                              keys.vector("var", 1, rank));
          }}},
        {"exponential", {{"rate"}, [](const Keys& keys, Index rank, ValueReader) -> PriorPointer {
                             return std::make_shared<ExponentialPrior>(
                                 keys.vector("rate", 1, rank));
                         }}}};
    return all;
}

} // namespace

PriorPointer parse_prior(const std::string& text, Index rank, ValueReader read_values) {
    const auto colon = text.find(':');
    const std::string name = trim(text.substr(0, colon));
    const auto family = families().find(name);
    if (family == families().end()) {
        std::vector<std::string> names;
        for (const auto& entry : families()) names.push_back(entry.first);
        const auto near = nearest_name(name, names);
        throw UsageError(
            concat("unknown prior '", printable(name), "'",
                   near ? "; did you mean '" + *near + "'?" : "; there are " + join(names, ", ")));
    }
    const Keys keys(name, colon == std::string::npos ? "" : text.substr(colon + 1),
                    family->second.keys);
    try {
        return family->second.make(keys, rank, read_values);
    } catch (const UsageError&) {
        throw;
    } catch (const Error& e) {
        throw UsageError(e.what());
    }
}

} // namespace assay::tensor_amp

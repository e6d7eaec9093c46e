#include <assay/cnmf/cnmf_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace assay::cnmf {
namespace {

void write_summaries(hdf5::Group group, const std::vector<SelectSummary>& summaries) {
    const auto column = [&](const char* name, const char* text, auto value) {
        std::vector<decltype(value(summaries.front()))> values;
        for (const auto& s : summaries) values.push_back(value(s));
        group.write(std::string("summary_") + name, values, {"point", "", text});
    };
    column("k", "components",
           [](const auto& s) { return static_cast<std::int64_t>(s.point.components); });
    column("l", "lags", [](const auto& s) { return static_cast<std::int64_t>(s.point.lags); });
    column("x_ortho", "cross-orthogonality penalty", [](const auto& s) { return s.point.x_ortho; });
    column("train_loss", "mean over repetitions", [](const auto& s) { return s.train; });
    column("train_sem", "its standard error", [](const auto& s) { return s.train_sem; });
    column("test_loss", "mean over repetitions", [](const auto& s) { return s.test; });
    column("test_sem", "its standard error", [](const auto& s) { return s.test_sem; });
    column("full_loss", "mean over repetitions", [](const auto& s) { return s.full; });
    column("dissimilarity", "median over repetitions",
           [](const auto& s) { return s.dissimilarity; });
}

} // namespace

void write_select(hdf5::Group group, const SelectTable& table) {
    const auto column = [&](const char* name,
                            const std::pair<const char*, const char*>& units_and_text, auto value) {
        std::vector<decltype(value(table.rows.front()))> values;
        for (const auto& row : table.rows) values.push_back(value(row));
        group.write(name, values, {"fit", units_and_text.first, units_and_text.second});
    };
    column("k", {"", "components"},
           [](const SelectRow& r) { return static_cast<std::int64_t>(r.point.components); });
    column("l", {"bin", "lags"},
           [](const SelectRow& r) { return static_cast<std::int64_t>(r.point.lags); });
    column("x_ortho", {"", "cross-orthogonality penalty"},
           [](const SelectRow& r) { return r.point.x_ortho; });
    column("rep", {"", "repetition: mask and start"},
           [](const SelectRow& r) { return static_cast<std::int64_t>(r.repetition); });
    column("train_loss", {"", "relative loss over seen entries"},
           [](const SelectRow& r) { return r.train_loss; });
    column("test_loss", {"", "relative loss over held-out entries"},
           [](const SelectRow& r) { return r.test_loss; });
    column("full_loss", {"", "relative loss of the fit to all entries"},
           [](const SelectRow& r) { return r.full_loss; });
    column("penalty", {"", "cross-orthogonality of that fit, unweighted"},
           [](const SelectRow& r) { return r.penalty; });
    column("dissimilarity", {"", "median to the other repetitions"},
           [](const SelectRow& r) { return r.dissimilarity; });
    column("iterations", {"", "of the fit to all entries"},
           [](const SelectRow& r) { return static_cast<std::int64_t>(r.iterations); });
    group.set_attribute("points", static_cast<std::int64_t>(table.points));
    group.set_attribute("digest", table.digest);
    write_warnings(group, join({table.warnings.begin(), table.warnings.end()}, "\n"));
    if (table.shards > 1) {
        group.set_attribute("shard", table.shard);
        group.set_attribute("shards", table.shards);
        return;
    }
    if (table.rows.empty()) return;
    const auto summaries = summarize(table.rows);
    write_summaries(group, summaries);
    const auto s = suggest(summaries);
    if (!s) return;
    const SelectPoint &smallest = summaries[s->smallest].point, &least = summaries[s->least].point;
    group.set_attribute("suggested_k", static_cast<std::int64_t>(smallest.components));
    group.set_attribute("suggested_l", static_cast<std::int64_t>(smallest.lags));
    group.set_attribute("suggested_x_ortho", smallest.x_ortho);
    group.set_attribute("least_test_k", static_cast<std::int64_t>(least.components));
}

SelectTable read_select(const hdf5::Group& group) {
    SelectTable table;
    const auto numbers = [&](const char* name) {
        return group.dataset(name).expect_numeric().read<double>();
    };
    const auto k = numbers("k"), l = numbers("l"), x = numbers("x_ortho"), rep = numbers("rep"),
               train = numbers("train_loss"), test = numbers("test_loss"),
               full = numbers("full_loss"), penalty = numbers("penalty"),
               dissimilarity = numbers("dissimilarity"), iterations = numbers("iterations");
    for (const auto* column :
         {&l, &x, &rep, &train, &test, &full, &penalty, &dissimilarity, &iterations})
        if (column->size() != k.size())
            throw Error(group.where() + ": its columns differ in length");
    for (std::size_t i = 0; i < k.size(); ++i)
        table.rows.push_back({{static_cast<Index>(k[i]), static_cast<Index>(l[i]), x[i]},
                              static_cast<Index>(rep[i]),
                              train[i],
                              test[i],
                              full[i],
                              penalty[i],
                              dissimilarity[i],
                              static_cast<Index>(iterations[i])});
    table.points = static_cast<Index>(group.number_attribute("points").value_or(0));
    table.shard = static_cast<int>(group.number_attribute("shard").value_or(1));
    table.shards = static_cast<int>(group.number_attribute("shards").value_or(1));
    table.digest = group.text_attribute("digest").value_or("");
    for (const auto& line : split(group.text_attribute("warnings").value_or(""), '\n'))
        if (!line.empty()) table.warnings.insert(line);
    return table;
}

} // namespace assay::cnmf

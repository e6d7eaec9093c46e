#include <assay/lindyn/development_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/indices.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/lindyn_io.hpp>
#include <assay/training/run_io.hpp>

#include <cmath>
#include <optional>

namespace assay::lindyn {
namespace {

std::vector<Matrix> read_stack(const hdf5::Group& group, const std::string& name, Index moments) {
    const hdf5::Dataset dataset = group.dataset(name).expect_rank(3).expect_numeric();
    const auto& shape = dataset.shape();
    if (shape[0] != moments)
        throw Error(
            concat(dataset.where(), ": ", shape[0], " moments; ", moments, " are expected"));
    std::vector<Matrix> stack;
    for (Index t = 0; t < moments; ++t) {
        RowMatrix one(shape[1], shape[2]);
        dataset.read_box<double>({t, 0, 0}, {1, shape[1], shape[2]}, one.data());
        stack.emplace_back(one);
    }
    return stack;
}

// Where modes end; of older results those that started above 0, without weight decay.
Vector read_ends(const hdf5::Group& predict, const Vector& initial, const Vector& asymptote) {
    if (!predict.has_dataset("end_strength")) return (initial.array() > 0).select(asymptote, 0.0);
    const hdf5::Dataset stored = predict.dataset("end_strength").expect_numeric();
    const Vector end = stored.read_vector();
    if (end.size() != initial.size() || !end.allFinite())
        throw Error(concat(stored.where(), ": ", end.size(), " numbers; ", initial.size(),
                           " finite ones, one a mode, are expected"));
    return end;
}

void write_matrix_of(hdf5::Group& group, const std::string& name,
                     const std::vector<std::int64_t>& values, Index cols,
                     const hdf5::ArrayInfo& info) {
    group.write(name, values.data(), {static_cast<Index>(values.size()) / cols, cols}, info);
}

} // namespace

Matrix item_vectors(const Problem& problem) {
    return problem.whitened() ? Matrix(problem.root * problem.modes.v) : problem.modes.v;
}

std::unique_ptr<Development> read_predicted(const hdf5::Group& predict, const Problem& problem) {
    const Vector time = predict.dataset("time").expect_numeric().read_vector();
    const std::string method = predict.text_attribute("method").value_or("");
    const bool unequal = predict.has_attribute("initial_layers"); // strengths alone do not tell
    if (unequal || method == "exact" || method == "flow") {
        for (const char* name : {"map", "hidden_gram", "output_gram"})
            if (!predict.has_dataset(name))
                throw Error(concat(predict.where(), "/", name, ": missing; from ",
                                   unequal ? "--initial-layers" : "--method " + method,
                                   " a result of predict --maps --grams is expected"));
        // Similarities do not tell the sign of what a layer has along a mode, which passes 0 then.
        if (unequal &&
            predict.dataset("initial_strength").expect_numeric().read_vector().minCoeff() < 0)
            throw Error(predict.where() + ": --initial-layers of unlike signs; of like signs are "
                                          "expected");
        return std::make_unique<GramDevelopment>(time, read_stack(predict, "map", time.size()),
                                                 read_stack(predict, "hidden_gram", time.size()),
                                                 read_stack(predict, "output_gram", time.size()));
    }
    const auto depth = static_cast<int>(predict.number_attribute("depth").value_or(2));
    const Vector initial = predict.dataset("initial_strength").expect_numeric().read_vector();
    if (initial.size() != problem.modes.count())
        throw Error(concat(predict.where(), "/initial_strength: ", initial.size(), " modes; ",
                           problem.modes.count(), " are expected"));
    return at_place(predict.where(), [&] {
        return std::make_unique<AlignedDevelopment>(
            time, predict.dataset("strength").expect_rank(2).read_matrix(),
            read_ends(predict, initial, problem.modes.asymptote), problem.modes.u,
            item_vectors(problem), depth);
    });
}

std::unique_ptr<Development> read_recorded(const hdf5::Group& root,
                                           const std::vector<std::int64_t>& steps) {
    if (steps.size() < 2)
        throw Error(
            concat(root.where(), ": ", steps.size(), " checkpoint; two or more are expected"));
    std::vector<Layers> layers;
    Vector time(static_cast<Index>(steps.size()));
    for (std::size_t k = 0; k < steps.size(); ++k) {
        time(static_cast<Index>(k)) = static_cast<double>(steps[k]);
        layers.push_back(at_place(concat(root.where(), " step ", steps[k]), [&] {
            return read_layers(training::read_checkpoint(root, steps[k]));
        }));
    }
    return std::make_unique<RecordedDevelopment>(time, std::move(layers));
}

Matrix read_labels(const hdf5::Dataset& dataset, std::int64_t items) {
    dataset.expect_numeric();
    Matrix labels;
    if (dataset.rank() == 1)
        labels = dataset.read_vector();
    else
        labels = dataset.expect_rank(2).read_matrix();
    if (labels.rows() != items)
        throw Error(concat(dataset.where(), ": labels of ", labels.rows(), " items; ", items,
                           " are expected"));
    return at_place(dataset.where(), [&] { return rooted_labels(labels); });
}

void write_moments(hdf5::Group& group, const std::string& name, Index moments, Index size,
                   const std::function<Matrix(Index)>& at_moment, const hdf5::ArrayInfo& info) {
    std::optional<hdf5::Dataset> dataset;
    for (Index t = 0; t < moments; ++t) {
        const RowMatrix one = at_moment(t);
        if (!dataset)
            dataset = group.create<double>(name, {moments, size, size}, info, {1, size, size},
                                           one.data(), one.size());
        dataset->write_box({t, 0, 0}, {1, size, size}, one.data());
    }
}

void write_embedding(hdf5::Group& group, const Embedding& embedding) {
    const auto moments = static_cast<Index>(embedding.coordinates.size());
    const Index items = embedding.coordinates.front().rows(),
                dims = embedding.coordinates.front().cols();
    hdf5::Dataset dataset = group.create<double>(
        "mds", {moments, items, dims},
        {"time,item,dimension", "", "places by classical scaling of hidden distances"},
        {1, items, dims}, embedding.coordinates.front().data(), items * dims);
    for (Index t = 0; t < moments; ++t)
        dataset.write_box({t, 0, 0}, {1, items, dims}, embedding.coordinates[at(t)].data());
    group.write("mds_variance_kept", embedding.variance_kept,
                {embedding.variance_kept.size() == 1 ? "" : "time", "",
                 "share of the variance that these dimensions hold"});
}

void write_differentiation(hdf5::Group group, const Differentiation& d, Index items,
                           const std::string& unit, const std::vector<linalg::Merge>& linkage) {
    std::vector<std::int64_t> level, branch;
    for (const Split& split : d.splits) {
        level.push_back(split.level);
        std::vector<std::int64_t> row(at(items), -1);
        for (std::size_t b = 0; b < split.branches.size(); ++b)
            for (const Index item : split.branches[b]) row[at(item)] = static_cast<std::int64_t>(b);
        branch.insert(branch.end(), row.begin(), row.end());
    }
    group.write("level", level, {"split", "", "of the node whose branches part; the root: 0"});
    write_matrix_of(group, "branch", branch, items,
                    {"split,item", "", "branch of each item; -1: not below this node"});
    group.write("distance", d.distance,
                {"time,split", "", "between centroids of the branches (root mean square)"});
    group.write("item_distance", d.item_distance,
                {"time,split", "", "between items of different branches (root mean square)"});
    group.write("end_distance", d.end_distance, {"split", "", "of centroids, at the end"});
    group.write("half_time", d.half_time,
                {"split", unit, "when the squared distance passes half of its end; NaN: not"});
    group.write("time_10", d.time_10, {"split", unit, "10 % of it; NaN: not"});
    group.write("time_90", d.time_90, {"split", unit, "90 % of it; NaN: not"});
    group.write("group", d.group,
                {"split", "", "group of modes that parts the branches; -1: not known"});
    if (linkage.empty()) return;
    RowMatrix rows(static_cast<Index>(linkage.size()), 4);
    for (std::size_t k = 0; k < linkage.size(); ++k)
        rows.row(static_cast<Index>(k)) << static_cast<double>(linkage[k].first),
            static_cast<double>(linkage[k].second), linkage[k].height,
            static_cast<double>(linkage[k].size);
    group.write("linkage", rows.data(), {rows.rows(), 4},
                {"merge,column", "",
                 "average linkage of the final distances as scipy has it: two clusters, height, "
                 "items"});
}

void write_illusions(hdf5::Group group, const Illusions& f, const Matrix& parts,
                     const std::vector<Matrix>& peak_parts, const std::string& unit) {
    group.write("excursion", f.excursion,
                {"feature,item", "", "how far the output leaves the interval from start to end"});
    group.write("peak", f.peak, {"feature,item", "", "the output at that time; NaN: none"});
    group.write("peak_time", f.peak_time, {"feature,item", unit, ""});
    if (!peak_parts.empty()) {
        const Index rows = f.peak.rows(), cols = f.peak.cols();
        hdf5::Dataset dataset = group.create<double>(
            "contribution", {static_cast<Index>(peak_parts.size()), rows, cols},
            {"group,feature,item", "", "what each group of modes adds to the peak"},
            {1, rows, cols}, peak_parts.front().data(), rows * cols);
        for (std::size_t g = 0; g < peak_parts.size(); ++g) {
            const RowMatrix one = peak_parts[g];
            dataset.write_box({static_cast<Index>(g), 0, 0}, {1, rows, cols}, one.data());
        }
    }
    group.set_attribute("feature", static_cast<std::int64_t>(f.feature));
    group.set_attribute("item", static_cast<std::int64_t>(f.item));
    group.write("curve", f.curve, {"time", "", "the output of the largest excursion"});
    if (parts.size() > 0)
        group.write("curve_contribution", parts,
                    {"time,group", "", "what each group of modes adds to it"});
}

void write_typicality(hdf5::Group& group, const Typicality& t, const std::string& unit) {
    group.write("typicality", t.value,
                {"mode,item", "", "v_a of each item: how typical it is of the mode's category"});
    group.write("typicality_group", t.group_value,
                {"group,item", "", "length of the item's projection on the group of modes"});
    write_matrix_of(group, "typicality_order", t.order, t.value.cols(),
                    {"mode,rank", "", "items from the most to the least typical"});
    group.write(
        "category_feature", t.category_feature,
        {"mode", "", "the feature that stands for the mode's category: the largest of u_a"});
    group.write("answer_time", t.answer_time,
                {"mode,item", unit, "when the output on it passes the threshold; NaN: never"});
    write_matrix_of(group, "typicality_order_group", t.group_order, t.value.cols(),
                    {"group,rank", "", "items from the most to the least typical of the feature"});
    group.write("category_feature_group", t.group_feature,
                {"group", "", "the feature that reaches furthest into the group's plane"});
    group.write("answer_time_group", t.group_answer_time,
                {"group,item", unit, "when the output on it passes the threshold; NaN: never"});
}

void write_level_spectrum(hdf5::Group group, const LevelSpectrum& s) {
    group.write("nodes", s.nodes, {"level", "", "of each level of the tree"});
    group.write("correlation", s.correlation,
                {"level", "", "mean similarity of items that part at this level; itself: 1"});
    group.write("eigenvalue", s.eigenvalue,
                {"level", "", "of the similarities: the larger, the earlier the level is learned"});
    group.set_attribute("first_level", static_cast<std::int64_t>(s.first));
    group.set_attribute("broad_to_fine", s.broad_to_fine() ? 1 : 0);
}

void write_networks(hdf5::Group group, const NeuralSimilarity& s,
                    const std::vector<std::string>& files) {
    group.write("gram_correlation", s.gram_correlation,
                {"network,network", "", "of hidden similarities over pairs of items"});
    group.write("distance_correlation", s.distance_correlation,
                {"network,network", "", "of hidden distances over pairs of items"});
    group.write("gram_difference", s.gram_difference,
                {"network,network", "", "of hidden similarities, relative, Frobenius"});
    group.write("map_difference", s.map_difference,
                {"network,network", "", "of the maps, relative, Frobenius"});
    group.write(
        "root_law", s.root_law,
        {"network", "", "|(W_1^T W_1)^D - W^T W| / |W^T W|, D layers; 0 after small starts"});
    group.write_text("files", join(files, "\n"));
}

// ---- coherence --------------------------------------------------------------------------------

namespace {

template <class Row, class Get>
Vector column(const std::vector<Row>& rows, const Get& get) {
    Vector values(static_cast<Index>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i) values(static_cast<Index>(i)) = get(rows[i]);
    return values;
}

void write_categories(hdf5::Group& group, const std::vector<Category>& rows,
                      const std::string& axis) {
    group.write("items", column(rows, [](const Category& c) { return c.items; }),
                {axis, "", "K_o, of the category"});
    group.write("features", column(rows, [](const Category& c) { return c.features; }),
                {axis, "", "K_f, of the category"});
    group.write("probability", column(rows, [](const Category& c) { return c.probability; }),
                {axis, "", "p, of its features in its items"});
}

void write_coherences(hdf5::Group& group, const std::vector<Coherence>& rows,
                      const std::string& suffix, const std::string& axis) {
    group.write("singular_value" + suffix,
                column(rows, [](const Coherence& c) { return c.singular_value; }),
                {axis, "", "of (table - q) / sqrt(q (1 - q) N_o)"});
    group.write("overlap_feature" + suffix,
                column(rows, [](const Coherence& c) { return c.overlap_feature; }),
                {axis, "", "squared, of the mode with the category's features"});
    group.write("overlap_item" + suffix,
                column(rows, [](const Coherence& c) { return c.overlap_item; }),
                {axis, "", "squared, of the mode with the category's items"});
}

void write_snr(hdf5::Group& group, const std::vector<Coherence>& rows, const std::string& axis) {
    group.write("snr", column(rows, [](const Coherence& c) { return c.snr; }),
                {axis, "", "above 1 the category has a mode of its own"});
}

} // namespace

void write_coherence(hdf5::Group group, const CoherenceReport& report) {
    write_categories(group, report.categories, "category");
    write_snr(group, report.predicted, "category");
    write_coherences(group, report.predicted, "", "category");
    write_coherences(group, report.observed, "_observed", "category");
    group.write("mode", report.mode, {"category", "", "number of the mode nearest to it"});
    group.set_attribute("background", report.background);
}

void write_coherence_grid(hdf5::Group group, const std::vector<Category>& categories,
                          const std::vector<Coherence>& predicted, double background, double items,
                          double features) {
    write_categories(group, categories, "point");
    write_snr(group, predicted, "point");
    write_coherences(group, predicted, "", "point");
    group.set_attribute("background", background);
    group.set_attribute("n_items", items);
    group.set_attribute("n_features", features);
}

void write_induction(hdf5::Group group, Index item, const Vector& property, Index feature,
                     const Vector& features, double time, const std::string& time_unit) {
    if (property.size() > 0) {
        group.write("property", property,
                    {"item", "", "credit of a new property that is taught for one item"});
        group.set_attribute("item", static_cast<std::int64_t>(item));
    }
    if (features.size() > 0) {
        group.write("feature_credit", features,
                    {"feature", "", "what a new item is credited with that has one feature"});
        group.set_attribute("feature", static_cast<std::int64_t>(feature));
    }
    group.write_scalar("time", time, {"", time_unit, "NaN: the end of learning"});
}

} // namespace assay::lindyn

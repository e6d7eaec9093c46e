// lindyn develop: what a network knows, confuses and represents while it learns.
#include "commands.hpp"
#include "development_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/development_io.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

constexpr const char* kAnalyses[] = {"distance", "similarity", "mds",       "differentiation",
                                     "illusion", "typicality", "induction", "basic-level"};
enum class Mds { joint, each };

struct Options {
    DevelopmentOptions course;
    std::vector<std::string> analyses; // empty: all that apply
    Mds mds = Mds::joint;
    Index dims = 2;
    std::string tree;
    double threshold = 0.5;
    std::optional<double> reference_time;
    std::int64_t memory = std::int64_t{64} << 20;
    bool networks = false;
};

bool named(const Options& o, const std::string& analysis) {
    return std::find(o.analyses.begin(), o.analyses.end(), analysis) != o.analyses.end();
}

bool wanted(const Options& o, const std::string& analysis) {
    return o.analyses.empty() || named(o, analysis);
}

void check_options(const Options& o) {
    const std::vector<std::string> known(std::begin(kAnalyses), std::end(kAnalyses));
    for (const std::string& one : o.analyses)
        if (std::find(known.begin(), known.end(), one) == known.end())
            throw UsageError("option '--analyses': found '" + printable(one, 40) + "'; some of " +
                             join(known, ", ") + " are expected");
    if (!o.reference_time) return;
    if (o.networks) throw UsageError("option '--reference-time': networks have no times");
    if (!wanted(o, "similarity"))
        throw UsageError("option '--reference-time': no similarity among --analyses");
}

// What a run of analyses shares.
struct Work {
    const Options& o;
    cli::Context& context;
    const Course& course;
    hdf5::Group group; // /lindyn/develop

    [[nodiscard]] const Development& development() const { return *course.development; }
};

// Large arrays are written where they fit or were asked for by name; whether this one was.
bool write_large(Work& w, const std::string& analysis, const std::string& name, Index size,
                 const std::function<Matrix(Index)>& at, const hdf5::ArrayInfo& info) {
    const Index moments = w.development().end();
    const double bytes =
        8.0 * static_cast<double>(moments) * static_cast<double>(size) * static_cast<double>(size);
    if (!named(w.o, analysis) && bytes > static_cast<double>(w.o.memory)) {
        w.context.monitor().info(concat(name, ": ", human_bytes(bytes),
                                        " are left out (--analyses ", analysis, " writes them)"));
        return false;
    }
    write_moments(w.group, name, moments, size, at, info);
    return true;
}

Index nearest_moment(const Development& d, double time) {
    Index nearest = 0;
    (d.time().array() - time).abs().minCoeff(&nearest);
    return nearest;
}

void similarity(Work& w) {
    const Development& d = w.development();
    const Matrix last = d.item_points(d.end() - 1);
    write_large(w, "similarity", "similarity", d.items(),
                [&](Index t) {
                    const Matrix points = d.item_points(t);
                    return Matrix(points * points.transpose());
                },
                {"time,item,item", "", "h_i . h_j of hidden representations"});
    write_large(w, "similarity", "similarity_to_last", d.items(),
                [&](Index t) { return Matrix(d.item_points(t) * last.transpose()); },
                {"time,item,item", "", "h_i(t) . h_j(last time)"});
    if (w.o.reference_time) {
        const Index moment = nearest_moment(d, *w.o.reference_time);
        const Matrix then = d.item_points(moment);
        if (write_large(w, "similarity", "similarity_to_reference", d.items(),
                        [&](Index t) { return Matrix(d.item_points(t) * then.transpose()); },
                        {"time,item,item", "", "h_i(t) . h_j(reference_time)"}))
            w.group.set_attribute("reference_time", d.time()(moment));
    }
    write_large(w, "similarity", "feature_similarity", d.features(),
                [&](Index t) {
                    const Matrix points = d.feature_points(t);
                    return Matrix(points * points.transpose());
                },
                {"time,feature,feature", "", "products of the features' weights"});
}

void induction(Work& w) {
    const Development& d = w.development();
    write_large(w, "induction", "item_projection", d.items(),
                [&](Index t) { return projection(d.item_points(t)); },
                {"time,item,item", "", "credit of the second for a property taught of the first"});
    write_large(
        w, "induction", "feature_projection", d.features(),
        [&](Index t) { return projection(d.feature_points(t)); },
        {"time,feature,feature", "", "credit of the second for a new item that has the first"});
}

// Item labels of --tree, or of the truth that came along.
std::optional<Matrix> labels_of(const Options& o, cli::Context& context, Index items) {
    if (!o.tree.empty()) {
        const hdf5::Address address = hdf5::Address::parse(o.tree);
        return read_labels(context.open(address).root().dataset(address.path), items);
    }
    const hdf5::Group root = context.input().root();
    if (!root.has_dataset("/truth/label")) return std::nullopt;
    return read_labels(root.dataset("/truth/label"), items);
}

void differentiation(Work& w, const std::optional<Matrix>& labels) {
    const Development& d = w.development();
    std::vector<linalg::Merge> linkage;
    if (!labels) linkage = linalg::average_linkage(distances(d.item_points(d.end())));
    Differentiation found = differentiate(d, labels ? splits_of_labels(*labels)
                                                    : splits_of_linkage(linkage, d.items()));
    if (w.course.problem) {
        const Matrix v = item_vectors(*w.course.problem);
        assign_groups(found, v, w.course.problem->modes.asymptote, w.course.problem->modes.group);
    }
    write_differentiation(w.group.create_group("differentiation"), found, d.items(), w.course.unit,
                          linkage);
    for (std::size_t s = 0; s < std::min<std::size_t>(found.splits.size(), 4); ++s)
        w.context.report(concat("split ", s), found.half_time(static_cast<Index>(s)),
                         concat(w.course.unit, ", level ", found.splits[s].level));
}

void illusion(Work& w) {
    const Development& d = w.development();
    const Illusions found = illusory_correlations(d);
    Matrix parts;
    std::vector<Matrix> peak_parts;
    if (w.course.problem) {
        const Modes& modes = w.course.problem->modes;
        const Matrix v = item_vectors(*w.course.problem);
        const Matrix strengths = strengths_over_time(d, modes.u, v);
        parts = contributions(strengths, modes.u, v, modes.group, found.feature, found.item);
        const double bytes =
            8.0 * static_cast<double>(parts.cols()) * static_cast<double>(found.peak.size());
        if (bytes <= static_cast<double>(w.o.memory))
            peak_parts = peak_contributions(found, d.time(), strengths, modes.u, v, modes.group);
    }
    write_illusions(w.group.create_group("illusion"), found, parts, peak_parts, w.course.unit);
    const double largest = found.excursion.maxCoeff();
    w.context.report("largest illusion", largest);
    if (largest > 0)
        w.context.report(
            "illusion time", found.peak_time(found.feature, found.item),
            concat(w.course.unit, ", feature ", found.feature, " of item ", found.item));
}

void typical(Work& w) {
    if (!w.course.problem) return;
    const Modes& modes = w.course.problem->modes;
    write_typicality(w.group,
                     typicality(w.development(), modes.u, item_vectors(*w.course.problem),
                                modes.group, w.o.threshold),
                     w.course.unit);
}

void basic_level(Work& w, const std::optional<Matrix>& labels) {
    if (!labels || !w.course.problem) return;
    need_formed(w.course.problem->statistics);
    const Matrix syx = w.course.problem->original_map(w.course.problem->statistics.syx);
    const auto spectrum = level_spectrum(*labels, syx.transpose() * syx);
    if (!spectrum) return;
    write_level_spectrum(w.group.create_group("basic_level"), *spectrum);
    w.context.report("level learned first", static_cast<std::int64_t>(spectrum->first),
                     spectrum->broad_to_fine() ? "then the others, from broad to fine"
                                               : "not from broad to fine");
}

void scaling(Work& w) {
    const Embedding embedding = w.o.mds == Mds::joint ? embed_jointly(w.development(), w.o.dims)
                                                      : embed_each(w.development(), w.o.dims);
    write_embedding(w.group, embedding);
    w.context.report("mds variance kept",
                     embedding.variance_kept(embedding.variance_kept.size() - 1));
}

void develop_one(const Options& o, cli::Context& context) {
    const Course course = load_course(context, o.course);
    const Development& d = *course.development;
    Work w{o, context, course, context.output().create_group("/lindyn/develop")};
    w.group.write("time", d.time(), {"time", course.unit, "of training"});
    context.report("items", static_cast<std::int64_t>(d.items()));
    const std::optional<Matrix> labels = labels_of(o, context, d.items());
    if (wanted(o, "distance"))
        write_large(w, "distance", "distance", d.items(),
                    [&](Index t) { return distances(d.item_points(t)); },
                    {"time,item,item", "", "between hidden representations"});
    if (wanted(o, "similarity")) similarity(w);
    if (wanted(o, "mds")) scaling(w);
    if (wanted(o, "differentiation") && d.items() > 1) differentiation(w, labels);
    if (wanted(o, "illusion")) illusion(w);
    if (wanted(o, "typicality")) typical(w);
    if (wanted(o, "induction")) induction(w);
    if (wanted(o, "basic-level")) basic_level(w, labels);
    context.propose("lindyn plot " + context.output_target() + " --figure mds -o mds.svg");
}

void develop_networks(cli::Context& context) {
    std::vector<Layers> networks;
    std::vector<std::string> files;
    for (std::size_t k = 0; k < context.input_count(); ++k) {
        files.push_back(context.input_address(k).name());
        networks.push_back(load_layers(context, files.back()));
    }
    const NeuralSimilarity s = compare_networks(networks);
    write_networks(context.output().create_group("/lindyn/develop/networks"), s, files);
    double least = 1;
    for (Index i = 0; i < s.gram_correlation.size(); ++i)
        least = std::min(least, s.gram_correlation.data()[i]);
    context.report("networks", static_cast<std::int64_t>(networks.size()));
    context.report("least correlation", least, "of hidden similarities");
    context.report("largest difference", s.gram_difference.maxCoeff(), "of them, relative");
    context.report("root law", s.root_law.maxCoeff(),
                   "largest |(W_1^T W_1)^D - W^T W| / |W^T W|, D layers");
}

void run(const Options& o, cli::Context& context) {
    check_options(o);
    context.need_input();
    if (o.networks) {
        develop_networks(context);
        return;
    }
    if (context.input_count() > 1)
        throw UsageError(
            concat(context.input_count(), " inputs; one is expected (several with --networks)"));
    develop_one(o, context);
}

} // namespace

cli::Command develop() {
    auto o = std::make_shared<Options>();
    cli::Command c("develop", "what a network knows, confuses and represents while it learns");
    c.describe(
        "Items are inputs, features are outputs. Distances between items in the hidden layer, "
        "their places on a page over time, when the branches of a tree of items part, features "
        "that are believed for a while and then unlearned (illusory correlations), typical items, "
        "what a new property or a new item is credited with, and which level of a tree is learned "
        "first; from the modes of data (closed forms, aligned small starts), from a result of "
        "predict, or of a recorded run (--run). With --networks the hidden similarities of several "
        "networks are compared.");
    c.inputs("data, result of modes or predict, or run; with --networks several files with /model");
    c.output(cli::OutputKind::hdf5,
             {{"/lindyn/develop/distance, similarity", "time x item x item"},
              {"/lindyn/develop/mds", "time x item x dimension"},
              {"/lindyn/develop/differentiation/half_time, distance, ...", "of each split"},
              {"/lindyn/develop/illusion/peak, peak_time, excursion", "feature x item"},
              {"/lindyn/develop/typicality, answer_time", "mode x item"},
              {"/lindyn/develop/item_projection, feature_projection", "over time"},
              {"/lindyn/develop/basic_level", "eigenvalue of each level of a tree"},
              {"/lindyn/develop/networks", "with --networks"}});
    c.group("What is analysed");
    c.option("--analyses", o->analyses, "NAMES",
             "distance,similarity,mds,differentiation,illusion,typicality,induction,basic-level")
        .default_text("all that apply");
    c.choice<Mds>("--mds", o->mds, {{"joint", Mds::joint}, {"each", Mds::each}},
                  "all times in one space, or each turned towards the one before");
    c.option("--dims", o->dims, "K", "dimensions of it").range(1, 64);
    c.option("--tree", o->tree, "FILE:/path",
             "labels of items, item x level; else /truth/label, else a clustering")
        .default_text("as said");
    c.option("--reference-time", o->reference_time, "T",
             "also the similarity of items then to those of every time; the nearest there is")
        .default_text("none")
        .range(0);
    c.option("--threshold", o->threshold, "X", "of the output that is an answer");
    c.bytes("--memory", o->memory, "largest array over time that is written unasked", "64MiB");
    c.flag("--networks", o->networks, "compare the networks of several files");
    declare_development(c, o->course);
    c.example("The development of eight items",
              "lindyn synth tree --seed 1 | lindyn develop --analyses mds,differentiation,illusion "
              "-o dev.h5");
    c.example("Of a recorded run", "lindyn develop run.h5 --run -o dev.h5");
    c.example("Do two networks see items alike?",
              "lindyn develop --networks seed1.h5 seed2.h5 -o alike.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app

#include <assay/cnmf/cnmf_io.hpp>

#include <assay/core/error.hpp>
#include <assay/hdf5/seed.hpp>

#include <algorithm>
#include <optional>

namespace assay::cnmf {
namespace {

template <class T>
std::vector<std::int64_t> integers(const std::vector<T>& values) {
    return {values.begin(), values.end()};
}

std::vector<std::uint8_t> flags(const std::vector<bool>& values) {
    return {values.begin(), values.end()};
}

// `warps`: of how many time warps the components are, in equal parts.
template <class Scalar>
void write_arrays(hdf5::Group& group, const Model& model, Index warps) {
    const auto tensor = motif_tensor(model.motifs, model.components);
    const std::vector<Scalar> w(tensor.begin(), tensor.end());
    const std::string axis = warps > 1 ? "warp," : "";
    const auto shape = [&](hdf5::Shape rest) {
        if (warps == 1) return rest;
        rest.front() /= warps;
        rest.insert(rest.begin(), warps);
        return rest;
    };
    group.write("W", w.data(), shape({model.components, model.units(), model.lags}),
                {axis + "component,unit,lag", "",
                 "motifs: weight of a unit at a lag after the activation"});
    if (model.activations.size() == 0) return;
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> h =
        model.activations.cast<Scalar>();
    group.write("H", h.data(), shape({h.rows(), h.cols()}),
                {axis + "component,time", "", "activations: when motifs start"});
}

void write_unit_ids(hdf5::Group& group, const RecordingFacts& facts) {
    if (!facts.unit_ids.empty())
        group.write("unit_id", facts.unit_ids, {"unit", "", "the unit's number in its source"});
}

// What stands beside the numbers of a recording, or a model of it; dt is an attribute of theirs.
void write_neighbours(hdf5::Group& group, const RecordingFacts& facts) {
    group.write("segment_start", integers(facts.segment_start),
                {"segment", "bin", "first bin of each segment; nothing crosses their borders"});
    if (facts.bin_seconds && !facts.segment_seconds.empty())
        group.write("segment_time", facts.segment_seconds,
                    {"segment", "s", "session time at which each segment starts"});
    write_unit_ids(group, facts);
}

void write_facts(hdf5::Group& group, const ModelFacts& facts) {
    if (facts.bin_seconds) group.set_attribute("dt", *facts.bin_seconds);
    write_neighbours(group, facts);
    if (facts.unit_scale.size() > 0)
        group.write("unit_scale", facts.unit_scale,
                    {"unit", "", "factor each unit's data were multiplied by"});
}

// The first two dimensions of an array made one: components of the first warp, then of the next.
hdf5::Shape without_warps(const hdf5::Dataset& dataset, Index rank) {
    dataset.expect_numeric();
    if (dataset.rank() != rank + 1) dataset.expect_rank(rank);
    hdf5::Shape shape = dataset.shape();
    if (dataset.rank() == rank) return shape;
    shape[1] *= shape[0];
    shape.erase(shape.begin());
    return shape;
}

Matrix read_activations(const hdf5::Dataset& h) {
    const hdf5::Shape shape = without_warps(h, 2);
    const std::vector<double> values = h.read<double>();
    return Eigen::Map<const RowMatrix>(values.data(), shape[0], shape[1]);
}

} // namespace

void write_model(hdf5::Group group, const Model& model, const ModelFacts& facts,
                 Precision precision) {
    if (precision == Precision::float32)
        write_arrays<float>(group, model, 1);
    else
        write_arrays<double>(group, model, 1);
    write_facts(group, facts);
}

Model read_model(const hdf5::Group& group) {
    if (!group.has_dataset("W"))
        throw Error(group.where() +
                    ": holds no W; a group with W (component, unit, lag) is expected");
    const hdf5::Dataset w = group.dataset("W");
    const hdf5::Shape shape = without_warps(w, 3);
    if (w.size() == 0) throw Error(w.where() + ": is empty");
    Model model;
    model.components = shape[0];
    model.lags = shape[2];
    model.motifs = motif_matrix(w.read<double>(), model.components, shape[1], model.lags);
    if (!model.motifs.allFinite() || model.motifs.minCoeff() < 0)
        throw Error(w.where() +
                    ": holds negative or non-finite numbers; nonnegative ones are expected");
    if (group.has_dataset("H")) {
        const hdf5::Dataset h = group.dataset("H");
        model.activations = read_activations(h);
        if (model.activations.rows() != model.components)
            throw Error(concat(h.where(), ": has ", model.activations.rows(), " components; ",
                               model.components, " are expected, as in W"));
        if (model.activations.size() == 0) throw Error(h.where() + ": is empty");
        if (!model.activations.allFinite() || model.activations.minCoeff() < 0)
            throw Error(h.where() +
                        ": holds negative or non-finite numbers; nonnegative ones are expected");
    }
    return model;
}

namespace {

// A vector of the group with so many entries.
Vector vector_of(const hdf5::Group& group, const char* name, Index size, const char* as_in) {
    const hdf5::Dataset dataset = group.dataset(name).expect_numeric();
    Vector values = dataset.read_vector();
    if (values.size() != size)
        throw Error(concat(dataset.where(), ": has ", values.size(), " entries; ", size,
                           " are expected, as in ", as_in));
    return values;
}

} // namespace

ModelFacts read_facts(const hdf5::Group& group, const Model& model) {
    ModelFacts facts;
    facts.bin_seconds = group.number_attribute("dt");
    if (facts.bin_seconds && !(*facts.bin_seconds > 0 && std::isfinite(*facts.bin_seconds)))
        throw Error(concat(group.where(), ": its attribute dt is ", *facts.bin_seconds,
                           "; a positive finite number is expected"));
    if (group.has_dataset("segment_start")) {
        const hdf5::Dataset dataset = group.dataset("segment_start");
        const auto starts = dataset.expect_numeric().read<std::int64_t>();
        if (starts.empty() || starts.front() != 0 ||
            !std::is_sorted(starts.begin(), starts.end(), std::less_equal<>()))
            throw Error(dataset.where() + ": ascending first bins from 0 are expected");
        if (model.activations.size() > 0 && starts.back() >= model.activations.cols())
            throw Error(concat(dataset.where(), ": a segment starts at bin ", starts.back(),
                               ", outside the ", model.activations.cols(), " bins of H"));
        facts.segment_start.assign(starts.begin(), starts.end());
    }
    if (group.has_dataset("segment_time")) {
        const Vector seconds = vector_of(
            group, "segment_time", static_cast<Index>(facts.segment_start.size()), "segment_start");
        if (!seconds.allFinite())
            throw Error(group.where() + "/segment_time: finite times are expected");
        facts.segment_seconds.assign(seconds.data(), seconds.data() + seconds.size());
    }
    if (group.has_dataset("unit_id")) {
        facts.unit_ids = group.dataset("unit_id").expect_numeric().read<std::int64_t>();
        if (static_cast<Index>(facts.unit_ids.size()) != model.units())
            throw Error(concat(group.where(), "/unit_id: has ", facts.unit_ids.size(), " entries; ",
                               model.units(), " are expected, as in W"));
    }
    if (group.has_dataset("unit_scale")) {
        facts.unit_scale = vector_of(group, "unit_scale", model.units(), "W");
        if (!facts.unit_scale.allFinite() || !(facts.unit_scale.minCoeff() > 0))
            throw Error(group.where() + "/unit_scale: positive finite numbers are expected");
    }
    return facts;
}

std::string newest_model(const hdf5::Group& root) {
    if (root.has_group("/cnmf"))
        for (const auto& name : root.group("/cnmf").names())
            if ((name == "fit" || name == "transform" || name == "align") &&
                root.has_dataset("/cnmf/" + name + "/W"))
                return "/cnmf/" + name;
    return "/cnmf/fit";
}

StartSpec read_start(const hdf5::Group& group) {
    StartSpec start;
    if (group.has_dataset("W")) {
        const hdf5::Dataset w = group.dataset("W");
        const hdf5::Shape shape = without_warps(w, 3);
        start.components = shape[0];
        start.lags = shape[2];
        start.motifs = motif_matrix(w.read<double>(), start.components, shape[1], start.lags);
    }
    if (group.has_dataset("H")) start.activations = read_activations(group.dataset("H"));
    if (!start.motifs && !start.activations) throw Error(group.where() + ": holds neither W nor H");
    return start;
}

void write_unit_order(hdf5::Group group, const UnitOrder& order) {
    group.write("unit_component", order.component,
                {"unit", "", "component of largest weight; -1 where there is none"});
    group.write("unit_peak_lag", order.peak_lag,
                {"unit", "bin", "lag of the peak in that component"});
    group.write("unit_order", order.order,
                {"unit", "", "units sorted by component, then peak lag"});
}

namespace {

const char* name_of(Algorithm a) {
    return a == Algorithm::hals ? "hals" : a == Algorithm::mult ? "mult" : "anls";
}
const char* name_of(Order o) {
    return o == Order::chunk ? "chunk" : o == Order::component ? "component" : "time";
}

const char* name_of(const StartSpec& start) {
    if (start.motifs || start.activations) return "given";
    switch (start.kind) {
    case StartKind::data:
        return "data";
    case StartKind::spa:
        return "spa";
    case StartKind::coarse:
        return "coarse";
    default:
        return "random";
    }
}

void describe_options(hdf5::Group& group, const FitOptions& o) {
    const Penalties& p = o.penalties;
    group.set_attribute("algorithm", name_of(o.algorithm));
    group.set_attribute("loss_function", o.loss == Loss::kl ? "kl" : "l2");
    group.set_attribute("order", name_of(o.order));
    group.set_attribute("inner", static_cast<std::int64_t>(o.inner));
    group.set_attribute("components", static_cast<std::int64_t>(o.components));
    group.set_attribute("lags", static_cast<std::int64_t>(o.lags));
    hdf5::write_seed(group, o.seed);
    group.set_attribute("init", name_of(o.start));
    group.set_attribute("restarts", static_cast<std::int64_t>(o.restarts));
    group.set_attribute("max_iterations", static_cast<std::int64_t>(o.max_iterations));
    group.set_attribute("tolerance", o.tolerance);
    group.set_attribute("patience", static_cast<std::int64_t>(o.patience));
    group.set_attribute("kkt_tolerance", o.kkt_tolerance);
    group.set_attribute("penalty_ramp", static_cast<std::int64_t>(o.penalty_ramp));
    group.set_attribute("x_ortho_w", p.x_ortho_in_motifs ? "on" : "off");
    if (o.shift) group.set_attribute("shift", static_cast<std::int64_t>(*o.shift));
    for (const auto& [name, value] : {std::pair<const char*, double>{"l1_w", p.l1_motifs},
                                      {"l2_w", p.l2_motifs},
                                      {"l1_h", p.l1_activations},
                                      {"l2_h", p.l2_activations},
                                      {"x_ortho", p.x_ortho},
                                      {"events", p.events},
                                      {"parts", p.parts}})
        group.set_attribute(name, value);
}

// Of the penalties that have a weight.
void write_penalties(hdf5::Group& group, const PenaltyValues& v, const Penalties& weights) {
    struct Term {
        const char* name;
        double weight, value;
    };
    for (const Term& term : {Term{"penalty_l1_w", weights.l1_motifs, v.l1_motifs},
                             Term{"penalty_l2_w", weights.l2_motifs, v.l2_motifs},
                             Term{"penalty_l1_h", weights.l1_activations, v.l1_activations},
                             Term{"penalty_l2_h", weights.l2_activations, v.l2_activations},
                             Term{"penalty_x_ortho", weights.x_ortho, v.x_ortho},
                             Term{"penalty_events", weights.events, v.events},
                             Term{"penalty_parts", weights.parts, v.parts}})
        if (term.weight > 0)
            group.write_scalar(
                term.name, term.value,
                {"", "", "what the penalty adds to the objective, before normalising"});
}

} // namespace

void write_warnings(hdf5::Group group, const std::string& warnings) {
    if (!warnings.empty()) group.set_attribute("warnings", warnings);
}

void write_fit(hdf5::Group group, const FitResult& r, const FitOptions& o, const FitWriting& w) {
    write_model(group, r.model, w.facts, w.precision);
    group.write("loss", r.history.loss,
                {"iteration", "", "|X - Xhat| / |X| over seen entries, the start first"});
    if (!r.history.test_loss.empty()) {
        group.write("train_loss", r.history.loss, {"iteration", "", "the same as loss"});
        group.write("test_loss", r.history.test_loss,
                    {"iteration", "", "|X - Xhat| / |X| over held-out entries"});
    }
    group.write("objective", r.history.objective,
                {"iteration", "",
                 o.loss == Loss::kl ? "Kullback-Leibler divergence over seen entries"
                                    : "half the squared error plus all penalties"});
    if (o.loss == Loss::l2)
        group.write("kkt", r.history.kkt,
                    {"iteration", "", "norm of the projected gradient, relative to the start"});
    if (w.timing == Timing::keep)
        group.create_group("timing").write("seconds", r.history.seconds,
                                           {"iteration", "s", "time since the start"});
    group.write("loadings", r.loadings,
                {"component", "", "share of the data's power that a component explains"});
    group.write_scalar("power", 1 - std::pow(r.evaluation.relative_loss(), 2),
                       {"", "", "power explained, 1 - (relative loss)^2, from the data"});
    group.write("component_dead", flags(r.dead),
                {"component", "boolean", "1 where a component vanished"});
    write_unit_r2(group, r.evaluation);
    write_unit_order(group, order_units(r.model));
    group.write("restart_loss", r.restart_loss, {"restart", "", "last loss of each start"});
    std::vector<std::int64_t> restarts(r.restart_loss.size());
    for (std::size_t i = 0; i < restarts.size(); ++i)
        restarts[i] = static_cast<std::int64_t>(o.first_restart) + static_cast<std::int64_t>(i);
    group.write("restart_seed", restarts,
                {"restart", "", "number of the start (--first-restart makes it again)"});
    write_penalties(group, r.penalties, o.penalties);
    describe_options(group, o);
    group.set_attribute("engine", engine_name(r.engine));
    group.set_attribute("precision", w.precision == Precision::float32 ? "float32" : "float64");
    group.set_attribute("stop_reason", r.stop_reason);
    group.set_attribute("best_restart", static_cast<std::int64_t>(r.best_restart));
    group.set_attribute("relative_loss", r.evaluation.relative_loss());
    if (r.evaluation.test_norm > 0)
        group.set_attribute("relative_test_loss", r.evaluation.test_loss());
    if (o.loss == Loss::kl) group.set_attribute("divergence", r.divergence);
    group.set_attribute("kkt", r.kkt);
    group.set_attribute("nnls_fallbacks", static_cast<std::int64_t>(r.fallbacks));
    group.set_attribute("flops", r.work.flops);
    group.set_attribute("bytes_read", r.work.bytes);
    group.set_attribute("data_digest", w.data_digest);
    write_warnings(group, w.warnings);
}

namespace {

void write_history(hdf5::Group group, const History& h) {
    group.write("loss", h.loss);
    group.write("test_loss", h.test_loss);
    group.write("objective", h.objective);
    group.write("kkt", h.kkt);
    group.write("seconds", h.seconds);
}

History read_history(const hdf5::Group& group) {
    const auto column = [&](const char* name) { return group.dataset(name).read<double>(); };
    return {column("loss"), column("test_loss"), column("objective"), column("kkt"),
            column("seconds")};
}

} // namespace

void write_state(hdf5::Group group, const FitState& s) {
    group.set_attribute("restart", static_cast<std::int64_t>(s.restart));
    group.set_attribute("iteration", static_cast<std::int64_t>(s.iteration));
    group.set_attribute("kkt_start", s.kkt_start);
    group.set_attribute("kkt_activations", s.kkt_activations);
    group.set_attribute("quiet_iterations", static_cast<std::int64_t>(s.quiet_iterations));
    group.set_attribute("fallbacks", static_cast<std::int64_t>(s.fallbacks));
    group.set_attribute("stop_reason", s.stop_reason);
    group.set_attribute("seconds", s.seconds);
    group.set_attribute("flops", s.work.flops);
    group.set_attribute("bytes_read", s.work.bytes);
    group.write("restart_loss", s.restart_loss);
    write_model(group.create_group("current"), s.model, {});
    write_history(group.create_group("history"), s.history);
    if (!s.best) return;
    write_model(group.create_group("best"), *s.best, {});
    write_history(group.create_group("best_history"), s.best_history);
    group.set_attribute("best_restart", static_cast<std::int64_t>(s.best_restart));
    group.set_attribute("best_fallbacks", static_cast<std::int64_t>(s.best_fallbacks));
    group.set_attribute("best_stop", s.best_stop);
}

FitState read_state(const hdf5::Group& group) {
    const auto integer = [&](const char* name) {
        return static_cast<Index>(group.number_attribute(name).value_or(0));
    };
    FitState s;
    s.restart = integer("restart");
    s.iteration = integer("iteration");
    s.kkt_start = group.number_attribute("kkt_start").value_or(0);
    s.kkt_activations = group.number_attribute("kkt_activations").value_or(0);
    s.quiet_iterations = integer("quiet_iterations");
    s.fallbacks = integer("fallbacks");
    s.stop_reason = group.text_attribute("stop_reason").value_or("");
    s.seconds = group.number_attribute("seconds").value_or(0);
    s.work = {group.number_attribute("flops").value_or(0),
              group.number_attribute("bytes_read").value_or(0)};
    s.restart_loss = group.dataset("restart_loss").read<double>();
    s.model = read_model(group.group("current"));
    s.history = read_history(group.group("history"));
    if (!group.has_group("best")) return s;
    s.best = read_model(group.group("best"));
    s.best_history = read_history(group.group("best_history"));
    s.best_restart = integer("best_restart");
    s.best_fallbacks = integer("best_fallbacks");
    s.best_stop = group.text_attribute("best_stop").value_or("");
    return s;
}

void write_transform(hdf5::Group group, const Model& model, const TransformResult& r,
                     const std::vector<double>& warps, const ModelFacts& facts) {
    const auto count = static_cast<Index>(warps.size());
    write_arrays<double>(group, model, count);
    write_facts(group, facts);
    group.write("warp", warps, {"warp", "", "factor by which motifs were stretched in time"});
    const RowMatrix shares =
        Eigen::Map<const RowMatrix>(r.loadings.data(), count, model.components / count);
    group.write("loadings", shares.data(), {count, model.components / count},
                {"warp,component", "", "share of the data's power explained"});
    write_unit_r2(group, r.evaluation);
    write_unit_order(group, order_units(model));
    group.set_attribute("relative_loss", r.evaluation.relative_loss());
    group.set_attribute("kkt", r.kkt);
    group.set_attribute("sweeps", static_cast<std::int64_t>(r.sweeps));
}

void write_unit_r2(hdf5::Group group, const Evaluation& e) {
    const Vector r2 = (e.unit_norm.array() > 0)
                          .select(1 - e.unit_error.array() / e.unit_norm.array(),
                                  std::numeric_limits<double>::quiet_NaN());
    group.write("unit_r2", r2, {"unit", "", "power of each unit explained; NaN for a silent one"});
}

void write_comparison(hdf5::Group group, const Comparison& c) {
    group.write("similarity", c.similarity,
                {"component,component", "", "cosine of component reconstructions"});
    group.write("match", c.match,
                {"component", "", "partner in the second model; -1 where there is none"});
    group.write(
        "shift", c.shift,
        {"component", "bin", "bins by which the partner's motif stands later in its window"});
    group.write_scalar("dissimilarity", c.dissimilarity,
                       {"", "", "0 for equal models, towards 1 for unrelated ones"});
}

void write_significance(hdf5::Group group, const Significance& s, double alpha) {
    group.write("skewness", s.skewness,
                {"component", "", "skewness of the overlap of motif and held-out data"});
    group.write("null", s.null,
                {"component,null", "", "the same for motifs with rows shifted at random"});
    group.write("p", s.p, {"component", "", "(1 + nulls that reach the skewness) / (1 + nulls)"});
    group.write("significant", flags(s.significant),
                {"component", "boolean", "p at most alpha / testable components"});
    group.write("degenerate", flags(s.degenerate),
                {"component", "boolean", "no weight, or a single unit: not testable"});
    group.set_attribute("alpha", alpha);
    group.set_attribute("testable", static_cast<std::int64_t>(s.testable));
}

Vector read_unit_r2(const hdf5::Group& group, const Model& model) {
    return vector_of(group, "unit_r2", model.units(), "W");
}

Significance read_significance(const hdf5::Group& group) {
    Significance s;
    s.null = group.dataset("null").expect_numeric().read_matrix();
    s.skewness = vector_of(group, "skewness", s.null.rows(), "null");
    s.p = vector_of(group, "p", s.null.rows(), "null");
    return s;
}

void write_events(hdf5::Group group, const Events& e, const ModelFacts& facts,
                  const std::optional<EventScore>& score) {
    group.write("component", e.component, {"event", "", "component that occurs"});
    group.write("bin", e.bin, {"event", "bin", "bin in which its motif starts"});
    if (facts.bin_seconds) {
        std::vector<double> seconds;
        for (const auto bin : e.bin) seconds.push_back(facts.seconds_of(bin));
        group.write("time", seconds, {"event", "s", "the same in the session's time"});
    }
    group.write("amplitude", e.amplitude, {"event", "", "height of the activation"});
    group.write("threshold", e.threshold,
                {"component", "", "height above which a peak is an event"});
    if (!score) return;
    group.set_attribute("precision", score->precision);
    group.set_attribute("recall", score->recall);
    group.set_attribute("jitter_bins", score->jitter);
    group.write("offset", score->offset,
                {"component", "bin", "bins from the true event to the found one"});
}

Events read_truth_events(const hdf5::Group& truth) {
    Events events;
    if (truth.has_dataset("event_bin") && truth.has_dataset("event_component")) {
        events.bin = truth.dataset("event_bin").read<std::int64_t>();
        events.component = truth.dataset("event_component").read<std::int64_t>();
    } else {
        const Matrix h = truth.dataset("H").read_matrix();
        for (Index t = 0; t < h.cols(); ++t)
            for (Index k = 0; k < h.rows(); ++k)
                if (h(k, t) > 0) {
                    events.bin.push_back(t);
                    events.component.push_back(k);
                }
    }
    if (events.bin.size() != events.component.size())
        throw Error(truth.where() + ": event_bin and event_component differ in length");
    events.amplitude.assign(events.bin.size(), 1.0);
    return events;
}

void write_extent(hdf5::Group group, const Extent& r, const RecordingFacts& facts) {
    const Index components = r.p.rows(), units = r.p.cols();
    const Index width = static_cast<Index>(r.correlation.size()) / (components * units);
    group.write("correlation", r.correlation.data(), {components, units, width},
                {"component,unit,lag", "", "correlation of a unit with the activation"});
    std::vector<std::int64_t> lags;
    for (Index l = 0; l < width; ++l) lags.push_back(r.first_lag + l);
    group.write("lag", lags, {"lag", "bin", "lags of the correlation"});
    write_unit_ids(group, facts);
    group.write("p", r.p,
                {"component,unit", "",
                 "(1 + nulls whose largest peak over units reaches it) / (1 + nulls)"});
    const RowMatrix participates = r.participates;
    const std::vector<std::uint8_t> part(participates.data(),
                                         participates.data() + participates.size());
    group.write("participates", part.data(), {components, units},
                {"component,unit", "boolean", "1 where p is at most alpha"});
    group.write("first_lag", r.first, {"component", "bin", "first lag at which a unit takes part"});
    group.write("last_lag", r.last,
                {"component", "bin", "last lag; before the first where no unit does"});
}

void write_sequenciness(hdf5::Group group, const Sequenciness& r) {
    group.write_scalar("sequenciness", r.value, {"", "", "(power - sync) / (power - noise)"});
    group.write_scalar("power", r.power, {"", "", "best power explained"});
    group.write("noise_power", r.noise_powers,
                {"shuffle", "", "power with every unit shuffled on its own"});
    group.write("sync_power", r.sync_powers,
                {"shuffle", "", "power with all units shuffled alike"});
}

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
    return table;
}

namespace {

constexpr Index kWrittenBins = 4096;

// Writes units x bins in blocks of bins from `block(first, count)`.
template <class Scalar, class Block>
void write_blocks(hdf5::Group& group, const std::string& name, Index units, Index bins,
                  const hdf5::ArrayInfo& info, const Block& block, Monitor& monitor) {
    constexpr Index kChunkNumbers = Index{1} << 16;
    const Index chunk_bins = std::min(kWrittenBins, bins),
                chunk_units = std::clamp<Index>(kChunkNumbers / chunk_bins, 1, units);
    std::optional<hdf5::Dataset> dataset;
    for (Index first = 0; first < bins; first += kWrittenBins) {
        monitor.stop_if_interrupted();
        const Index count = std::min(kWrittenBins, bins - first);
        const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows =
            block(first, count).template cast<Scalar>();
        if (!dataset)
            dataset = group.create<Scalar>(name, {units, bins}, info, {chunk_units, chunk_bins},
                                           rows.data(), rows.size());
        dataset->write_box({0, first}, {units, count}, rows.data());
        monitor.progress(
            {static_cast<double>(first + count), static_cast<double>(bins), "bins", ""});
    }
}

} // namespace

void write_recording(hdf5::Group data, const Recording& r, const RecordingFacts& facts,
                     StoredValues values, const std::string& description, Monitor& monitor) {
    const hdf5::ArrayInfo info{"unit,time", values == StoredValues::counts ? "count" : "",
                               description};
    const auto block = [&](Index first, Index count) { return r.read(first, count); };
    if (values == StoredValues::counts)
        write_blocks<std::uint16_t>(data, "X", r.units(), r.bins(), info, block, monitor);
    else if (values == StoredValues::float32)
        write_blocks<float>(data, "X", r.units(), r.bins(), info, block, monitor);
    else
        write_blocks<double>(data, "X", r.units(), r.bins(), info, block, monitor);
    if (facts.bin_seconds) data.dataset("X").set_attribute("dt", *facts.bin_seconds);
    write_neighbours(data, facts);
}

std::int64_t write_counts(hdf5::Group data, const Recording& r, const RecordingFacts& facts,
                          Monitor& monitor) {
    const SparseMatrix counts = r.read_sparse(0, r.bins());
    const auto total = static_cast<std::int64_t>(counts.sum());
    double largest = 0;
    for (Index i = 0; i < counts.nonZeros(); ++i) largest = std::max(largest, counts.valuePtr()[i]);
    if (largest > 65535)
        throw Error(concat("a bin holds ", largest,
                           " spikes; at most 65535 can be stored (a smaller --dt is expected)"));
    constexpr double kSparse = 0.05;
    if (static_cast<double>(counts.nonZeros()) >= kSparse * static_cast<double>(counts.size())) {
        write_recording(data, r, facts, StoredValues::counts, "spike counts", monitor);
        return total;
    }
    hdf5::Group group = data.create_group("X");
    group.set_attribute("format", "csc");
    group.set_attribute("axes", "unit,time");
    group.set_attribute("description", "spike counts, non-zeros by time bin");
    if (facts.bin_seconds) group.set_attribute("dt", *facts.bin_seconds);
    const auto stored = static_cast<std::size_t>(counts.nonZeros());
    const std::vector<std::uint16_t> values(counts.valuePtr(), counts.valuePtr() + stored);
    const std::vector<std::int32_t> units(counts.innerIndexPtr(), counts.innerIndexPtr() + stored);
    const std::vector<std::int64_t> starts(counts.outerIndexPtr(),
                                           counts.outerIndexPtr() + counts.outerSize() + 1);
    group.write("data", values, {"entry", "count", "spikes"});
    group.write("indices", units, {"entry", "", "unit of each entry"});
    group.write("indptr", starts, {"bin", "", "first entry of each bin"});
    group.write("shape", std::vector<std::int64_t>{counts.rows(), counts.cols()},
                {"axis", "", "units and bins"});
    write_neighbours(data, facts);
    return total;
}

void write_truth(hdf5::Group truth, const Synthetic& s) {
    ModelFacts facts;
    static_cast<RecordingFacts&>(facts) = facts_of(*s.recording);
    write_model(truth, s.truth, facts);
    truth.write("unit_component", s.unit_component,
                {"unit", "", "component that a unit belongs to; -1: none"});
    if (s.event_bin.empty()) return;
    truth.write("event_bin", s.event_bin, {"event", "bin", "when a sequence starts"});
    truth.write("event_component", s.event_component, {"event", "", "which sequence"});
}

void write_reconstruction(hdf5::Group data, const Model& model, const ModelFacts& facts,
                          Monitor& monitor) {
    const TimeAxis axis(model.activations.cols(), facts.segment_start, model.lags);
    const TimeMatrix h = axis.padded(model.activations);
    const bool scaled = facts.unit_scale.size() == model.units();
    write_blocks<double>(
        data, "Xhat", model.units(), axis.bins(),
        {"unit,time", "", "reconstruction by the model, in the units of the data"},
        [&](Index first, Index count) -> Matrix {
            Matrix block = reconstruct(model, axis, h, first, count);
            if (scaled) block = facts.unit_scale.cwiseInverse().asDiagonal() * block;
            return block;
        },
        monitor);
    if (facts.bin_seconds) data.dataset("Xhat").set_attribute("dt", *facts.bin_seconds);
    write_neighbours(data, facts);
}

} // namespace assay::cnmf

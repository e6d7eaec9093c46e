#include <assay/cnmf/cnmf_io.hpp>

#include <assay/cnmf/model_io.hpp>
#include <assay/hdf5/seed.hpp>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace assay::cnmf {
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
    group.set_attribute("extrapolate", extrapolates(o) ? "on" : "off");
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
                    {"iteration", "",
                     "norm of the projected gradient where each half-step began, relative to the "
                     "start; the last: at the result"});
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
    group.write("restart_seed", r.restart_number,
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
    group.write("restart_number", s.restart_number);
    group.set_attribute("extrapolation", s.extrapolation.value);
    group.set_attribute("most_extrapolation", s.extrapolation.most);
    group.set_attribute("extrapolation_that_worked", s.extrapolation.worked);
    write_model(group.create_group("current"), s.model, {});
    if (s.before) write_model(group.create_group("before"), *s.before, {});
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
    s.restart_number = group.dataset("restart_number").read<std::int64_t>();
    s.extrapolation.value = group.number_attribute("extrapolation").value_or(s.extrapolation.value);
    s.extrapolation.most = group.number_attribute("most_extrapolation").value_or(1);
    s.extrapolation.worked =
        group.number_attribute("extrapolation_that_worked").value_or(s.extrapolation.worked);
    s.model = read_model(group.group("current"));
    if (group.has_group("before")) s.before = read_model(group.group("before"));
    s.history = read_history(group.group("history"));
    if (!group.has_group("best")) return s;
    s.best = read_model(group.group("best"));
    s.best_history = read_history(group.group("best_history"));
    s.best_restart = integer("best_restart");
    s.best_fallbacks = integer("best_fallbacks");
    s.best_stop = group.text_attribute("best_stop").value_or("");
    return s;
}

} // namespace assay::cnmf

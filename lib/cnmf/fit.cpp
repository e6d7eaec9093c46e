#include <assay/cnmf/fit.hpp>

#include <assay/cnmf/coarse_start.hpp>
#include <assay/cnmf/descent.hpp>
#include <assay/cnmf/packed_state.hpp>
#include <assay/cnmf/poisson_updates.hpp>
#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace assay::cnmf {
namespace {

using Clock = std::chrono::steady_clock;

void check_options(const FitOptions& o) {
    if (o.loss == Loss::kl && o.algorithm != Algorithm::mult)
        throw UsageError("--loss kl goes with --algorithm mult only");
    if (o.loss == Loss::kl && o.penalties.any()) throw UsageError("--loss kl takes no penalties");
    if (o.loss == Loss::kl && o.kkt_tolerance > 0)
        throw UsageError("--loss kl knows no --kkt-tol; --tolerance stops it");
    if (o.algorithm == Algorithm::anls && (o.penalties.events > 0 || o.penalties.parts > 0))
        throw UsageError("--algorithm anls cannot take --events or --parts: the edited matrix need "
                         "not be positive definite");
    if (!(o.tolerance >= 0)) throw UsageError("--tolerance must not be negative");
}

void check_start(const StartSpec& start, const Recording& recording, Index components, Index lags) {
    const auto refuse_sign = [](const Matrix& values, const char* name) {
        if (!values.allFinite() || values.minCoeff() < 0)
            throw Error(
                concat("the start's ", name,
                       " holds negative or non-finite numbers; nonnegative ones are expected"));
    };
    if (start.motifs) {
        if (start.motifs->rows() != recording.units() || start.components != components ||
            start.lags != lags)
            throw Error(concat("the start's W holds ", start.components, " components x ",
                               start.motifs->rows(), " units x ", start.lags, " lags; ", components,
                               " x ", recording.units(), " x ", lags, " is expected"));
        refuse_sign(*start.motifs, "W");
    }
    if (start.activations) {
        if (start.activations->rows() != components ||
            start.activations->cols() != recording.bins())
            throw Error(concat("the start's H is ", start.activations->rows(), " x ",
                               start.activations->cols(), "; ", components, " x ", recording.bins(),
                               " is expected"));
        refuse_sign(*start.activations, "H");
    }
}

constexpr Index kDefaultShift = 10;   // with x-ortho
constexpr double kReseedFloor = 1e-3; // activations beside the one of a reseeded component

void check_state(const FitState& state, const Recording& recording, const FitOptions& options) {
    const auto fits = [&](const Model& model) {
        return model.components == options.components && model.lags == options.lags &&
               model.motifs.rows() == recording.units() &&
               model.motifs.cols() == model.components * model.lags &&
               model.activations.rows() == model.components &&
               model.activations.cols() == recording.bins();
    };
    const auto& history = state.history;
    const auto length = static_cast<std::size_t>(state.iteration) + 1;
    const bool recorded = state.iteration == 0 ||
                          (history.loss.size() == length && history.objective.size() == length);
    if (!recorded || !fits(state.model) || (state.before && !fits(*state.before)) ||
        (state.best && !fits(*state.best)))
        throw Error("the saved state is not of this fit: its shapes differ");
}

bool is_dead(const Model& model, Index component) {
    return !(motif_image(model, component).maxCoeff() > 0) ||
           !(model.activations.row(component).maxCoeff() > 0);
}

// x-ortho keeps the scale in W, so that its weight means the same throughout.
void scale_into_motifs(Descent& descent) {
    Model model = descent.model();
    normalize(model, Normalization::h_l2);
    descent.set_model(std::move(model));
}

class Runner {
  public:
    Runner(const Data& data, DataProducts& products, const Unseen& unseen,
           const FitOptions& options, const Execution& run, FitControl control)
        : data_(data), products_(products), unseen_(unseen), options_(options), run_(run),
          resumed_(control.resume.has_value()), saving_{{}, {}, control.save_every},
          agreed_(*run.monitor), safe_points_(saving_, agreed_),
          descent_(std::in_place, data, products, unseen, options, run), start_time_(Clock::now()) {
        if (resumed_) state_ = std::move(*control.resume);
        if (!control.save) return;
        saving_.save = [this, save = std::move(control.save)](const FitState&) {
            save(stamped());
            state_.model = {};
            state_.before.reset();
        };
    }

    FitResult run() {
        seconds_before_ = state_.seconds;
        work_before_ = state_.work;
        if (ranks::team() > 1 && options_.restarts > 1)
            starts_of_ranks();
        else
            make_starts(options_.restarts);
        descent_.reset(); // its activations would stand beside the result's
        return result();
    }

  private:
    // Descends from the starts up to end - 1, the first perhaps half done.
    void make_starts(Index end) {
        if (resumed_ && state_.restart < end && state_.iteration > 0)
            descent_->set_model(std::exchange(state_.model, {}),
                                std::exchange(state_.before, std::nullopt));
        else if (state_.restart < end)
            begin();
        while (state_.restart < end) {
            const std::string reason = iterate();
            finish_restart(reason);
            if (reason == "time") break;
            if (state_.restart < end) begin();
        }
    }

    // Each rank makes a run of the starts by itself; all learn of the best.
    void starts_of_ranks() {
        Index first = options_.restarts, end = 0;
        for (Index r = 0; r < options_.restarts; ++r) {
            if (!ranks::mine(r, options_.restarts)) continue;
            first = std::min(first, r);
            end = r + 1;
        }
        state_.restart = std::max(state_.restart, first);
        ranks::raise_any(ranks::report_of([&] {
            const ranks::Apart apart;
            make_starts(end);
        }));
        state_.work = work();
        state_ = joined_starts(ranks::gather_all(packed_starts(state_)));
        // What follows is every rank's own, after the work of all.
        work_before_ = {state_.work.flops - products_.work().flops,
                        state_.work.bytes - products_.work().bytes};
    }

    [[nodiscard]] double seconds() const {
        return seconds_before_ + std::chrono::duration<double>(Clock::now() - start_time_).count();
    }
    [[nodiscard]] Work work() const {
        return {work_before_.flops + products_.work().flops,
                work_before_.bytes + products_.work().bytes};
    }

    void begin() {
        state_.history = {};
        state_.iteration = state_.quiet_iterations = state_.fallbacks = 0;
        state_.kkt_start = state_.kkt_activations = 0;
        state_.extrapolation = {};
        state_.stop_reason.clear();
        const Phase phase(*run_.monitor, "start");
        const StartIndex index{
            options_.seed, options_.start_stream * 1000003 +
                               static_cast<std::uint64_t>(options_.first_restart + state_.restart)};
        const bool given = options_.start.motifs && options_.start.activations;
        std::optional<Model> coarse = coarse_start_of(index);
        Model start = coarse ? std::move(*coarse)
                             : start_model(data_, products_, unseen_, options_.start,
                                           options_.components, options_.lags, index, run_);
        descent_->begin(std::move(start), !given && !coarse, x_ortho_weight(false), state_);
        state_.history.seconds.push_back(seconds());
    }

    // Interrupted on its way, it leaves what earlier starts have reached.
    std::optional<Model> coarse_start_of(StartIndex index) {
        if (options_.start.kind != StartKind::coarse || options_.start.motifs) return std::nullopt;
        FitOptions options = options_;
        options.max_seconds -= seconds();
        std::optional<Model> start;
        const auto make = [&] {
            start = coarse_start(data_, products_, unseen_, options, index, run_);
        };
        if (!state_.best) // nothing to keep yet
            make();
        else
            safe_points_.step([&]() -> const FitState& { return state_; }, make);
        return start;
    }

    // The weight of x-ortho in an outer iteration: a ramp, and nothing in the last.
    [[nodiscard]] double x_ortho_weight(bool last) const {
        const double target = options_.penalties.x_ortho;
        if (target <= 0 || last) return 0;
        if (options_.penalty_ramp <= 0) return target;
        return target * std::min(1.0, static_cast<double>(state_.iteration) /
                                          static_cast<double>(options_.penalty_ramp));
    }

    // Iterates to the end of this restart; returns why it ended. With x-ortho one more iteration,
    // free of it, follows whatever ends the descent.
    std::string iterate() {
        const Phase phase(*run_.monitor, "iterate");
        const bool x_ortho = options_.penalties.x_ortho > 0;
        for (;;) {
            const bool last = x_ortho && (!state_.stop_reason.empty() ||
                                          state_.iteration + 1 == options_.max_iterations);
            if (!descent_->step(x_ortho_weight(last), state_,
                                last ? KktStop::ignored : KktStop::allowed)) {
                if (!x_ortho) return "kkt";
                state_.stop_reason = "kkt";
                continue;
            }
            ++state_.iteration;
            state_.history.seconds.push_back(seconds());
            if (x_ortho) scale_into_motifs(*descent_);
            const std::string reason = reason_to_stop();
            if (reason.empty() && !last) tend_components();
            report();
            if (last) return state_.stop_reason.empty() ? "iterations" : state_.stop_reason;
            if (!reason.empty() && !x_ortho) return reason;
            state_.stop_reason = reason;
            keep_safe();
        }
    }

    [[nodiscard]] std::string reason_to_stop() {
        if (stands_still()) return "tolerance";
        if (ranks::any(seconds() > options_.max_seconds)) return "time";
        return state_.iteration >= options_.max_iterations ? "iterations" : "";
    }

    // Re-centring, in the first half of the descent, and re-seeding between iterations.
    void tend_components() {
        const Index shift =
            options_.shift.value_or(options_.penalties.x_ortho > 0 ? kDefaultShift : 0);
        const bool centring = shift > 0 && state_.iteration % shift == 0 &&
                              2 * state_.iteration <= options_.max_iterations;
        if (!centring && !options_.reseed_dead) return;
        Model model = descent_->model();
        bool changed = centring;
        if (centring) {
            centre_motifs(model, products_.axis());
            // Multiplicative steps cannot leave zero by themselves.
            if (options_.algorithm == Algorithm::mult)
                model.motifs.array() += 1e-6 * data_.survey().largest;
        }
        const MaskedRecording seen(data_.recording(), unseen_.mask);
        for (Index k = 0; options_.reseed_dead && k < model.components; ++k) {
            if (!is_dead(model, k)) continue;
            const Evaluation now = evaluate(model, data_.recording(), unseen_, run_);
            reseed_component(model, k, seen, now.bin_error);
            if (options_.algorithm == Algorithm::mult)
                model.activations.row(k).array() += kReseedFloor;
            state_.quiet_iterations = 0;
            changed = true;
        }
        if (changed) descent_->set_model(std::move(model));
    }

    // Whether what is minimised has stood still for long enough.
    bool stands_still() {
        const bool x_ortho = options_.penalties.x_ortho > 0;
        // While the weight of x-ortho rises the loss rises with it: that is no end.
        if (x_ortho && state_.iteration <= options_.penalty_ramp) return false;
        const bool by_objective =
            options_.loss == Loss::kl || (options_.penalties.any() && !x_ortho);
        const auto& values = by_objective ? state_.history.objective : state_.history.loss;
        const double before = values[values.size() - 2];
        const double decrease = x_ortho ? std::abs(before - values.back()) : before - values.back();
        const bool quiet = options_.tolerance > 0 && decrease < options_.tolerance * before;
        state_.quiet_iterations = quiet ? state_.quiet_iterations + 1 : 0;
        return state_.quiet_iterations >= options_.patience;
    }

    void report() const {
        Progress progress;
        progress.done =
            static_cast<double>(state_.restart * options_.max_iterations + state_.iteration);
        progress.total = static_cast<double>(options_.restarts * options_.max_iterations);
        progress.what = "iterations";
        progress.status = "relative loss " + significant(state_.history.loss.back(), 5);
        run_.monitor->progress(progress);
    }

    // The state, complete; the model is in it only while it is saved.
    const FitState& stamped() {
        state_.seconds = seconds();
        state_.work = work();
        // Between starts there is none; a state holds one all the same.
        state_.model = state_.iteration > 0 ? descent_->model() : *state_.best;
        if (state_.iteration > 0) state_.before = descent_->before();
        return state_;
    }

    void keep_safe() {
        safe_points_.reached([&]() -> const FitState& { return state_; });
    }

    void finish_restart(const std::string& reason) {
        descent_->settle(state_);
        const double kkt = descent_->final_kkt(state_);
        while (state_.history.kkt.size() < state_.history.loss.size())
            state_.history.kkt.push_back(kkt);
        state_.restart_loss.push_back(state_.history.loss.back());
        state_.restart_number.push_back(options_.first_restart + state_.restart);
        const bool better =
            !state_.best || state_.history.objective.back() < state_.best_history.objective.back();
        if (better) {
            state_.best.reset(); // before the new one is made
            state_.best = descent_->model();
            state_.best_history = state_.history;
            state_.best_restart = state_.restart;
            state_.best_fallbacks = state_.fallbacks;
            state_.best_stop = reason;
        }
        ++state_.restart;
        state_.iteration = 0;
    }

    FitResult result() {
        const Phase phase(*run_.monitor, "evaluate");
        FitResult r;
        r.model = std::move(*state_.best);
        r.history = state_.best_history;
        r.stop_reason = state_.best_stop;
        r.best_restart = state_.best_restart;
        r.restart_loss = state_.restart_loss;
        r.restart_number = state_.restart_number;
        r.fallbacks = state_.best_fallbacks;
        r.kkt = r.history.kkt.back();
        r.evaluation = evaluate(r.model, data_.recording(), unseen_, run_);
        if (options_.loss == Loss::kl)
            r.divergence = divergence(r.model.motifs, products_.axis().padded(r.model.activations),
                                      data_.recording(), products_.axis(), unseen_, run_);
        r.penalties = penalty_values(r.model, options_.penalties, products_.axis(),
                                     options_.penalties.x_ortho > 0
                                         ? cross_orthogonality(r.model, products_, unseen_, run_)
                                         : 0.0);
        r.loadings = loadings(r.model, products_, data_.survey().squared_norm, unseen_, run_);
        for (Index k = 0; k < r.model.components; ++k) r.dead.push_back(is_dead(r.model, k));
        if (const auto dead = std::count(r.dead.begin(), r.dead.end(), true); dead > 0)
            run_.monitor->warn(concat(dead, dead == 1 ? " component" : " components", " of ",
                                      r.model.components, " vanished (see --reseed-dead)"));
        r.engine = products_.engine();
        r.work = work();
        return r;
    }

    const Data& data_;
    DataProducts& products_;
    const Unseen& unseen_;
    const FitOptions& options_;
    Execution run_;
    FitState state_;
    bool resumed_;
    FitControl saving_;
    ranks::AgreedMonitor agreed_;
    SafePoints<FitState> safe_points_;
    std::optional<Descent> descent_;
    Clock::time_point start_time_;
    double seconds_before_ = 0; // of the interrupted run that this one resumes
    Work work_before_;
};

} // namespace

bool extrapolates(const FitOptions& options) {
    const bool one_sweep = options.algorithm == Algorithm::hals && options.inner == 1;
    return options.extrapolate && options.algorithm != Algorithm::mult && !one_sweep &&
           !options.penalties.any();
}

void check_shapes(const Recording& recording, Index components, Index lags, Monitor& monitor) {
    const Index bins = recording.bins();
    if (lags > bins)
        throw Error(concat("motifs of ", lags, " bins are longer than the recording's ", bins,
                           "; fewer --lags are expected"));
    if (2 * lags > bins)
        monitor.warn(
            concat("motifs of ", lags, " bins fill more than half of the recording's ", bins));
    const TimeAxis axis(bins, recording.segment_start, 1);
    const auto shorter = std::count_if(axis.segments().begin(), axis.segments().end(),
                                       [&](const Segment& s) { return s.bins < lags; });
    if (shorter > 0 && axis.segments().size() > 1)
        monitor.warn(concat(shorter, shorter == 1 ? " segment is" : " segments are",
                            " shorter than a motif of ", lags, " bins"));
    if (10.0 * static_cast<double>(components * lags) >
        static_cast<double>(recording.units()) * static_cast<double>(bins))
        monitor.warn(concat("more parameters than data: ", components, " x ", lags,
                            " weights a unit against ", recording.units(), " x ", bins, " values"));
}

FitResult fit(const Data& data, const Unseen& unseen, const FitOptions& options,
              const Execution& run, FitControl control) {
    check_options(options);
    check_start(options.start, data.recording(), options.components, options.lags);
    if (control.resume) check_state(*control.resume, data.recording(), options);
    const bool kl = options.loss == Loss::kl;
    if (kl && data.choice().precision == Precision::float32)
        throw UsageError("--loss kl works in float64 only");
    // The updates of kl walk over non-zeros by themselves; the engine serves loss and loadings.
    const auto products = data.products(options.components, options.lags, run,
                                        kl ? Engine::sparse : Engine::automatic);
    return Runner(data, *products, unseen, options, run, std::move(control)).run();
}

} // namespace assay::cnmf

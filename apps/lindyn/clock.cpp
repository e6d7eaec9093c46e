#include "clock.hpp"

#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/optimizer.hpp>

#include <algorithm>
#include <cmath>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

void check_loss(const std::string& loss) {
    for (const char* known : {"half_squared_error", "mse", "half_sum", "sum"})
        if (loss == known) return;
    throw Error("loss " + printable(loss, 40) +
                ": the theory is of squared errors (half_squared_error, mse)");
}

// The gradient of a loss over that of half the squared error in the statistics' normalisation.
double gradient_factor(const std::string& loss, const Statistics& s) {
    check_loss(loss);
    const auto outputs = static_cast<double>(s.outputs()), samples = static_cast<double>(s.samples);
    const bool summed = s.normalisation == Normalisation::sum;
    const bool over_samples = loss == "half_sum" || loss == "sum";
    if (s.samples == 0 && over_samples != summed)
        throw Error("loss " + loss + ": the number of samples is not known (attribute n_samples)");
    const double whole = over_samples == summed ? 1 : summed ? 1 / samples : samples;
    if (loss == "half_squared_error" || loss == "half_sum") return whole;
    if (loss == "mse") return whole * 2 / outputs;
    return whole * 2; // sum
}

std::string loss_of(const ClockOptions& o, const std::optional<tools::RunWords>& words,
                    const Statistics& s) {
    if (!o.loss.empty()) return o.loss;
    if (words && !words->config.loss.empty()) return words->config.loss;
    return s.normalisation == Normalisation::sum ? "half_sum" : "half_squared_error";
}

} // namespace

void declare_rates(cli::Command& c, std::optional<double>& learning_rate,
                   std::optional<double>& momentum, const std::string& of) {
    c.option("--learning-rate", learning_rate, "X", of).default_text("the run's").range(0);
    c.option("--momentum", momentum, "MU", "heavy ball, " + of)
        .default_text("the run's, else 0")
        .range(0, 0.999999);
}

void declare_clock(cli::Command& c, ClockOptions& o) {
    declare_rates(c, o.learning_rate, o.momentum, "of the run");
    c.option("--loss", o.loss, "NAME",
             "of the run: half_squared_error or mse (means over samples), half_sum or sum (over "
             "samples too)")
        .default_text("the run's, else half the squared error of the statistics");
    c.option("--batch-size", o.batch, "B", "samples of an update")
        .default_text("the run's, else all")
        .range(1);
    c.option("--tau", o.tau, "STEPS", "updates of one tau, in place of what these say")
        .default_text("none")
        .range(0);
}

void declare_weight_decay(cli::Command& c, ClockOptions& o) {
    c.option("--weight-decay", o.weight_decay, "X", "penalty X/2 |W|^2")
        .default_text("the run's, else 0")
        .range(0);
}

void declare_times(cli::Command& c, TimeOptions& o) {
    c.option("--time", o.grid, "GRID", "auto, a:b:n, log:a:b:n or FILE:/dataset");
    declare_time_unit(c, o);
}

void declare_time_unit(cli::Command& c, TimeOptions& o) {
    c.choice<TimeUnit>(
        "--time-unit", o.unit,
        {{"tau", TimeUnit::tau}, {"steps", TimeUnit::steps}, {"epochs", TimeUnit::epochs}},
        "of times; tau is 1/learning rate steps of half the squared error");
}

TimeScale time_scale(const TimeOptions& o, const Clock& clock) {
    if (o.unit == TimeUnit::tau) return {};
    clock.need_tau();
    const bool steps = o.unit == TimeUnit::steps;
    const double updates = steps ? 1 : clock.epoch;
    return {clock.tau / updates, steps ? "steps" : "epochs", clock.steps, updates};
}

Vector times_in_tau(cli::Context& context, const TimeOptions& o, const TimeScale& scale) {
    if (o.grid == "auto") return {};
    return scale.in_tau(parse_times(context, o.grid));
}

TimeGrid time_grid(cli::Context& context, const TimeOptions& o, const TimeScale& scale,
                   const std::function<Vector()>& usual) {
    if (o.grid != "auto") {
        const Vector told = parse_times(context, o.grid);
        return {told, scale.in_tau(told)};
    }
    const Vector tau = usual();
    if (!scale.clock) return {scale.told(tau), tau};
    const double last = std::min(scale.told(tau(tau.size() - 1)),
                                 static_cast<double>(scale.clock->updates()) / scale.unit_updates);
    const Vector told = Vector::LinSpaced(tau.size(), 0, last);
    return {told, scale.in_tau(told)};
}

void set_steps(const Clock& clock, PredictSettings& s) {
    s.step = clock.step;
    s.variant = clock.variant;
    s.clock = clock.steps;
}

Vector Clock::at(const std::vector<Index>& updates) const {
    Vector times(static_cast<Index>(updates.size()));
    for (std::size_t i = 0; i < updates.size(); ++i) {
        const auto passed = static_cast<double>(updates[i]);
        times(static_cast<Index>(i)) = steps ? steps->at(passed) : passed / tau;
    }
    return times;
}

void Clock::need_tau() const {
    if (tau > 0) return;
    if (!why_unknown.empty()) throw Error(why_unknown);
    throw UsageError("the learning rate is not in the file; --learning-rate or --tau is expected");
}

namespace {

// Updates of one pass through the samples.
double updates_per_epoch(const ClockOptions& o, const std::optional<tools::RunWords>& words,
                         Index samples) {
    std::optional<Index> batch = o.batch;
    if (!batch && words && !words->config.full_batch) batch = words->config.batch_size;
    if (!batch || samples == 0) return 1;
    return std::max(1.0, static_cast<double>(samples) / static_cast<double>(*batch));
}

// All updates of the run; 0: not known.
Index updates_of(const training::TrainingConfig& c, double per_epoch, Index samples) {
    if (c.steps) return *c.steps;
    if (!c.epochs || samples == 0) return 0;
    const double whole =
        c.last_batch == training::LastBatch::keep ? std::ceil(per_epoch) : std::floor(per_epoch);
    return static_cast<Index>(std::llround(*c.epochs * whole));
}

// How the schedule of the run varies its learning rate.
void set_schedule(const training::TrainingConfig& c, double base, Index samples, Clock& clock) {
    if (c.schedule.name == "constant" && c.schedule.warmup == 0) return;
    const Index updates = updates_of(c, clock.epoch, samples);
    if (updates < 1) {
        clock.why_unknown = "schedule " + printable(c.schedule.name, 40) +
                            ": how many updates the run makes is not known; --tau STEPS sets a "
                            "clock without";
        clock.tau = clock.step.rate = 0;
        return;
    }
    const auto per_epoch = std::max<Index>(1, static_cast<Index>(clock.epoch));
    clock.steps = std::make_shared<StepClock>(
        [schedule = c.schedule, base, updates, per_epoch](Index step) {
            return training::learning_rate_at(schedule, base, step, updates, per_epoch) / base;
        },
        updates, clock.tau);
}

Clock clock_of(const ClockOptions& o, const std::optional<tools::RunWords>& words,
               const Statistics& statistics) {
    const training::OptimizerSettings optimizer =
        words ? words->config.optimizer : training::OptimizerSettings{};
    const auto chosen = [&](const std::optional<double>& option, double of_run) {
        return option.value_or(words ? of_run : 0.0);
    };
    Clock clock;
    const double factor = gradient_factor(loss_of(o, words, statistics), statistics);
    clock.step.momentum = chosen(o.momentum, optimizer.momentum);
    clock.step.decay = chosen(o.weight_decay, optimizer.weight_decay) / factor;
    clock.variant = {optimizer.nesterov, optimizer.decoupled};
    // Decay beside the gradient is not gathered by the momentum.
    if (clock.variant.decoupled) clock.step.decay *= 1 - clock.step.momentum;
    const double base = chosen(o.learning_rate, optimizer.learning_rate);
    clock.step.rate = factor * base;
    clock.epoch = updates_per_epoch(o, words, statistics.samples);
    if (o.tau && *o.tau > 0) {
        clock.tau = *o.tau;
        clock.step.rate = (1 - clock.step.momentum) / *o.tau;
        return clock;
    }
    if (words && optimizer.name != "sgd") {
        clock.why_unknown =
            "optimizer " + printable(optimizer.name, 40) +
            ": the theory's clock is that of gradient descent (sgd); --tau STEPS sets one";
        clock.step.rate = 0;
    }
    if (!(clock.step.rate > 0)) return clock;
    clock.tau = (1 - clock.step.momentum) / clock.step.rate;
    if (words) set_schedule(words->config, base, statistics.samples, clock);
    return clock;
}

// What the run did that plain gradient descent does not.
std::vector<std::string> unheard(const training::TrainingConfig& c) {
    std::vector<std::string> found;
    if (c.clip.mode != training::ClipMode::none) found.emplace_back("clip");
    if (!c.freeze.empty()) found.emplace_back("freeze");
    if (!c.lr_scale.empty()) found.emplace_back("lr_scale");
    if (!c.l2.empty()) found.emplace_back("l2");
    if (c.noise.variance > 0 && c.noise.target == training::NoiseTarget::all)
        found.emplace_back("noise");
    if (c.rule != "bp") found.push_back("rule " + printable(c.rule, 40));
    return found;
}

} // namespace

std::optional<tools::RunWords>
squared_error_run(cli::Context& context, const hdf5::Address& address, const ClockOptions& o) {
    auto words = tools::run_words(context, address);
    if (words && o.loss.empty() && !words->config.loss.empty()) check_loss(words->config.loss);
    return words;
}

Clock clock_of_run(cli::Context& context, const ClockOptions& o,
                   const std::optional<tools::RunWords>& words, const Statistics& statistics) {
    const auto ignored = words ? unheard(words->config) : std::vector<std::string>{};
    if (!ignored.empty())
        context.monitor().warn("the run's " + join(ignored, ", ") +
                               ": theory is of gradient descent without");
    return clock_of(o, words, statistics);
}

Clock theory_clock(const ClockOptions& o, Index outputs, Index samples) {
    Statistics sizes;
    sizes.normalisation = Normalisation::sum;
    sizes.samples = samples;
    sizes.unformed_outputs = outputs;
    sizes.unformed_inputs = 1;
    return clock_of(o, {}, sizes);
}

} // namespace lindyn_app

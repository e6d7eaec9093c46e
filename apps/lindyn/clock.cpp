#include "clock.hpp"

#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/optimizer.hpp>

#include <algorithm>

namespace lindyn_app {

using namespace assay;
using namespace assay::lindyn;

namespace {

// The gradient of a loss over that of half the squared error in the statistics' normalisation.
double gradient_factor(const std::string& loss, const Statistics& s) {
    const auto outputs = static_cast<double>(s.outputs()), samples = static_cast<double>(s.samples);
    const bool summed = s.normalisation == Normalisation::sum;
    const bool over_samples = loss == "half_sum" || loss == "sum";
    if (s.samples == 0 && over_samples != summed)
        throw Error("loss " + loss + ": the number of samples is not known (attribute n_samples)");
    const double whole = over_samples == summed ? 1 : summed ? 1 / samples : samples;
    if (loss == "half_squared_error" || loss == "half_sum") return whole;
    if (loss == "mse") return whole * 2 / outputs;
    if (loss == "sum") return whole * 2;
    throw Error("loss " + printable(loss, 40) +
                ": the theory is of squared errors (half_squared_error, mse)");
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
    return o.unit == TimeUnit::steps ? TimeScale{clock.tau, "steps"}
                                     : TimeScale{clock.tau / clock.epoch, "epochs"};
}

Vector times_in_tau(cli::Context& context, const TimeOptions& o, const TimeScale& scale) {
    if (o.grid == "auto") return {};
    return parse_times(context, o.grid) / scale.per_tau;
}

Vector Clock::at(const std::vector<Index>& steps) const {
    Vector times(static_cast<Index>(steps.size()));
    const bool constant = schedule.name == "constant" && schedule.warmup == 0;
    const Index last = std::max(total, steps.empty() ? 0 : steps.back());
    const auto per_epoch = std::max<Index>(1, static_cast<Index>(epoch));
    double passed = 0;
    Index update = 0;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (constant)
            passed = static_cast<double>(steps[i]);
        else
            for (; update < steps[i]; ++update)
                passed +=
                    training::learning_rate_at(schedule, base, update, last, per_epoch) / base;
        times(static_cast<Index>(i)) = passed / tau;
    }
    return times;
}

void Clock::need_tau() const {
    if (tau > 0) return;
    if (!why_unknown.empty()) throw Error(why_unknown);
    throw UsageError("the learning rate is not in the file; --learning-rate or --tau is expected");
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
    clock.base = chosen(o.learning_rate, optimizer.learning_rate);
    clock.step.rate = factor * clock.base;
    if (words) {
        clock.total = words->config.steps.value_or(0);
    }
    std::optional<Index> batch = o.batch;
    if (!batch && words && !words->config.full_batch) batch = words->config.batch_size;
    if (batch && statistics.samples > 0)
        clock.epoch =
            std::max(1.0, static_cast<double>(statistics.samples) / static_cast<double>(*batch));
    if (o.tau && *o.tau > 0) {
        clock.tau = *o.tau;
        clock.step.rate = (1 - clock.step.momentum) / *o.tau;
        return clock;
    }
    if (words) clock.schedule = words->config.schedule;
    if (words && optimizer.name != "sgd") {
        clock.why_unknown =
            "optimizer " + printable(optimizer.name, 40) +
            ": the theory's clock is that of gradient descent (sgd); --tau STEPS sets one";
        clock.step.rate = 0;
    }
    if (clock.step.rate > 0) clock.tau = (1 - clock.step.momentum) / clock.step.rate;
    return clock;
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

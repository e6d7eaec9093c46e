// Built-in tasks: what holds for all of them, and sequences against their definitions, recomputed
// naively from the inputs. Statistics are within 5 standard errors of closed forms.
#include <assay/core/error.hpp>
#include <assay/training/task.hpp>

#include <catch2/catch.hpp>
#include <training/built_in.hpp>

#include <cmath>
#include <set>

using namespace assay;
using namespace assay::training;
using Catch::Matchers::Contains;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;
using training_test::Values;

namespace {

std::unique_ptr<Task> built_in(const std::string& name, const Values& values = {},
                               const std::string& preset = "", std::uint64_t seed = 1) {
    return make_task({name, preset, values, seed});
}

Eigen::Map<const RowMatrix> steps(const RowMatrix& rows, Index i, const Shape& shape) {
    return {rows.row(i).data(), shape[0], shape[1]};
}

std::vector<double> truth_values(const Task& made, const std::string& name) {
    return training_test::truth(made, name).values;
}

double mean(const Vector& x) {
    return x.mean();
}

double variance(const Vector& x) {
    return (x.array() - x.mean()).square().mean();
}

// Every task plain and with each of its presets.
std::vector<std::pair<std::string, std::string>> all_tasks() {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& description : task_catalogue()) {
        all.emplace_back(description.name, "");
        for (const auto& preset : description.presets)
            all.emplace_back(description.name, preset.name);
    }
    return all;
}

template <class T>
std::vector<T> slice(const std::vector<T>& all, Index first, Index count, Index each) {
    if (all.empty()) return {};
    return {all.begin() + first * each, all.begin() + (first + count) * each};
}

RowMatrix slice(const RowMatrix& all, Index first, Index count) {
    return all.size() == 0 ? all : RowMatrix(all.middleRows(first, count));
}

std::string task_refusal(const TaskSettings& settings) {
    try {
        static_cast<void>(make_task(settings));
    } catch (const UsageError& e) {
        return e.what();
    }
    return "";
}

} // namespace

TEST_CASE("a sample is the same however many are asked for", "[training]") {
    for (const auto& [name, preset] : all_tasks()) {
        INFO(name << " " << preset);
        const auto made = built_in(name, {}, preset);
        const Samples all = made->samples(0, 12, Stream::train);
        const Samples part = made->samples(5, 3, Stream::train);
        CHECK(part.inputs == slice(all.inputs, 5, 3));
        CHECK(part.values == slice(all.values, 5, 3));
        CHECK(part.mask == slice(all.mask, 5, 3));
        CHECK(part.classes == slice(all.classes, 5, 3, made->layout().class_steps));
        CHECK(part.lengths == slice(all.lengths, 5, 3, 1));
        CHECK(made->samples(0, 0, Stream::train).count() == 0);
    }
}

TEST_CASE("test samples and other seeds are other samples, unless the task is a fixed set",
          "[training]") {
    for (const auto& [name, preset] : all_tasks()) {
        INFO(name << " " << preset);
        const auto made = built_in(name, {}, preset);
        const auto numbers = [](const Samples& s) {
            RowMatrix both(s.count(), s.inputs.cols() + s.values.cols());
            both.leftCols(s.inputs.cols()) = s.inputs;
            if (s.values.size() > 0) both.rightCols(s.values.cols()) = s.values;
            return both;
        };
        const RowMatrix train = numbers(made->samples(0, 4, Stream::train));
        const bool fixed = made->layout().distinct > 0;
        CHECK((train == numbers(made->samples(0, 4, Stream::test))) == fixed);
        if (!fixed)
            CHECK(train != numbers(built_in(name, {}, preset, 2)->samples(0, 4, Stream::train)));
        if (fixed) {
            const auto period = made->layout().distinct;
            CHECK(train == numbers(made->samples(period, 4, Stream::train)));
        }
    }
}

TEST_CASE("samples fit the layout that their task states", "[training]") {
    for (const auto& [name, preset] : all_tasks()) {
        INFO(name << " " << preset);
        const auto made = built_in(name, {}, preset);
        const SampleLayout& layout = made->layout();
        const Samples s = made->samples(0, 7, Stream::test);
        CHECK(s.count() == 7);
        CHECK(s.inputs.allFinite());
        CHECK(s.input_shape == layout.input_shape);
        CHECK(s.input_axes.size() == s.input_shape.size());
        CHECK(layout.outputs() > 0);
        CHECK(s.classes.empty() == (layout.classes == 0));
        CHECK(s.target_shape == (layout.classes > 0 ? Shape{} : layout.target_shape));
        CHECK(s.classes.size() ==
              static_cast<std::size_t>(layout.classes > 0 ? 7 * layout.class_steps : 0));
        CHECK(std::all_of(s.classes.begin(), s.classes.end(),
                          [&](auto c) { return c >= 0 && c < layout.classes; }));
        CHECK(s.lengths.empty() != layout.has_lengths);
        CHECK((s.mask.size() > 0) == layout.has_mask);
        if (layout.vocabulary > 0) {
            CHECK(s.inputs.minCoeff() >= 0);
            CHECK(s.inputs.maxCoeff() < static_cast<double>(layout.vocabulary));
        }
        CHECK_FALSE(made->truth().empty());
        for (const auto& array : made->truth()) {
            Index size = 1;
            for (const Index extent : array.shape) size *= extent;
            CHECK(static_cast<std::size_t>(size) == array.values.size());
            CHECK(array.axes.size() == array.shape.size());
            CHECK(!array.description.empty());
        }
    }
}

TEST_CASE("the catalogue documents every parameter, and its defaults can be set", "[training]") {
    std::set<std::string> names;
    for (const auto& description : task_catalogue()) {
        INFO(description.name);
        CHECK(names.insert(description.name).second);
        CHECK(!description.summary.empty());
        Values defaults;
        for (const auto& parameter : description.parameters) {
            CHECK(!parameter.description.empty());
            defaults[parameter.name] = parameter.value;
        }
        const auto plain = built_in(description.name), given = built_in(description.name, defaults);
        CHECK(plain->parameters() == given->parameters());
        CHECK(plain->samples(0, 3, Stream::train).inputs ==
              given->samples(0, 3, Stream::train).inputs);
    }
    CHECK(names.count("context-integration") == 1);
    CHECK(names.size() == 27);
}

TEST_CASE("a mistake in a task's settings names the key, what was found and expected",
          "[training]") {
    CHECK_THAT(task_refusal({"flipflip", "", {}, 0}), Contains("did you mean 'flipflop'?"));
    CHECK_THAT(task_refusal({"nothing-like-it", "", {}, 0}), Contains("known are flipflop, sine"));
    CHECK_THAT(task_refusal({"flipflop", "", {{"bitz", "3"}}, 0}),
               Contains("task 'flipflop': unknown parameter 'bitz'; did you mean 'bits'?"));
    CHECK_THAT(task_refusal({"flipflop", "", {{"bits", "0"}}, 0}),
               Contains("parameter 'bits': found '0'; an integer from 1 to 4096 is expected"));
    CHECK_THAT(task_refusal({"flipflop", "", {{"bits", "2.5"}}, 0}), Contains("an integer from"));
    CHECK_THAT(task_refusal({"flipflop", "", {{"probability", "nan"}}, 0}),
               Contains("a number from 0 to 1"));
    CHECK_THAT(task_refusal({"flipflop", "reference", {}, 0}), Contains("there are none"));
    CHECK_THAT(task_refusal({"sine", "referense", {}, 0}), Contains("did you mean 'reference'?"));
    CHECK_THAT(task_refusal({"decision", "", {{"steps", "many"}}, 0}), Contains("found 'many'"));
    CHECK_THAT(task_refusal({"context-integration", "", {{"target", "last"}}, 0}),
               Contains("running or final"));
    CHECK_THAT(task_refusal({"probe", "", {{"stream", "3"}}, 0}), Contains("from 1 to 2"));
    CHECK_THAT(task_refusal({"sentiment", "", {{"shortest", "60"}}, 0}),
               Contains("at most longest"));
    CHECK_THAT(task_refusal({"flipflop", "", {{"bits", "4096"}, {"steps", "1000000"}}, 0}),
               Contains("1000000 x 4096 numbers; at most 2^28"));
    CHECK_THAT(task_refusal({"linear-teacher", "", {{"sizes", "10,5"}}, 0}), Contains("N1,N2,N3"));
    CHECK_THROWS_AS(built_in("flipflop")->samples(0, Index{1} << 40, Stream::train), UsageError);
    CHECK_NOTHROW(built_in("context-integration", {{"bias-mean", "0"}}));
}

TEST_CASE("flipflop: the target is the last pulse, pulses have their rate", "[training]") {
    const auto made = built_in("flipflop");
    const Samples s = made->samples(0, 2000, Stream::train);
    double pulses = 0, positive = 0;
    bool last_pulse_rules = true;
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape), y = steps(s.values, i, s.target_shape);
        for (Index k = 0; k < x.cols(); ++k)
            for (Index t = 0; t < x.rows(); ++t) {
                Index back = t;
                while (back > 0 && x(back, k) == 0) --back;
                last_pulse_rules =
                    last_pulse_rules && std::abs(x(back, k)) == 1 && y(t, k) == x(back, k);
                pulses += t > 0 ? std::abs(x(t, k)) : 0;
                positive += t > 0 && x(t, k) > 0 ? 1 : 0;
            }
    }
    CHECK(last_pulse_rules);
    const double draws = 2000.0 * 63 * 3;
    CHECK_THAT(pulses / draws, WithinAbs(0.2, 5 * std::sqrt(0.16 / draws)));
    CHECK_THAT(positive / pulses, WithinAbs(0.5, 5 * std::sqrt(0.25 / pulses)));
    CHECK(truth_values(*made, "stable_outputs").size() == 8 * 3);
}

TEST_CASE("sine: the stated frequencies and inputs", "[training]") {
    const auto plain = built_in("sine"), reference = built_in("sine", {}, "reference");
    const Samples s = plain->samples(0, 102, Stream::train);
    CHECK(s.input_shape == Shape{50, 1});
    for (const Index i : {0, 7, 50, 58}) {
        const double j = static_cast<double>(i % 51);
        CHECK_THAT(s.inputs(i, 20), WithinRel(j / 51 + 0.25, 1e-14));
        CHECK_THAT(s.values(i, 20), WithinAbs(std::sin((0.1 + 0.01 * j) * 21), 1e-12));
    }
    const Samples r = reference->samples(0, 21, Stream::test);
    CHECK(r.input_shape == Shape{120, 1});
    CHECK_THAT(r.values(20, 119), WithinAbs(std::sin(6.0 * 0.05 * 120), 1e-12));
    CHECK_THAT(r.values(1, 0), WithinAbs(std::sin(1.25 * 0.05), 1e-12));
}

TEST_CASE("delayed-match: the answer is whether the two stimuli agree", "[training]") {
    const Samples s =
        built_in("delayed-match", {{"stimuli", "3"}})->samples(0, 3000, Stream::train);
    REQUIRE(s.input_shape == Shape{35, 3});
    double matches = 0;
    bool right = true;
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape);
        const Eigen::RowVectorXd first = x.row(2), second = x.row(27);
        const double answer = first == second ? 1 : -1;
        right = right && first.sum() == 1 && second.sum() == 1 && x.sum() == 10 &&
                x.middleRows(5, 20).isZero() && s.values(i, 30) == answer &&
                s.values(i, 34) == answer && s.mask.row(i).sum() == 5 && s.mask(i, 30) == 1;
        matches += answer > 0 ? 1 : 0;
    }
    CHECK(right);
    CHECK_THAT(matches / 3000, WithinAbs(0.5, 5 * std::sqrt(0.25 / 3000)));

    const auto other =
        built_in("delayed-match", {{"duration", "3"}, {"delay", "4"}, {"response", "2"}});
    const Samples short_ones = other->samples(0, 50, Stream::train);
    const auto onset = truth_values(*other, "onset");
    const auto answer = static_cast<Index>(truth_values(*other, "answer").at(0));
    REQUIRE(onset.size() == 2);
    right = true;
    for (Index i = 0; i < short_ones.count(); ++i) {
        const auto x = steps(short_ones.inputs, i, short_ones.input_shape);
        const auto begins = [&](double at) {
            const auto step = static_cast<Index>(at);
            return x.row(step).sum() == 1 && (step == 0 || x.row(step - 1).sum() == 0);
        };
        right = right && begins(onset[0]) && begins(onset[1]) &&
                short_ones.mask.row(i).head(answer).isZero() && short_ones.mask(i, answer) == 1;
    }
    CHECK(right);
    // Of answering 0 where the target counts.
    const double squares = (short_ones.values.array() * short_ones.mask.array()).square().sum();
    CHECK(squares / short_ones.mask.sum() == truth_values(*other, "mse_without_memory").at(0));
}

TEST_CASE("copy: the symbols come back after the go sign", "[training]") {
    const auto made = built_in("copy", {{"delay", "7"}, {"length", "4"}, {"symbols", "5"}});
    const Samples s = made->samples(0, 500, Stream::train);
    REQUIRE(s.input_shape == Shape{15, 7});
    RowMatrix seen = RowMatrix::Zero(1, 7);
    bool right = true;
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape);
        seen += x.colwise().sum();
        const auto* y = s.classes.data() + i * 15;
        for (Index t = 0; t < 15; ++t) right = right && x.row(t).sum() == 1;
        for (Index t = 0; t < 11; ++t) right = right && y[t] == 0;
        for (Index t = 0; t < 4; ++t) right = right && x(t, y[11 + t]) == 1 && y[11 + t] > 0;
        right = right && x(10, 6) == 1;
    }
    CHECK(right);
    CHECK(seen(0, 6) == 500);
    CHECK(seen(0, 0) == 500 * 10);
    CHECK_THAT(seen(0, 3) / 2000, WithinAbs(0.2, 5 * std::sqrt(0.16 / 2000)));
    CHECK_THAT(truth_values(*made, "loss_without_memory")[0],
               WithinRel(4 * std::log(5.0) / 15, 1e-14));
}

TEST_CASE("adding: the sum of the two marked numbers, one in each half", "[training]") {
    const Samples s = built_in("adding", {{"steps", "21"}})->samples(0, 20000, Stream::train);
    Vector sums(s.count());
    bool right = true;
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape);
        sums(i) = x.col(0).dot(x.col(1));
        right = right && x.col(1).head(10).sum() == 1 && x.col(1).tail(11).sum() == 1 &&
                std::abs(s.values(i, 20) - sums(i)) < 1e-15 && s.mask.row(i).sum() == 1 &&
                s.mask(i, 20) == 1;
    }
    CHECK(right);
    CHECK_THAT(mean(sums), WithinAbs(1, 5 * std::sqrt(1.0 / 6 / 20000)));
    CHECK_THAT(variance(sums), WithinRel(1.0 / 6, 0.05));
}

TEST_CASE("context-integration: running sum of the cued channel, stated moments", "[training]") {
    const auto made = built_in("context-integration");
    const Samples s = made->samples(0, 20000, Stream::train);
    Vector last(s.count()), step(s.count()), other(s.count()), first_cued(s.count());
    double error = 0;
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape), y = steps(s.values, i, s.target_shape);
        const Index cued = x(0, 2) == 1 ? 0 : 1;
        error = std::max(error, (x.col(2 + cued).array() - 1).abs().maxCoeff() +
                                    x.col(3 - cued).cwiseAbs().maxCoeff());
        for (const Index t : {0, 11, 29})
            error = std::max(error, std::abs(y(t, 0) - x.col(cued).head(t + 1).sum()));
        last(i) = y(29, 0);
        step(i) = x(4, 1) - x(3, 1);
        other(i) = x(4, 0) - x(3, 0);
        first_cued(i) = cued == 0 ? 1 : 0;
    }
    CHECK(error < 1e-12);
    // Variance T^2 0.05^2 + T 0.15^2; of a difference of steps 2 0.15^2; standard error sqrt(2/N).
    const double relative = 5 * std::sqrt(2.0 / 20000);
    CHECK_THAT(variance(last), WithinRel(900 * 0.0025 + 30 * 0.0225, relative));
    CHECK_THAT(truth_values(*made, "final_variance")[0],
               WithinRel(900 * 0.0025 + 30 * 0.0225, 1e-12));
    CHECK_THAT(variance(step), WithinRel(2 * 0.0225, relative));
    CHECK_THAT(step.dot(other) / 20000, WithinAbs(0, 5 * 0.045 / std::sqrt(20000.0)));
    CHECK_THAT(mean(last), WithinAbs(0, 5 * std::sqrt(2.925 / 20000)));
    CHECK_THAT(mean(first_cued), WithinAbs(0.5, 5 * std::sqrt(0.25 / 20000)));
}

TEST_CASE("context-integration: preset ctd and final targets", "[training]") {
    const Samples s = built_in("context-integration", {}, "ctd")->samples(0, 20000, Stream::train);
    REQUIRE(s.input_shape == Shape{25, 4});
    Vector means(s.count());
    for (Index i = 0; i < s.count(); ++i)
        means(i) = steps(s.inputs, i, s.input_shape).col(0).mean();
    // 0.01 * 2 (N - 1/2) has mean -0.01, sd 0.02; a step's noise has sd 0.025 / sqrt(1/25) = 0.125.
    const double spread = 0.0004 + 0.125 * 0.125 / 25;
    CHECK_THAT(mean(means), WithinAbs(-0.01, 5 * std::sqrt(spread / 20000)));
    CHECK_THAT(variance(means), WithinRel(spread, 5 * std::sqrt(2.0 / 20000)));
    const Samples final =
        built_in("context-integration", {{"target", "final"}})->samples(0, 2, Stream::train);
    CHECK(final.mask.rowwise().sum() == Vector::Ones(2));
    CHECK(final.mask(0, 29) == 1);
}

TEST_CASE("probe: constant levels or a pulse on one channel", "[training]") {
    const Samples s =
        built_in("probe", {{"context", "2"}, {"stream", "2"}})->samples(0, 22, Stream::test);
    for (const Index i : {0, 5, 10, 16}) {
        const auto x = steps(s.inputs, i, s.input_shape);
        const double level = -0.1 + 0.02 * static_cast<double>(i % 11);
        CHECK_THAT(x(17, 1), WithinAbs(level, 1e-15));
        CHECK(x.col(0).isZero(0));
        CHECK(x.col(3) == Vector::Ones(30));
        CHECK_THAT(s.values(i, 29), WithinAbs(30 * level, 1e-12));
    }
    const Samples other = built_in("probe", {{"context", "2"}})->samples(0, 1, Stream::test);
    CHECK(other.values.isZero(0));
    const Samples pulse = built_in("probe", {}, "pulse")->samples(0, 3, Stream::test);
    CHECK(steps(pulse.inputs, 2, pulse.input_shape).col(0).sum() == 1);
    CHECK(pulse.inputs(2, 0) == 1);
    CHECK(pulse.values == RowMatrix::Ones(3, 30));
}

TEST_CASE("decision and integrator: sign and leaky sum of white noise", "[training]") {
    const Samples d = built_in("decision")->samples(0, 4000, Stream::train);
    bool right = true;
    for (Index i = 0; i < d.count(); ++i)
        right = right && d.values(i, 29) == (d.inputs.row(i).sum() > 0 ? 1 : -1) &&
                d.mask.row(i).sum() == 1 && d.mask(i, 29) == 1;
    CHECK(right);
    CHECK_THAT(d.inputs.squaredNorm() / static_cast<double>(d.inputs.size()),
               WithinRel(1, 5 * std::sqrt(2.0 / 120000)));
    const auto louder = built_in("decision", {{"noise", "0.4"}});
    const Samples l = louder->samples(0, 4000, Stream::train);
    CHECK_THAT(truth_values(*louder, "sum_sd")[0],
               WithinRel(std::sqrt(variance(l.inputs.rowwise().sum())), 5 * std::sqrt(0.5 / 4000)));
    const auto accuracy = truth_values(*louder, "accuracy");
    REQUIRE(accuracy.size() == 30);
    CHECK_THAT(accuracy[29], WithinRel(1.0, 1e-12));
    for (const Index steps_seen : {1, 10, 25}) {
        double same = 0;
        for (Index i = 0; i < l.count(); ++i)
            same += l.inputs.row(i).head(steps_seen).sum() * l.values(i, 29) > 0 ? 1 : 0;
        const double p = accuracy[static_cast<std::size_t>(steps_seen - 1)];
        CHECK_THAT(same / 4000, WithinAbs(p, 5 * std::sqrt(p * (1 - p) / 4000)));
    }

    const auto leaky =
        built_in("integrator", {{"leak", "0.2"}, {"channels", "2"}, {"noise", "0.5"}});
    const Samples s = leaky->samples(0, 4000, Stream::train);
    double error = 0;
    Vector last(s.count());
    for (Index i = 0; i < s.count(); ++i) {
        const auto x = steps(s.inputs, i, s.input_shape), y = steps(s.values, i, s.target_shape);
        double sum = 0;
        for (Index t = 0; t < 50; ++t) sum += std::pow(0.8, static_cast<double>(49 - t)) * x(t, 1);
        error = std::max(error, std::abs(sum - y(49, 1)));
        last(i) = y(49, 1);
    }
    CHECK(error < 1e-12);
    // Stationary variance sd^2 / (1 - 0.8^2), reached to 0.8^100.
    CHECK_THAT(truth_values(*leaky, "variance")[49], WithinRel(0.25 / 0.36, 1e-9));
    CHECK_THAT(variance(last), WithinRel(0.25 / 0.36, 5 * std::sqrt(2.0 / 4000)));
}

namespace {

// Scores of a document word by word, from the truth's table.
std::vector<double> scores_of(const Samples& s, Index i, const std::vector<double>& valence,
                              Index classes, double flip) {
    std::vector<double> scores(static_cast<std::size_t>(classes), 0);
    for (Index t = 0; t < s.lengths[static_cast<std::size_t>(i)]; ++t) {
        const double sign = t > 0 && s.inputs(i, t - 1) == flip ? -1 : 1;
        for (Index k = 0; k < classes; ++k)
            scores[static_cast<std::size_t>(k)] +=
                sign * valence[static_cast<std::size_t>(s.inputs(i, t)) *
                                   static_cast<std::size_t>(classes) +
                               static_cast<std::size_t>(k)];
    }
    return scores;
}

} // namespace

TEST_CASE("sentiment: labels, lengths and frequencies of words", "[training]") {
    const auto made = built_in("sentiment", {{"bias", "0"}});
    const Samples s = made->samples(0, 3000, Stream::train);
    const auto valence = truth_values(*made, "valence");
    REQUIRE(valence.size() == 100);
    CHECK(made->layout().vocabulary == 100);
    CHECK(std::count(valence.begin(), valence.end(), 0.0) == 60);
    CHECK(*std::max_element(valence.begin(), valence.end()) == 1.5);
    CHECK(*std::min_element(valence.begin(), valence.end()) == -1.5);
    double words = 0, positive = 0, lengths = 0;
    bool right = true;
    std::set<Index> seen;
    for (Index i = 0; i < s.count(); ++i) {
        const Index length = s.lengths[static_cast<std::size_t>(i)];
        seen.insert(length);
        lengths += static_cast<double>(length);
        right = right && s.classes[static_cast<std::size_t>(i)] ==
                             (scores_of(s, i, valence, 1, -1)[0] > 0 ? 1 : 0);
        right = right && s.inputs.row(i).tail(50 - length).isZero(0);
        for (Index t = 0; t < length; ++t) {
            ++words;
            positive += valence[static_cast<std::size_t>(s.inputs(i, t))] > 0 ? 1 : 0;
        }
    }
    CHECK(right);
    CHECK((*seen.begin() == 20 && *seen.rbegin() == 50 && seen.size() == 31));
    CHECK_THAT(lengths / 3000, WithinAbs(35, 5 * std::sqrt(80.0 / 3000)));
    CHECK_THAT(positive / words, WithinAbs(1 / 3.5, 5 * std::sqrt(0.2 / words)));
}

TEST_CASE("sentiment: the bias of a document sets its odds, negation flips the next word",
          "[training]") {
    // log(positive/negative) = 2 b in a document of 5000 words; 2 b has sd 0.7.
    const auto biased = built_in("sentiment", {{"shortest", "5000"}, {"longest", "5000"}});
    const Samples s = biased->samples(0, 400, Stream::train);
    const auto valence = truth_values(*biased, "valence");
    Vector log_odds(s.count());
    for (Index i = 0; i < s.count(); ++i) {
        double positive = 0, negative = 0;
        for (Index t = 0; t < 5000; ++t) {
            const double v = valence[static_cast<std::size_t>(s.inputs(i, t))];
            positive += v > 0 ? 1 : 0;
            negative += v < 0 ? 1 : 0;
        }
        log_odds(i) = std::log(positive / negative);
    }
    CHECK_THAT(std::sqrt(variance(log_odds)), WithinRel(0.7, 5 * std::sqrt(0.5 / 400)));

    const auto negated = built_in("sentiment", {{"negation", "0.3"}});
    const Samples n = negated->samples(0, 500, Stream::train);
    const auto table = truth_values(*negated, "valence");
    CHECK(truth_values(*negated, "negation")[0] == 100);
    CHECK(negated->layout().vocabulary == 101);
    bool right = true;
    double words = 0, flips = 0;
    for (Index i = 0; i < n.count(); ++i) {
        const auto label = n.classes[static_cast<std::size_t>(i)];
        right = right && label == (scores_of(n, i, table, 1, 100)[0] > 0 ? 1 : 0);
        for (Index t = 0; t < n.lengths[static_cast<std::size_t>(i)]; ++t) {
            ++words;
            flips += n.inputs(i, t) == 100 ? 1 : 0;
        }
    }
    CHECK(right);
    CHECK_THAT(flips / words, WithinAbs(0.3, 5 * std::sqrt(0.21 / words)));
}

TEST_CASE("sentiment: preset scores, and several classes with scores of their own", "[training]") {
    const auto five = built_in("sentiment", {}, "scores");
    const Samples s = five->samples(0, 2000, Stream::train);
    const auto valence = truth_values(*five, "valence");
    CHECK(std::multiset<double>(valence.begin(), valence.end()) ==
          std::multiset<double>{-2, -1, 0, 1, 2});
    std::vector<double> counts(5, 0);
    double words = 0;
    for (Index i = 0; i < s.count(); ++i)
        for (Index t = 0; t < s.lengths[static_cast<std::size_t>(i)]; ++t, ++words)
            ++counts[static_cast<std::size_t>(s.inputs(i, t))];
    for (const double count : counts)
        CHECK_THAT(count / words, WithinAbs(0.2, 5 * std::sqrt(0.16 / words)));

    const auto several = built_in("sentiment", {{"classes", "3"}}, "scores");
    const Samples c = several->samples(0, 500, Stream::train);
    const auto table = truth_values(*several, "valence");
    CHECK(several->layout().vocabulary == 13);
    CHECK(several->layout().classes == 3);
    bool right = true;
    std::set<std::int64_t> seen;
    for (Index i = 0; i < c.count(); ++i) {
        const auto scores = scores_of(c, i, table, 3, -1);
        const auto label = c.classes[static_cast<std::size_t>(i)];
        seen.insert(label);
        for (std::size_t k = 0; k < 3; ++k)
            right = right && (scores[k] < scores[static_cast<std::size_t>(label)] ||
                              (scores[k] == scores[static_cast<std::size_t>(label)] &&
                               static_cast<std::int64_t>(k) >= label));
    }
    CHECK(right);
    CHECK(seen.size() == 3);
}

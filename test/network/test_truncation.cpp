// Backpropagation through time that ends at multiples of some step, and a penalty on rates: central
// differences of the objective that truncation defines, in which a state that crosses such a step
// is a constant. The objective is written over RecurrentCell, which knows nothing of layers.
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/network/network.hpp>
#include <assay/network/recurrent_cell.hpp>

#include <catch2/catch.hpp>
#include <network/normal.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace assay;
using namespace assay::network;

namespace {

constexpr Index kSteps = 7, kInputs = 3, kUnits = 4, kSamples = 3;

Rows<double> truncation_numbers(const std::string& name, Index rows, Index cols) {
    return network_test::normal(1, "test/network/truncation/" + name, rows, cols);
}

struct Setting {
    bool sequences = true;
    Index truncate = 0;
    double penalty = 0;
    std::vector<Index> lengths{kSteps, 5, 2};
};

std::string truncated_architecture(const std::string& cell, const Setting& s) {
    return R"({"input": {"shape": [7, 3], "axes": ["time", "feature"]}, "layers": [{"name": "cell",
        "units": 4, "initial_state": true, "return_sequences": )" +
           std::string(s.sequences ? "true" : "false") + ", " + cell + "}]}";
}

// The loss of rates against targets plus the penalty, from one state where there is no truncation,
// else with the states in `given` at its steps.
class TruncatedObjective {
  public:
    TruncatedObjective(CellForm form, Setting setting, Rows<double> targets)
        : form_(std::move(form)), setting_(std::move(setting)), targets_(std::move(targets)) {}

    // The states before every step, of all samples, at these parameters.
    void hold(const Column<double>& theta, const Rows<double>& x) {
        given_.clear();
        const RecurrentCell<double> cell(form_, theta);
        Rows<double> h = cell.initial_state().transpose().replicate(kSamples, 1);
        for (Index t = 0; t < kSteps; ++t) {
            given_.push_back(h);
            h = cell.step(x.middleCols(t * kInputs, kInputs), h);
        }
    }
    double operator()(const Column<double>& theta, const Rows<double>& x) const {
        const RecurrentCell<double> cell(form_, theta);
        Rows<double> h = cell.initial_state().transpose().replicate(kSamples, 1);
        double sum = 0;
        for (Index t = 0; t < kSteps; ++t) {
            if (t > 0 && setting_.truncate > 0 && t % setting_.truncate == 0)
                h = given_[static_cast<std::size_t>(t)];
            h = cell.step(x.middleCols(t * kInputs, kInputs), h);
            const Rows<double> rates = cell.output(h);
            for (Index b = 0; b < kSamples; ++b) {
                const Index length = setting_.lengths[static_cast<std::size_t>(b)];
                if (t >= length) continue;
                sum += setting_.penalty / 2 * rates.row(b).squaredNorm() /
                       static_cast<double>(length * kUnits);
                if (setting_.sequences)
                    sum += 0.5 *
                           (rates.row(b) - targets_.block(b, t * kUnits, 1, kUnits)).squaredNorm();
                else if (t == length - 1)
                    sum += 0.5 * (rates.row(b) - targets_.row(b)).squaredNorm();
            }
        }
        return sum;
    }

  private:
    CellForm form_;
    Setting setting_;
    Rows<double> targets_;
    std::vector<Rows<double>> given_;
};

void check(const std::string& cell, const Setting& setting) {
    CAPTURE(cell, setting.sequences, setting.truncate, setting.penalty);
    const Network<double> network(truncated_architecture(cell, setting));
    Weights<double> weights{truncation_numbers("weights", network.parameter_count(), 1) * 0.7, {}};
    Rows<double> x = truncation_numbers("inputs", kSamples, kSteps * kInputs);
    const Rows<double> targets = truncation_numbers("targets", kSamples, network.output().size());
    TruncatedObjective objective(RecurrentCell<double>(network, 1, weights).form(), setting,
                                 targets);
    objective.hold(weights.trained, x);

    Pass<double> pass(network);
    PassInfo info;
    info.lengths = &setting.lengths;
    info.truncate = setting.truncate;
    info.rate_penalty = setting.penalty;
    Rows<double> cotangent = pass.forward(weights, x, info) - targets;
    for (Index b = 0; setting.sequences && b < kSamples; ++b)
        cotangent.row(b)
            .tail((kSteps - setting.lengths[static_cast<std::size_t>(b)]) * kUnits)
            .setZero();
    pass.backward(cotangent, true);
    Column<double> gradient = Column<double>::Zero(network.parameter_count());
    pass.add_gradient(gradient.data());

    const auto difference = [&](double& number) {
        const double step = 1e-5, before = number;
        number = before + step;
        const double above = objective(weights.trained, x);
        number = before - step;
        const double below = objective(weights.trained, x);
        number = before;
        return (above - below) / (2 * step);
    };
    Column<double> expected(gradient.size());
    for (Index i = 0; i < expected.size(); ++i) expected(i) = difference(weights.trained(i));
    CHECK((gradient - expected).cwiseAbs().maxCoeff() < 1e-8 * (1 + expected.norm()));
    Rows<double> expected_inputs(x.rows(), x.cols());
    for (Index i = 0; i < x.size(); ++i) expected_inputs.data()[i] = difference(x.data()[i]);
    CHECK((pass.cotangent(0) - expected_inputs).cwiseAbs().maxCoeff() <
          1e-8 * (1 + expected_inputs.norm()));
}

const std::vector<std::string> kCells{R"("type": "rnn")",
                                      R"("type": "rnn", "activation": "softplus")",
                                      R"("type": "gru", "recurrent_bias": true)",
                                      R"("type": "gru", "reset_after": false)",
                                      R"("type": "lstm")",
                                      R"("type": "ugrnn")",
                                      R"("type": "janet")",
                                      R"("type": "ctrnn", "alpha": 0.3)",
                                      R"("type": "ctrnn", "alpha": 0.3, "form": "current")",
                                      R"("type": "linear")"};

} // namespace

TEST_CASE("truncated gradients are those of the truncated objective", "[network][truncation]") {
    for (const auto& cell : kCells)
        for (const Index truncate : {0, 1, 3, 7})
            for (const bool sequences : {true, false}) {
                Setting setting;
                setting.sequences = sequences;
                setting.truncate = truncate;
                check(cell, setting);
            }
}

TEST_CASE("the penalty on rates has its gradient", "[network][truncation]") {
    for (const auto& cell : kCells)
        for (const Index truncate : {0, 3})
            for (const bool sequences : {true, false}) {
                Setting setting;
                setting.sequences = sequences;
                setting.truncate = truncate;
                setting.penalty = 5;
                check(cell, setting);
            }
}

TEST_CASE("mean square rates are those of the valid steps", "[network][truncation]") {
    for (const char* cell :
         {R"("type": "lstm")", R"("type": "ctrnn", "alpha": 0.3, "form": "current")"}) {
        CAPTURE(cell);
        const Setting setting;
        const Network<double> network(truncated_architecture(cell, setting));
        const Weights<double> weights{truncation_numbers("weights", network.parameter_count(), 1),
                                      {}};
        const Rows<double> x = truncation_numbers("inputs", kSamples, kSteps * kInputs);
        Pass<double> pass(network);
        PassInfo info;
        info.lengths = &setting.lengths;
        const Rows<double> rates = pass.forward(weights, x, info); // zero past a sample's end
        double expected = 0;
        for (Index b = 0; b < kSamples; ++b)
            expected += rates.row(b).squaredNorm() /
                        static_cast<double>(setting.lengths[static_cast<std::size_t>(b)] * kUnits);
        CHECK(pass.mean_square_rates() == Approx(expected).epsilon(1e-13));
    }
    // Where only the last state is shown, all steps count just the same.
    Setting last;
    last.sequences = false;
    const Network<double> shown(truncated_architecture(R"("type": "gru")", {})),
        hidden(truncated_architecture(R"("type": "gru")", last));
    const Weights<double> weights{truncation_numbers("weights", shown.parameter_count(), 1), {}};
    const Rows<double> x = truncation_numbers("inputs", kSamples, kSteps * kInputs);
    Pass<double> one(shown), other(hidden);
    static_cast<void>(one.forward(weights, x, {}));
    static_cast<void>(other.forward(weights, x, {}));
    CHECK(one.mean_square_rates() == other.mean_square_rates());
}

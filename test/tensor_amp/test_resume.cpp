// Interrupted at every place where the work looks, and resumed from a file, it has the bits of an
// undisturbed run.
#include "instance.hpp"
#include "scratch.hpp"

#include <assay/core/error.hpp>
#include <assay/tensor_amp/state_io.hpp>
#include <assay/tensor_amp/synthetic.hpp>

#include <catch2/catch.hpp>

#include <atomic>

using namespace assay;
using namespace assay::tensor_amp;

namespace {

// Asks to stop from the `looks`-th look on.
class StopsAfter : public Monitor {
  public:
    explicit StopsAfter(int looks) : left_(looks) {}
    [[nodiscard]] bool interrupted() const override { return left_-- <= 0; }

  private:
    mutable std::atomic<int> left_;
};

// Runs `work(execution, keeping)` again and again from the state that the last attempt left in a
// file: each time a few looks further, or as far as the same number of looks goes, which ends only
// where all pieces of the work are that small. Returns the result and how often it was interrupted.
enum class Attempts { longer, equal };
template <class State, class Work>
auto run_in_pieces(const Work& work, int looks, Attempts attempts = Attempts::longer) {
    const tensor_amp_test::ScratchFile file;
    bool saved = false;
    for (int attempt = 1;; ++attempt) {
        StopsAfter monitor(attempts == Attempts::longer ? attempt * looks : looks);
        Keeping<State> keeping;
        if (saved) keeping.resume = read_state<State>(file.root().group("state"));
        keeping.save = [&](const State& state) {
            file.write([&](hdf5::Group root) { write_state(root.create_group("state"), state); });
            saved = true;
        };
        try {
            // Threads in turn; no bit depends on them.
            return std::pair(work(Execution{1 + attempt % 3, &monitor}, keeping), attempt - 1);
        } catch (const Interrupted&) {
            REQUIRE(attempt < 1000);
        }
    }
}

// Looks that are enough for any one piece of the work of these tests.
constexpr int kSmallPiece = 100;

bool same(const std::vector<MatrixXd>& a, const std::vector<MatrixXd>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t k = 0; k < a.size(); ++k)
        if (a[k].rows() != b[k].rows() || a[k].cols() != b[k].cols() || a[k] != b[k]) return false;
    return true;
}
bool same(const VectorXd& a, const VectorXd& b) {
    return a.size() == b.size() && a == b;
}

void check_same(const FitResult& a, const FitResult& b) {
    CHECK(same(a.factors, b.factors));
    CHECK(same(a.covariances, b.covariances));
    CHECK(same(a.fields.field, b.fields.field));
    CHECK(same(a.fields.precision, b.fields.precision));
    CHECK(a.noise_variance == b.noise_variance);
    CHECK(same(a.slice_noise, b.slice_noise));
    CHECK(a.bethe_free_entropy == b.bethe_free_entropy);
    CHECK(a.elbo == b.elbo);
    CHECK(a.objective == b.objective);
    CHECK(a.explained_variance == b.explained_variance);
    CHECK(a.status == b.status);
    CHECK(a.iterations == b.iterations);
    CHECK(a.priors == b.priors);
    CHECK(same(a.trace.change, b.trace.change));
    CHECK(same(a.trace.free_entropy, b.trace.free_entropy));
    CHECK(same(a.trace.damping, b.trace.damping));
    CHECK(same(a.trace.objective, b.trace.objective));
    CHECK(same(a.restarts.objective, b.restarts.objective));
    CHECK(same(a.restarts.similarity, b.restarts.similarity));
    CHECK(a.restarts.status == b.restarts.status);
    REQUIRE(a.trace.truth_overlap.size() == b.trace.truth_overlap.size());
    for (std::size_t t = 0; t < a.trace.truth_overlap.size(); ++t)
        CHECK(same(a.trace.truth_overlap[t], b.trace.truth_overlap[t]));
}

void check_resumed(const TensorSource& source, const FitSettings& settings) {
    const FitResult whole = fit_tensor(source, settings, {});
    for (const int looks : {4, 20}) {
        const auto [pieces, interruptions] = run_in_pieces<FitState>(
            [&](const Execution& run, const Keeping<FitState>& keeping) {
                return fit_tensor(source, settings, run, keeping);
            },
            looks);
        INFO(interruptions << " interruptions, " << whole.iterations << " sweeps");
        CHECK(interruptions > 1);
        check_same(pieces, whole);
    }
    const auto [pieces, interruptions] = run_in_pieces<FitState>(
        [&](const Execution& run, const Keeping<FitState>& keeping) {
            return fit_tensor(source, settings, run, keeping);
        },
        kSmallPiece, Attempts::equal);
    check_same(pieces, whole);
}

FitSettings short_settings(const std::string& prior, Index rank) {
    FitSettings settings;
    settings.rank = rank;
    settings.priors.assign(3, parse_prior(prior, rank));
    settings.amp.max_iterations = 15;
    return settings;
}

DenseTensor with_holes(DenseTensor tensor, std::size_t period) {
    tensor.observed.assign(static_cast<std::size_t>(tensor.values.size()), 1);
    for (std::size_t e = 0; e < tensor.observed.size(); e += period) tensor.observed[e] = 0;
    return tensor;
}

} // namespace

TEST_CASE("message passing resumes", "[tensor_amp][resume]") {
    const auto one = tensor_test::make_instance({14, 15, 16}, {"gauss:mean=0.5"}, 2, 0.02, 1);
    const MemoryTensor source(one.tensor);
    SECTION("noise and priors learned, scales equilibrated, two restarts, fields") {
        FitSettings settings = short_settings("gauss", 2);
        settings.amp.learn_noise = settings.amp.learn_priors = settings.keep_fields = true;
        settings.restarts = 2;
        check_resumed(source, settings);
    }
    SECTION("in parallel, from the prior's means, overlaps followed") {
        FitSettings settings = short_settings("gauss:mean=[0.5,-0.5]", 2);
        settings.noise_variance = 0.02;
        settings.amp.schedule = Schedule::parallel;
        settings.start = Start::prior_mean;
        settings.truth = one.truth;
        check_resumed(source, settings);
    }
    SECTION("variational, tied modes") {
        FitSettings settings = short_settings("gauss", 2);
        settings.algorithm = Algorithm::vb;
        settings.amp.learn_noise = settings.amp.learn_priors = settings.amp.tie_modes = true;
        check_resumed(source, settings);
    }
    SECTION("noise of slices") {
        FitSettings settings = short_settings("gauss", 2);
        settings.amp.learn_noise = true;
        settings.noise_mode = 1;
        check_resumed(source, settings);
    }
}

TEST_CASE("message passing with priors of every kind resumes", "[tensor_amp][resume]") {
    const std::string prior =
        GENERATE("rademacher:p=0.6", "bernoulli:rho=0.4", "sparse-rademacher:rho=0.5",
                 "one-hot:probabilities=[0.3,0.7]", "gauss-bernoulli:rho=0.4,mean=1,var=0.5",
                 "nonneg-gauss:mean=0.5,var=1", "exponential:rate=1.5");
    INFO(prior);
    const auto one = tensor_test::make_instance({12, 13, 14}, {prior}, 2, 0.01, 2);
    const MemoryTensor source(one.tensor);
    FitSettings settings = short_settings(prior, 2);
    settings.amp.learn_noise = settings.amp.learn_priors = true;
    settings.amp.max_iterations = 8;
    check_resumed(source, settings);
}

TEST_CASE("missing entries resume", "[tensor_amp][resume]") {
    const auto one = tensor_test::make_instance({14, 15, 16}, {"gauss"}, 2, 0.02, 3);
    const MemoryTensor source(with_holes(one.tensor, 7));
    FitSettings settings = short_settings("gauss", 2);
    SECTION("exact") {
        settings.amp.learn_noise = settings.amp.learn_priors = true;
        settings.missing = MissingForm::exact;
    }
    SECTION("as if at random") {
        settings.amp.learn_noise = true;
        settings.missing = MissingForm::mean_field;
    }
    SECTION("least squares, one start after the other") {
        settings.algorithm = Algorithm::als;
        settings.start = Start::random;
        settings.restarts = 3;
    }
    check_resumed(source, settings);
}

TEST_CASE("least squares resume", "[tensor_amp][resume]") {
    const auto one = tensor_test::make_instance({14, 15, 16}, {"exponential"}, 3, 0.3, 4);
    const MemoryTensor source(one.tensor);
    FitSettings settings = short_settings("gauss", 3);
    settings.restarts = 4;
    settings.start = Start::random;
    settings.algorithm = GENERATE(Algorithm::als, Algorithm::hals);
    check_resumed(source, settings);
}

TEST_CASE("symmetric fits resume", "[tensor_amp][resume][symmetric]") {
    SyntheticSettings model;
    model.shape = {16, 16, 16};
    model.priors.assign(3, parse_prior("gauss:mean=0.8", 1));
    model.noise_variance = 0.05;
    model.symmetric = true;
    const Synthetic made = make_synthetic(model, {});
    const MemoryTensor source(made.tensor);
    FitSettings settings = short_settings("gauss:mean=0.8", 1);
    settings.symmetric = true;
    settings.restarts = 2;
    settings.amp.learn_noise = settings.amp.learn_priors = true;
    check_resumed(source, settings);
}

TEST_CASE("a state of another tensor is refused", "[tensor_amp][resume]") {
    const auto one = tensor_test::make_instance({9, 10, 11}, {"gauss"}, 2, 0.1, 5);
    const MemoryTensor source(one.tensor);
    FitSettings settings = short_settings("gauss", 2);
    settings.noise_variance = 0.1;
    Keeping<FitState> keeping;
    keeping.save_every = 0;
    std::vector<FitState> states;
    keeping.save = [&](const FitState& state) { states.push_back(state); };
    static_cast<void>(fit_tensor(source, settings, {}, keeping));
    REQUIRE(states.size() > 3);
    const auto refused = [&](const auto& damage) {
        keeping.resume = states.back();
        damage(*keeping.resume);
        CHECK_THROWS_AS(fit_tensor(source, settings, {}, keeping), Error);
    };
    refused([](FitState& s) { s.amp[0].mean[1].conservativeResize(9, 2); });
    refused([](FitState& s) { s.amp[0].gram.pop_back(); });
    refused([](FitState& s) { s.amp[0].previous[2].resize(11, 1); });
    refused([](FitState& s) { s.amp.push_back(s.amp[0]); });
}

TEST_CASE("sweeps resume", "[tensor_amp][resume][sweep]") {
    SweepSettings settings;
    settings.model.shape = {10, 11, 12};
    settings.priors.assign(3, "gauss:mean=0.5,var=1");
    for (const std::string& text : settings.priors)
        settings.model.priors.push_back(parse_prior(text, 1));
    settings.noise_variances = (VectorXd(2) << 0.1, 0.3).finished();
    settings.algorithms = {parse_sweep_algorithm("amp:prior-mean"), parse_sweep_algorithm("als:2")};
    settings.instances = 3;
    settings.parts = GENERATE(1, 2);
    const Sweep whole = run_sweep(settings, {});
    const auto [pieces, interruptions] = run_in_pieces<SweepState>(
        [&](const Execution& run, const Keeping<SweepState>& keeping) {
            return run_sweep(settings, run, keeping);
        },
        kSmallPiece, Attempts::equal);
    CHECK(interruptions > 6);
    REQUIRE(pieces.rows.size() == whole.rows.size());
    for (std::size_t k = 0; k < whole.rows.size(); ++k) {
        CHECK(pieces.rows[k].signal_error == whole.rows[k].signal_error);
        CHECK(pieces.rows[k].instance == whole.rows[k].instance);
        CHECK(pieces.rows[k].status == whole.rows[k].status);
        CHECK(same(pieces.rows[k].mse, whole.rows[k].mse));
        CHECK(same(pieces.rows[k].overlap, whole.rows[k].overlap));
    }
    REQUIRE(pieces.theory.size() == whole.theory.size());
    for (std::size_t k = 0; k < whole.theory.size(); ++k)
        CHECK(pieces.theory[k].signal_error_informed == whole.theory[k].signal_error_informed);
}

TEST_CASE("phase diagrams resume", "[tensor_amp][resume][phase]") {
    PhaseSettings settings;
    settings.model.dimensions = VectorXd::Constant(3, 20);
    settings.model.priors.assign(3, "gauss:mean=0.1,var=1");
    settings.axes = {{"mean", VectorXd::LinSpaced(40, 0.05, 0.3)}};
    settings.quantity = GENERATE(PhaseQuantity::thresholds, PhaseQuantity::mse_map);
    if (settings.quantity == PhaseQuantity::mse_map)
        settings.noise_var = VectorXd::LinSpaced(3, 0.1, 0.3);
    const PhaseStudy whole = run_phase_study(settings, {}, {});
    const auto [pieces, interruptions] = run_in_pieces<PhasePoints>(
        [&](const Execution& run, const Keeping<PhasePoints>& keeping) {
            return run_phase_study(settings, {}, run, keeping);
        },
        2);
    CHECK(interruptions > 2);
    REQUIRE(pieces.points.size() == 40);
    for (const auto& [p, point] : whole.points) {
        const PhasePoint& other = pieces.points.at(p);
        CHECK(other.thresholds.algorithmic == point.thresholds.algorithmic);
        CHECK(other.thresholds.information == point.thresholds.information);
        CHECK(other.thresholds.dynamic == point.thresholds.dynamic);
        CHECK(other.thresholds.bbp == point.thresholds.bbp);
        CHECK(other.unfolding == point.unfolding);
        CHECK(same(Factors{other.accuracy.mse_best}, Factors{point.accuracy.mse_best}));
        CHECK(other.accuracy.regime == point.accuracy.regime);
    }
}

TEST_CASE("choices of rank resume, and parts are the whole", "[tensor_amp][resume][rank]") {
    const auto one = tensor_test::make_instance({12, 13, 14}, {"gauss"}, 2, 0.01, 6);
    RankChoiceSettings settings;
    settings.ranks = {1, 2, 3};
    settings.priors.assign(3, "gauss");
    settings.fit.amp.learn_noise = settings.fit.amp.tie_components = true;
    settings.fit.amp.max_iterations = 20;
    settings.cross_validation = settings.core_consistency = settings.similarity = true;
    settings.folds = 2;
    settings.restarts = 2;
    const RankChoice whole = choose_rank(MemoryTensor(one.tensor), settings, {});
    const auto check = [&](const RankChoice& choice) {
        CHECK(choice.ranks == whole.ranks);
        CHECK(same(choice.evidence, whole.evidence));
        CHECK(same(choice.cv_error, whole.cv_error));
        CHECK(same(choice.cv_sem, whole.cv_sem));
        CHECK(same(choice.core_consistency, whole.core_consistency));
        CHECK(same(choice.similarity, whole.similarity));
        CHECK(choice.status == whole.status);
        CHECK(choice.selected() == whole.selected());
    };
    // Both starts of a fold look at its entries.
    constexpr int piece = kSmallPiece + kSmallPiece / 2;
    const auto [pieces, interruptions] = run_in_pieces<RankProgress>(
        [&](const Execution& run, const Keeping<RankProgress>& keeping) {
            return choose_rank(MemoryTensor(one.tensor), settings, run, keeping);
        },
        piece, Attempts::equal);
    CHECK(interruptions > 20);
    check(pieces);
    std::vector<RankChoice> parts;
    settings.parts = 3;
    for (settings.part = 0; settings.part < 3; ++settings.part)
        parts.push_back(choose_rank(MemoryTensor(one.tensor), settings, {}));
    check(merge_rank_choices({parts[1], parts[2], parts[0]}));
    using Catch::Matchers::Contains;
    CHECK_THROWS_WITH(merge_rank_choices({parts[1], parts[2]}),
                      Contains("shard 1 of 3 is missing"));
    CHECK_THROWS_WITH(merge_rank_choices({parts[1], parts[1], parts[2]}),
                      Contains("shard 2 is given twice"));
    parts[2].data = "other";
    CHECK_THROWS_WITH(merge_rank_choices(parts), Contains("shard 3: other options"));
}

#include <assay/fixedpoints/fixedpoints_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/fixedpoints/dataset_io.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

namespace assay::fixedpoints {
namespace {

using hdf5::ArrayInfo;
using hdf5::Dataset;
using hdf5::Group;
using hdf5::Shape;

void write_points(Group group, const FindResult& result, const FindFacts& facts) {
    const Points& p = result.points;
    write_rows(group, "state", p.state, {"point,unit", "", "where the network rests"});
    write_rows(group, "input", p.input, {"point,input", "", "its constant input"});
    group.write("input_id", p.input_id, {"point", "", "row of inputs"});
    write_words(group, "kind", p.kind, kPointKinds,
                {"point", "", "exact root, or point of a slow manifold"});
    group.write("q", p.q, {"point", "", "speed objective"});
    group.dataset("q").set_attribute("norm", word_of(facts.norm));
    group.write("residual_inf", p.residual_inf, {"point", "", "largest entry of F(h) - h"});
    group.write("reduced_residual_inf", p.reduced_residual_inf,
                {"point", "", "largest entry of R(h) - h"});
    group.write("n_hits", p.hits, {"point", "", "starts that led here (midpoints do not count)"});
    group.write("found_in_round", p.found_in_round, {"point", "", "0: starts; later: midpoints"});
    group.write("poincare_index", p.poincare_index,
                {"point", "", "sign det(I - J); 0: degenerate, or a slow point"});
    group.write("n_unstable", p.n_unstable, {"point", "", "eigenvalues beyond the unit circle"});
    write_rows(group, "output", facts.outputs, {"point,output", "", "readout of the point"});
    if (facts.distance_to_data.size() == p.count())
        group.write("distance_to_data", facts.distance_to_data,
                    {"point", "", "distance to the nearest state along the trials"});
    std::vector<double> kappa, existence, uniqueness, beta;
    std::vector<CertificateState> states;
    for (const Certificate& c : p.certificates) {
        states.push_back(c.state);
        beta.push_back(c.beta);
        kappa.push_back(c.kappa);
        existence.push_back(c.existence_radius);
        uniqueness.push_back(c.uniqueness_radius);
    }
    group.write("beta", beta, {"point", "", "norm of the inverse of dR/dh - I"});
    group.write("kappa", kappa, {"point", "", "Newton-Kantorovich: certified where <= 1/2"});
    group.dataset("kappa").set_attribute("estimated", 0);
    group.write("existence_radius", existence, {"point", "", "a root lies so near; NaN: not sure"});
    group.write("uniqueness_radius", uniqueness, {"point", "", "and no other within this"});
    write_words(group, "certificate", states, kCertificateStates,
                {"point", "", "whether a root is certified, or why not"});
    write_rows(group, "drift", p.drift,
               {"point,unit", "", "slow points: F(h) - h inside the slow directions"});
    group.write("slow_dimension", p.slow_dimension, {"point", "", "number of slow directions"});
}

void write_starts(Group group, const FindResult& result, const FindFacts& facts) {
    write_rows(group, "state", facts.start_states, {"start,unit", "", "the same for every input"});
    group.write("input_id", result.start_input, {"run", "", "row of inputs"});
    group.write("point_id", result.starts.point, {"run", "", "row of points; -1: none"});
    write_words(group, "status", result.starts.status, kStartStatuses, {"run", "", "how it ended"});
    group.write("iterations", result.starts.iterations, {"run", "", "of the solver"});
    group.write("q_final", result.starts.q_final,
                {"run", "", "speed objective at the end, of the residual that was solved for"});
    group.dataset("q_final").set_attribute("norm", word_of(facts.norm));
}

} // namespace

std::string word_of(StartStatus status) {
    return word_of(status, kStartStatuses);
}

std::string word_of(CertificateState state) {
    return word_of(state, kCertificateStates);
}

std::string word_of(SpeedNorm norm) {
    return norm == SpeedNorm::half ? "half" : "mean";
}

std::string word_of(Completeness completeness) {
    return completeness == Completeness::yes  ? "yes"
           : completeness == Completeness::no ? "no"
                                              : "unknown";
}

void write_find(Group group, const FindResult& result, const FindFacts& facts) {
    write_points(group.create_group("points"), result, facts);
    write_starts(group.create_group("starts"), result, facts);
    write_rows(group, "inputs", result.inputs,
               {"input,feature", "", "searched constant inputs, as the first cell sees them"});
    const std::vector<std::int64_t> sums(result.index_sum.begin(), result.index_sum.end());
    group.write("index_sum", sums,
                {"input", "", "sum of the points' indices: 1 if none is missing, where known"});
    const std::vector<std::int64_t> rounds(result.rounds.begin(), result.rounds.end());
    group.write("rounds", rounds, {"round", "", "points known after each round of starts"});
    const std::vector<std::int64_t> round_index(result.round_index.begin(),
                                                result.round_index.end());
    group.write("rounds_index_sum", round_index,
                {"round", "", "sum of their indices, over all inputs"});
    group.set_attribute("n_points", static_cast<std::int64_t>(result.points.count()));
    group.set_attribute("index_complete", word_of(result.completeness()));
    group.set_attribute("iterations_mean", result.mean_iterations);
    group.set_attribute("network", facts.network);
    group.set_attribute("model_digest", facts.model_digest);
    group.set_attribute("data_digest", facts.data_digest);
    for (const auto& [name, setting] : facts.options)
        std::visit([&, name = name](const auto& value) { group.set_attribute(name, value); },
                   setting);
    for (const auto& [status, count] : result.status_counts())
        group.set_attribute("starts_" + word_of(status), static_cast<std::int64_t>(count));
}

FoundPoints read_find(const Group& group) {
    FoundPoints found;
    const Group points = group.group("points");
    Points& p = found.points;
    p.state = read_rows(points, "state", -1);
    const Index rows = p.count();
    p.input = read_rows(points, "input", rows);
    p.input_id = read_column<std::int32_t>(points, "input_id", rows);
    p.kind = read_words<PointKind>(points, "kind", kPointKinds);
    p.q = vector_of(read_column<double>(points, "q", rows));
    p.residual_inf = vector_of(read_column<double>(points, "residual_inf", rows));
    p.reduced_residual_inf = vector_of(read_column<double>(points, "reduced_residual_inf", rows));
    p.hits = read_column<std::int32_t>(points, "n_hits", rows);
    p.found_in_round = read_column<std::int32_t>(points, "found_in_round", rows);
    p.poincare_index = read_column<std::int32_t>(points, "poincare_index", rows);
    p.n_unstable = read_column<std::int32_t>(points, "n_unstable", rows);
    const auto beta = read_column<double>(points, "beta", rows),
               kappa = read_column<double>(points, "kappa", rows),
               existence = read_column<double>(points, "existence_radius", rows),
               uniqueness = read_column<double>(points, "uniqueness_radius", rows);
    // Files of earlier versions say only whether there is a certificate.
    std::vector<CertificateState> states;
    for (const double radius : existence)
        states.push_back(std::isfinite(radius) ? CertificateState::certified
                                               : CertificateState::not_asked);
    if (points.has_dataset("certificate"))
        states = read_words<CertificateState>(points, "certificate", kCertificateStates);
    if (static_cast<Index>(states.size()) != rows)
        throw Error(
            concat(points.where(), "/certificate: ", states.size(), " rows, expected ", rows));
    for (std::size_t i = 0; i < beta.size(); ++i)
        p.certificates.push_back({beta[i], kappa[i], existence[i], uniqueness[i], states[i]});
    p.drift = read_rows(points, "drift", rows);
    p.slow_dimension = read_column<std::int32_t>(points, "slow_dimension", rows);
    found.output = read_rows(points, "output", rows);
    found.inputs = read_rows(group, "inputs", -1);
    for (const auto id : p.input_id)
        if (id < 0 || id >= found.inputs.rows())
            throw Error(concat(points.where(), "/input_id: found ", id, "; rows of ",
                               found.inputs.rows(), " inputs are expected"));
    found.model_digest = group.text_attribute("model_digest").value_or("");
    return found;
}

LinearisationWriter::LinearisationWriter(Group group, const Sizes& sizes, bool jacobians, double dt,
                                         Step step)
    : group_(std::move(group)), sizes_(sizes), jacobians_(jacobians), dt_(dt) {
    const auto [points, state, inputs, values, modes] = sizes;
    group_.set_attribute("dt", dt);
    const auto make = [&](const std::string& name, const Shape& shape, const ArrayInfo& info) {
        return group_.create<double>(name, shape, info);
    };
    eigenvalues_ = group_.create<Complex>("eigenvalues", {points, values},
                                          {"point,mode", "", "of dF/dh, sorted"});
    if (step == Step::flow) {
        flow_ = group_.create<Complex>(
            "flow_eigenvalues", {points, values},
            {"point,mode", "per time", "(lambda - 1) / dt: of the flow whose Euler step this is"});
        log_ = group_.create<Complex>("log_eigenvalues", {points, values},
                                      {"point,mode", "per time", "ln lambda / dt"});
    }
    time_constants_ =
        make("time_constants", {points, values},
             {"point,mode", "steps", "|1 / ln|lambda||; infinite: neither grows nor decays"});
    frequencies_ = make("frequencies", {points, values},
                        {"point,mode", "cycles per time", "|arg lambda| / (2 pi dt)"});
    if (modes > 0) {
        right_ = group_.create<Complex>("right", {points, state, modes},
                                        {"point,unit,mode", "", "right eigenvectors, columns"});
        left_ = group_.create<Complex>(
            "left", {points, modes, state},
            {"point,mode,unit", "", "left eigenvectors, rows of the inverse"});
        condition_ = make("eigenvalue_condition", {points, modes},
                          {"point,mode", "", "|left| |right|; 1 in a normal matrix"});
        participation_ = make("participation", {points, modes, state},
                              {"point,mode,unit", "", "share of a unit in a mode"});
    }
    if (values < state)
        residual_ = make("residual", {points, values},
                         {"point,mode", "", "|J r - lambda r| of the iterated vectors"});
    if (!jacobians) return;
    jacobian_state_ =
        make("jacobian_state", {points, state, state}, {"point,to,from", "", "dF/dh"});
    jacobian_input_ =
        make("jacobian_input", {points, state, inputs}, {"point,unit,input", "", "dF/dx"});
}

void LinearisationWriter::note_slow_points() {
    time_constants_->set_attribute(
        "note",
        "slow points (find/points/kind): the network drifts there, F(h*) is not h*, so that "
        "the linearisation has an offset term beside these modes");
}

void LinearisationWriter::write_modes(Index point, const EigenSystem& system) {
    const ComplexVector& values = system.values;
    const Index count = sizes_.values, state = sizes_.state, modes = sizes_.modes;
    Vector times(count), rates(count);
    for (Index a = 0; a < count; ++a) {
        times(a) = time_constant(values(a));
        rates(a) = frequency(values(a), dt_);
    }
    eigenvalues_->write_box({point, 0}, {1, count}, values.data());
    if (flow_) {
        const ComplexVector flow = (values.array() - 1.0) / dt_, log = values.array().log() / dt_;
        flow_->write_box({point, 0}, {1, count}, flow.data());
        log_->write_box({point, 0}, {1, count}, log.data());
    }
    time_constants_->write_box({point, 0}, {1, count}, times.data());
    frequencies_->write_box({point, 0}, {1, count}, rates.data());
    if (modes > 0) {
        using ComplexRows =
            Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
        const ComplexRows right = system.right, left = system.left;
        RowMatrix share = system.left.cwiseProduct(system.right.transpose()).cwiseAbs().eval();
        share.array().colwise() /= share.rowwise().sum().array().eval();
        right_->write_box({point, 0, 0}, {1, state, modes}, right.data());
        left_->write_box({point, 0, 0}, {1, modes, state}, left.data());
        condition_->write_box({point, 0}, {1, modes}, system.condition.data());
        participation_->write_box({point, 0, 0}, {1, modes, state}, share.data());
    }
    defective_.push_back(system.defective ? 1 : 0);
}

void LinearisationWriter::write_jacobians(Index point, const RowMatrix& jacobian_state,
                                          const RowMatrix& jacobian_input) {
    if (!jacobians_) return;
    const Index state = sizes_.state;
    jacobian_state_->write_box({point, 0, 0}, {1, state, state}, jacobian_state.data());
    jacobian_input_->write_box({point, 0, 0}, {1, state, sizes_.inputs}, jacobian_input.data());
}

void LinearisationWriter::write(Index point, const EigenSystem& system,
                                const RowMatrix& jacobian_state, const RowMatrix& jacobian_input,
                                double marginal) {
    const ComplexVector& values = system.values;
    write_modes(point, system);
    write_jacobians(point, jacobian_state, jacobian_input);
    stability_.push_back(classify(values, marginal));
    unstable_.push_back(static_cast<std::int32_t>(count_unstable(values)));
    henrici_.push_back(henrici(jacobian_state, values));
    transient_.push_back(max_transient(jacobian_state, system));
}

void LinearisationWriter::write_slow(Index point, const SlowModes& modes,
                                     const RowMatrix& jacobian_state,
                                     const RowMatrix& jacobian_input) {
    write_modes(point, modes.system);
    residual_->write_box({point, 0}, {1, sizes_.values}, modes.residual.data());
    write_jacobians(point, jacobian_state, jacobian_input);
}

void LinearisationWriter::write_columns(Group group) const {
    group.write("defective", defective_,
                {"point", "", "1: a left vector is beyond a condition of 1e8"});
    if (residual_) return; // what follows needs all eigenvalues
    write_words(group, "stability", stability_, kStabilities,
                {"point", "", "by the magnitudes of eigenvalues"});
    group.write("n_unstable", unstable_, {"point", "", "eigenvalues beyond the unit circle"});
    group.write("henrici", henrici_, {"point", "", "departure from normality, 0 to 1"});
    group.write("max_transient", transient_,
                {"point", "", "largest norm of the first 100 powers of dF/dh"});
}

void LinearisationWriter::save(Group state) const {
    for (const auto& name : group_.names()) state.copy_from(group_, name);
    write_columns(state);
}

namespace {

template <class T>
void copy_row(const Dataset& from, Dataset& to, Index row) {
    Shape first(to.shape().size(), 0), extent = to.shape();
    first[0] = row;
    extent[0] = 1;
    const Index count =
        std::accumulate(extent.begin(), extent.end(), Index{1}, std::multiplies<>());
    std::vector<T> values(static_cast<std::size_t>(count));
    from.read_box(first, extent, values.data());
    to.write_box(first, extent, values.data());
}

// Arrays of one name in two groups, of one shape and kind of numbers.
struct Twins {
    Twins(const Group& source, const Group& target, const std::string& name)
        : from(source.dataset(name)), to(target.dataset(name)) {
        if (from.shape() != to.shape() || from.kind() != to.kind())
            throw Error(concat(from.where(), ": found ", hdf5::shape_text(from.shape()), " of ",
                               from.type_text(), ", expected ", hdf5::shape_text(to.shape()),
                               " of ", to.type_text()));
    }
    void copy(Index row) {
        to.kind() == hdf5::Kind::complex ? copy_row<Complex>(from, to, row)
                                         : copy_row<double>(from, to, row);
    }
    Dataset from, to;
};

} // namespace

Index LinearisationWriter::go_on(const Group& state) {
    const Index done = state.dataset("defective").size();
    if (done > sizes_.points)
        throw Error(
            concat(state.where(), "/defective: ", done, " rows, expected at most ", sizes_.points));
    defective_ = read_column<std::uint8_t>(state, "defective", done);
    std::vector<Twins> arrays;
    for (const auto& name : group_.names()) arrays.emplace_back(state, group_, name);
    // In the order in which `write` does it: then files have the same bytes.
    for (Index point = 0; point < done; ++point)
        for (Twins& array : arrays) array.copy(point);
    if (residual_) return done;
    stability_ = read_words<Stability>(state, "stability", kStabilities);
    if (static_cast<Index>(stability_.size()) != done)
        throw Error(
            concat(state.where(), "/stability: ", stability_.size(), " rows, expected ", done));
    unstable_ = read_column<std::int32_t>(state, "n_unstable", done);
    henrici_ = read_column<double>(state, "henrici", done);
    transient_ = read_column<double>(state, "max_transient", done);
    return done;
}

Linearisation read_linearisation(const Group& group) {
    Linearisation result;
    const auto values = group.dataset("eigenvalues").expect_rank(2);
    const Index points = values.shape()[0], count = values.shape()[1];
    const auto numbers = values.read_complex();
    if (group.has_dataset("stability"))
        result.stability = read_words<Stability>(group, "stability", kStabilities);
    result.systems.resize(static_cast<std::size_t>(points));
    for (Index p = 0; p < points; ++p)
        result.systems[static_cast<std::size_t>(p)].values =
            Eigen::Map<const ComplexVector>(numbers.data() + p * count, count);
    Index state = count;
    if (group.has_dataset("right")) {
        const auto right = group.dataset("right").expect_rank(3), left = group.dataset("left");
        const Index modes = right.shape()[2];
        state = right.shape()[1];
        if (right.shape() != Shape{points, state, modes} ||
            left.shape() != Shape{points, modes, state})
            throw Error(concat(right.where(), ": ", hdf5::shape_text(right.shape()), ", expected ",
                               points, " x ", state, " x modes"));
        const auto r = right.read_complex(), l = left.read_complex();
        using ComplexRows =
            Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
        const auto conditions = group.dataset("eigenvalue_condition").read<double>();
        if (static_cast<Index>(conditions.size()) != points * modes)
            throw Error(group.where() + "/eigenvalue_condition: not one number a mode");
        for (Index p = 0; p < points; ++p) {
            EigenSystem& system = result.systems[static_cast<std::size_t>(p)];
            system.right =
                Eigen::Map<const ComplexRows>(r.data() + p * state * modes, state, modes);
            system.left = Eigen::Map<const ComplexRows>(l.data() + p * state * modes, modes, state);
            system.condition = Eigen::Map<const Vector>(conditions.data() + p * modes, modes);
        }
    }
    const auto read_jacobians = [&](const std::string& name, std::vector<RowMatrix>& to) {
        if (!group.has_dataset(name)) return;
        const auto dataset = group.dataset(name).expect_rank(3);
        const Index rows = dataset.shape()[1], columns = dataset.shape()[2];
        if (dataset.shape()[0] != points || rows != state)
            throw Error(concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()),
                               ", expected ", points, " x ", state));
        const auto all = dataset.read<double>();
        for (Index p = 0; p < points; ++p)
            to.emplace_back(
                Eigen::Map<const RowMatrix>(all.data() + p * rows * columns, rows, columns));
    };
    read_jacobians("jacobian_state", result.jacobian_state);
    read_jacobians("jacobian_input", result.jacobian_input);
    return result;
}

void write_simulation(Group group, const Simulation& s, bool states, bool outputs) {
    const Index trials = s.trajectories.trials, steps = s.trajectories.steps;
    const auto write = [&](const std::string& name, const RowMatrix& rows, const ArrayInfo& info) {
        group.write(name, rows.data(), Shape{trials, steps, rows.cols()}, info);
    };
    if (states) write("states", s.trajectories.states, {"trial,time,unit", "", "after each step"});
    if (outputs) write("outputs", s.outputs, {"trial,time,output", "", "readout of each step"});
    write("scores", s.scores, {"trial,time,component", "", "states along principal components"});
    write_rows(group, "components", s.components,
               {"component,unit", "", "principal directions of the valid states"});
    group.write("mean", s.mean, {"unit", "", "mean of the valid states"});
    group.write("variance_ratio", s.variance_ratio, {"component", "", "share of the variance"});
    write_rows(group, "speed", s.speed, {"trial,time", "", "|h' - h| / |h| of each step"});
    const std::vector<std::int64_t> lengths(s.trajectories.lengths.begin(),
                                            s.trajectories.lengths.end());
    group.write("lengths", lengths, {"trial", "steps", "valid steps"});
    group.set_attribute("participation_ratio", s.participation_ratio);
    if (std::isfinite(s.loss)) group.set_attribute("loss", s.loss);
    if (std::isfinite(s.accuracy)) group.set_attribute("accuracy", s.accuracy);
}

} // namespace assay::fixedpoints

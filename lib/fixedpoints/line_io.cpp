#include <assay/fixedpoints/line_io.hpp>

#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/fixedpoints/dataset_io.hpp>

#include <cmath>
#include <cstdint>

namespace assay::fixedpoints {
namespace {

using hdf5::ArrayInfo;
using hdf5::Group;
using hdf5::Shape;

constexpr Index kShownAxes = 3; // principal directions of states that figures use

template <class T, class From>
std::vector<T> converted(const std::vector<From>& values) {
    return std::vector<T>(values.begin(), values.end());
}

void write_histogram(Group group, const Histogram& histogram, const std::string& groups,
                     const std::string& of) {
    group.write("edges", histogram.edges, {"edge", "", "of bins of " + of});
    write_rows(group, "counts", histogram.counts, {groups + ",bin", "", "values in each bin"});
}

// Rows of one number an axis, NaN where a line is missing.
RowMatrix empty_rows(Index rows, Index columns) {
    return RowMatrix::Constant(rows, columns, kNaN);
}

void write_dimensionality(Group group, const Dimensionality& d, const std::string& of) {
    group.write("variance_ratio", d.ratios,
                {"component", "", "share of the variance of " + of + ", falling"});
    const Index shown = std::min(kShownAxes, d.axes.cols());
    write_rows(group, "components", d.axes.leftCols(shown).transpose(),
               {"component,unit", "", "first principal directions of " + of});
    group.write("mean", d.mean, {"unit", "", "mean of " + of});
    group.set_attribute("participation_ratio", d.participation_ratio);
    group.set_attribute("samples", static_cast<std::int64_t>(d.samples));
}

// One number or row a line.
void write_line_columns(Group group, const LineAttractors& found, const RowMatrix& axes) {
    const Index inputs = axes.rows(), state = axes.cols(),
                inside = found.lines.front().axis.inside_states.size();
    RowMatrix ratios = empty_rows(inputs, state), within = empty_rows(inputs, inside),
              numbers = empty_rows(inputs, 8);
    std::vector<std::uint8_t> methods(static_cast<std::size_t>(inputs), 0);
    for (const Line& line : found.lines) {
        ratios.row(line.input) = line.cloud.ratios.transpose();
        within.row(line.input) = line.axis.inside_states.transpose();
        numbers.row(line.input) << line.axis.dot_readout, line.axis.cosine,
            line.coordinate.axis_rank_correlation, line.coordinate.lle_rank_correlation,
            line.alignment.median, line.offset.mean_norm, line.offset.token_norm,
            line.offset.distance;
        methods[static_cast<std::size_t>(line.input)] =
            static_cast<std::uint8_t>(line.coordinate.method);
    }
    write_rows(group, "axis", axes,
               {"line,unit", "", "m: leading principal direction of the points, m . w > 0"});
    write_rows(group, "points_variance_ratio", ratios,
               {"line,component", "", "share of the variance of the points, falling"});
    write_rows(group, "points_inside_states", within,
               {"line,component", "",
                "share of the points' variance within the first components of the states"});
    const auto column = [&](const std::string& name, Index which, const std::string& what) {
        group.write(name, Vector(numbers.col(which)), {"line", "", what});
    };
    column("m_dot_w", 0, "axis times the gradient w of the readout");
    column("m_readout_cosine", 1, "the same over |w|");
    column("axis_rank_correlation", 2, "|Spearman| of theta with the projection on the axis");
    column("lle_rank_correlation", 3, "the same of the embedding; NaN: not tried");
    column("median_alignment", 4, "median of alignment over the points");
    column("mean_input_norm", 5, "norm of the mean input of the trials");
    column("input_norm", 6, "mean norm of the inputs of the trials");
    column("input_distance", 7, "of the constant input from the mean input");
    write_words(group, "coordinate", methods, kCoordinateMethods, {"line", "", "what made theta"});
}

// One number a point.
void write_point_columns(Group group, const LineAttractors& found, const Vector& theta) {
    Vector alignment = Vector::Constant(theta.size(), kNaN), readout = alignment,
           p_values = alignment;
    std::vector<std::uint8_t> pairs(static_cast<std::size_t>(theta.size()), 0);
    for (const Line& line : found.lines)
        for (std::size_t i = 0; i < line.points.size(); ++i) {
            const Index from = static_cast<Index>(i), to = line.points[i];
            alignment(to) = line.alignment.axis(from);
            readout(to) = line.alignment.readout(from);
            p_values(to) = line.alignment.p_values(from);
            pairs[static_cast<std::size_t>(to)] = line.modes.pair[i];
        }
    group.write("theta", theta,
                {"point", "", "where on its line, -1 to 1, rising with the readout"});
    group.write("alignment", alignment, {"point", "", "r_1 . m of the first mode, >= 0"});
    group.write("readout_alignment", readout, {"point", "", "w . r_1"});
    group.write("p_value", p_values,
                {"point", "", "share of random directions that are as well aligned"});
    group.write("complex", pairs,
                {"point", "", "1: the first mode is a complex pair, r_1 in its real span"});
    write_rows(group, "time_constants", found.time_constants,
               {"point,mode", "steps", "of the eigenvalues of largest magnitude"});
    group.write("magnitude", found.magnitude, {"point", "", "|lambda_1|"});
}

void write_approach(Group group, const LineAttractors& found, Index inputs) {
    const Approach& first = found.lines.front().approach;
    const Index steps = first.speed.rows(), levels = first.speed.cols();
    RowMatrix speed = empty_rows(inputs * steps, levels);
    for (const Line& line : found.lines)
        speed.middleRows(line.input * steps, steps) = line.approach.speed;
    group.write("speed", speed.data(), Shape{inputs, steps, levels},
                {"line,time,level", "",
                 "quantiles of |h' - h| / |h| from states of the data under the constant input"});
    group.write("levels", first.levels, {"level", "", "of the quantiles"});
}

void write_null(Group group, const Alignment& alignment) {
    group.write("draws", alignment.null, {"draw", "", "|u . m| of random unit vectors u, rising"});
    group.write("levels", alignment.null_levels, {"level", "", "of the quantiles"});
    group.write("quantiles", alignment.null_quantiles, {"level", "", "of the draws"});
}

void write_stations(Group group, const LineAttractors& found, const Points& points,
                    const std::vector<EigenSystem>& systems) {
    std::vector<std::int32_t> rows, inputs;
    for (const Line& line : found.lines)
        for (const Index row : line.stations) {
            rows.push_back(static_cast<std::int32_t>(row));
            inputs.push_back(points.input_id[static_cast<std::size_t>(row)]);
        }
    const Index state = found.states.axes.rows();
    std::vector<std::complex<double>> values;
    RowMatrix times(static_cast<Index>(systems.size()), state);
    for (std::size_t s = 0; s < systems.size(); ++s)
        for (Index a = 0; a < state; ++a) {
            values.push_back(systems[s].values(a));
            times(static_cast<Index>(s), a) = time_constant(systems[s].values(a));
        }
    group.write("point", rows, {"station", "", "row of find/points nearest to theta -2/3, 0, 2/3"});
    group.write("input_id", inputs, {"station", "", "its line"});
    group.write("eigenvalues", values.data(), Shape{times.rows(), state},
                {"station,mode", "", "of dF/dh there"});
    write_rows(group, "time_constants", times, {"station,mode", "steps", "|1 / ln|lambda||"});
}

void check_shape(const hdf5::Dataset& dataset, const Shape& expected) {
    if (dataset.shape() != expected)
        throw Error(
            concat(dataset.where(), ": ", hdf5::shape_text(dataset.shape()), ", expected ",
                   hdf5::shape_text(expected),
                   ", of the points in /fixedpoints/find; run fixedpoints attractor again"));
}

// Of every token its class.
std::vector<std::uint8_t> class_numbers(const WordClasses& classes, Index vocabulary) {
    std::vector<std::uint8_t> numbers(static_cast<std::size_t>(vocabulary), 0);
    std::uint8_t number = 0;
    for (const auto* list : {&classes.positive, &classes.negative, &classes.neutral}) {
        ++number;
        for (const Index word : *list) numbers[static_cast<std::size_t>(word)] = number;
    }
    return numbers;
}

void write_statistics(Group group, const WordStatistics& s) {
    group.write("coefficient", s.bag.coefficients,
                {"token", "", "of the bag of words: positive speaks for label 1"});
    group.write("occurrences", s.occurrences, {"token", "", "in the documents it was fitted to"});
    write_words(group, "class", class_numbers(s.classes, s.occurrences.size()), kWordClasses,
                {"token", "", "by the coefficients"});
    write_rows(group, "class_mean", s.class_mean,
               {"point,class", "", "mean projection of positive, negative, neutral words"});
    write_histogram(group.create_group("class_histogram"), s.histogram, "class",
                    "class means over points");
    group.write("coefficient_correlation", s.correlation,
                {"point", "", "of projections with coefficients, over words that occur 5 times"});
    group.set_attribute("intercept", s.bag.intercept);
    group.set_attribute("gradient", s.bag.gradient);
    group.set_attribute("iterations", s.bag.iterations);
    group.set_attribute("bag_of_words_accuracy", s.accuracy);
}

void write_plane(Group group, const InputPlane& plane) {
    write_rows(group, "directions", plane.directions.transpose(),
               {"component,unit", "", "where the effects J_inp (x - x*) vary most"});
    group.write("variance_ratio", plane.ratios, {"component", "", "share of their variance"});
    write_rows(group, "coordinates", plane.coordinates,
               {"word,component", "", "effect of each word along the directions"});
    group.write("left", Vector(plane.left.transpose()),
                {"component", "", "left vector of the mode along the directions"});
    group.write("right", Vector(plane.right.transpose()),
                {"component", "", "right vector of the mode along the directions"});
}

void write_retained(Group group, const std::vector<InputResponse>& responses, Index inputs,
                    Index probes, Index state) {
    const Index modes = responses.front().retained.mean.rows();
    RowMatrix mean = empty_rows(inputs * modes, probes), deviation = mean,
              effect = empty_rows(inputs * probes, state);
    for (const InputResponse& r : responses) {
        const Index kept = std::min(modes, r.retained.mean.rows());
        mean.middleRows(r.input * modes, kept) = r.retained.mean.topRows(kept);
        deviation.middleRows(r.input * modes, kept) = r.retained.deviation.topRows(kept);
        effect.middleRows(r.input * probes, probes) = r.end_effect;
    }
    const Shape shape{inputs, modes, probes};
    group.write("retained_response", mean.data(), shape,
                {"line,modes,probe", "", "of the readout, with modes 1 to k; mean over points"});
    group.write("retained_deviation", deviation.data(), shape,
                {"line,modes,probe", "", "standard deviation over points"});
    group.write("end_effect", effect.data(), Shape{inputs, probes, state},
                {"line,probe,unit", "", "what a probe leaves in the state; mean over points"});
}

void write_tracked(Group group, const TrackedLine& line) {
    const LineModes& m = line.modes;
    const Index points = m.eigenvalues.rows(), curves = m.eigenvalues.cols();
    std::vector<std::int32_t> rows, mode;
    for (std::size_t i = 0; i < m.order.size(); ++i) {
        rows.push_back(
            static_cast<std::int32_t>(line.points[static_cast<std::size_t>(m.order[i])]));
        for (const Index one : m.modes[i]) mode.push_back(static_cast<std::int32_t>(one));
    }
    using ComplexRows =
        Eigen::Matrix<std::complex<double>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const ComplexRows values = m.eigenvalues;
    group.write("point", rows, {"step", "", "row of find/points, by rising theta"});
    group.write("theta", m.theta, {"step", "", "where on the line"});
    group.write("eigenvalues", values.data(), Shape{points, curves},
                {"step,curve", "", "each mode followed from point to point"});
    write_rows(group, "time_constants", m.time_constants, {"step,curve", "steps", "of a curve"});
    write_rows(group, "slowest", m.slowest,
               {"step,mode", "steps", "of the first eigenvalues, whichever curve they are of"});
    group.write("mode", mode.data(), Shape{points, curves},
                {"step,curve", "", "which mode of the point a curve is"});
    write_rows(group, "overlaps", m.overlaps, {"step,curve", "", "|l . r| with the next point"});
    std::vector<std::int32_t> curves_crossing;
    std::vector<double> where;
    for (const Crossing& c : m.crossings) {
        curves_crossing.push_back(static_cast<std::int32_t>(c.first));
        curves_crossing.push_back(static_cast<std::int32_t>(c.second));
        where.push_back(c.theta);
    }
    group.write("crossing", curves_crossing.data(), Shape{static_cast<Index>(where.size()), 2},
                {"crossing,curve", "", "two curves that exchange their order of magnitude"});
    group.write("crossing_theta", where, {"crossing", "", "where they do"});
    group.set_attribute("input_id", static_cast<std::int64_t>(line.input));
}

} // namespace

void write_attractor(Group group, const LineAttractors& lines, const Points& points,
                     const AttractorFacts& facts) {
    const LineFrame frame = line_frame(lines, facts.inputs, points.count());
    write_line_columns(group, lines, frame.axes);
    write_point_columns(group, lines, frame.theta);
    write_dimensionality(group.create_group("states"), lines.states, "states along the trials");
    if (facts.untrained)
        write_dimensionality(group.create_group("untrained"), *facts.untrained,
                             "states of the untrained network");
    write_approach(group.create_group("approach"), lines, facts.inputs);
    write_null(group.create_group("null"), lines.lines.front().alignment);
    write_stations(group.create_group("stations"), lines, points, facts.stations);
    group.set_attribute("data_digest", facts.data_digest);
}

LineFrame line_frame(const LineAttractors& lines, Index inputs, Index points) {
    LineFrame frame{empty_rows(inputs, lines.states.axes.rows()), Vector::Constant(points, kNaN)};
    for (const Line& line : lines.lines) {
        frame.axes.row(line.input) = line.axis.direction.transpose();
        for (std::size_t i = 0; i < line.points.size(); ++i)
            frame.theta(line.points[i]) = line.coordinate.theta(static_cast<Index>(i));
    }
    return frame;
}

LineFrame read_line_frame(const Group& group, Index inputs, const Points& points) {
    const auto axes = group.dataset("axis").expect_rank(2);
    const auto theta = group.dataset("theta").expect_rank(1);
    check_shape(axes, {inputs, points.state.cols()});
    check_shape(theta, {points.count()});
    return {axes.read_matrix(), theta.read_vector()};
}

void write_inputs(Group group, const InputEffects& effects, const InputFacts& facts) {
    const RowMatrix& projections = effects.projections;
    if (!facts.tokens.empty())
        group.write("word", converted<std::int64_t>(facts.tokens), {"word", "", "token ids"});
    else
        write_rows(group, "word", facts.probes, {"word,feature", "", "probes"});
    write_rows(group, "projection", projections,
               {"point,word", "", "l^T K (x - x*): what a word adds along the mode"});
    group.write("mean_projection", effects.mean_projection, {"word", "", "over points"});
    write_rows(group, "right", effects.modes.right, {"point,unit", "", "r: right vector, |r| = 1"});
    write_rows(group, "left", effects.modes.left, {"point,unit", "", "l: left vector, l . r = 1"});
    group.write("complex", effects.modes.pair,
                {"point", "", "1: the mode is a complex pair, r in its real span"});
    for (std::size_t i = 0; i < effects.planes.size(); ++i) {
        Group plane = group.create_group(concat("plane/", effects.centres[i]));
        write_plane(plane, effects.planes[i]);
        plane.set_attribute("point", static_cast<std::int64_t>(effects.centres[i]));
    }
    if (facts.statistics) write_statistics(group, *facts.statistics);
    if (facts.valences.size() > 0) {
        group.write("valence", facts.valences, {"word", "", "true valence, from /truth"});
        group.write("valence_correlation", facts.valence_correlation,
                    {"point", "", "of projections with the true valences"});
    }
    if (std::isfinite(facts.network_accuracy))
        group.set_attribute("network_accuracy", facts.network_accuracy);
    group.set_attribute("mode", static_cast<std::int64_t>(facts.mode));
}

void write_modes(Group group, const std::vector<InputResponse>& responses,
                 const std::vector<TrackedLine>& tracked, const ModeFacts& facts) {
    write_retained(group, responses, facts.inputs, facts.probes.rows(),
                   responses.front().end_effect.cols());
    write_rows(group, "probe", facts.probes,
               {"probe,input", "",
                facts.kind == ProbeKind::deviation ? "added to the constant input"
                                                   : "in the place of the constant input"});
    for (const TrackedLine& line : tracked)
        write_tracked(group.create_group(concat("track/", line.input)), line);
    group.set_attribute("horizon", static_cast<std::int64_t>(facts.horizon));
    group.set_attribute("readout", static_cast<std::int64_t>(facts.readout));
}

void write_prediction(Group group, const Prediction& p, const PredictFacts& facts) {
    group.write("error", p.error, {"state", "", "|h - prediction| / |h|"});
    group.write("trial", converted<std::int32_t>(p.trial), {"state", "", "of the state"});
    group.write("time", converted<std::int32_t>(p.time), {"state", "", "of the state, from 0"});
    group.write("point", converted<std::int32_t>(p.point),
                {"state", "", "row of find/points that is nearest where the prediction starts"});
    group.write("levels", p.levels, {"level", "", "of the quantiles"});
    group.write("quantiles", p.quantiles, {"level", "", "of the error"});
    write_histogram(group.create_group("histogram"), p.histogram, "group", "the error");
    Group shown = group.create_group("shown");
    write_rows(shown, "prediction", p.shown,
               {"state,unit", "", "of the first rows of error, trial and time"});
    write_rows(shown, "state", p.shown_states, {"state,unit", "", "what came"});
    if (facts.loop_quantiles.size() > 0) {
        write_rows(group, "closed_loop_error", facts.loop->error,
                   {"trial,time", "", "of the linearised network by itself; NaN beyond the end"});
        write_rows(group, "closed_loop_quantiles", facts.loop_quantiles,
                   {"time,level", "", "of that error over trials"});
    }
    if (facts.decisions) {
        group.set_attribute("accuracy", facts.decisions->full);
        group.set_attribute("linear_accuracy", facts.decisions->linear);
        group.set_attribute("agreement", facts.decisions->agreement);
    }
    group.set_attribute("steps", static_cast<std::int64_t>(facts.steps));
    group.set_attribute("center", facts.center == LinearCenter::point ? "hstar" : "F");
    group.set_attribute("data_digest", facts.data_digest);
}

} // namespace assay::fixedpoints

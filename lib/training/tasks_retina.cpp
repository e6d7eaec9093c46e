// ln-retina: white noise seen by linear-nonlinear cells whose filters are known (Chichilnisky
// 2001). Filters have unit norm, so the linear drive is of the standard deviation of a pixel.
#include <assay/training/task_family.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace assay::training {
namespace {

struct Retina {
    Index height = 0, width = 0, steps = 0, cells = 0;
    RowMatrix temporal; // cell x lag window, oldest first
    RowMatrix spatial;  // cell x (height width)
    RowMatrix centre;   // cell x 2, pixels
    std::vector<double> polarity;
    double contrast = 1, gain = 1, offset = 0, scale = 1, ceiling = 1, rate_hz = 1;
    double repeats = 1; // trials that a target is the mean of; 0: the rate itself
    bool binary = false, windows = false;
    std::string nonlinearity;
};

// ---- filters ----------------------------------------------------------------------------------

// x e^-x (1 - x/4), x = lag / tau: a lobe and a weaker one of the other sign from lag 4 tau on.
double biphasic(double lag, double tau) {
    const double x = lag / tau;
    return x * std::exp(-x) * (1 - x / 4);
}

double difference_of_gaussians(double squared_distance, double centre_sd, double surround_sd,
                               double surround) {
    const auto bump = [&](double sd) {
        return std::exp(-squared_distance / (2 * sd * sd)) / (sd * sd);
    };
    return bump(centre_sd) - surround * bump(surround_sd);
}

// Cells take turns: ON fast, OFF fast, ON slow, OFF slow.
void place_cell(Retina& r, Index cell, const Parameters& p, const Random& random) {
    const auto word = static_cast<std::uint64_t>(cell);
    const double tau = p.number("tau") * (cell / 2 % 2 == 0 ? 1 : 2);
    for (Index t = 0; t < r.steps; ++t)
        r.temporal(cell, t) = biphasic(static_cast<double>(r.steps - t), tau);
    // The middle half of the picture, so that most of a surround is inside.
    r.centre(cell, 0) =
        (0.25 + 0.5 * random.uniform(0, {word, 0, 0})) * static_cast<double>(r.height - 1);
    r.centre(cell, 1) =
        (0.25 + 0.5 * random.uniform(1, {word, 0, 0})) * static_cast<double>(r.width - 1);
    for (Index y = 0; y < r.height; ++y)
        for (Index x = 0; x < r.width; ++x) {
            const double dy = static_cast<double>(y) - r.centre(cell, 0);
            const double dx = static_cast<double>(x) - r.centre(cell, 1);
            r.spatial(cell, y * r.width + x) =
                difference_of_gaussians(dx * dx + dy * dy, p.number("centre_sd"),
                                        p.number("surround_sd"), p.number("surround"));
        }
    r.polarity.push_back(cell % 2 == 0 ? 1 : -1);
    if (r.temporal.row(cell).isZero(0)) p.refuse("tau", "a filter that is not 0 at every lag");
    if (r.spatial.row(cell).isZero(0))
        p.refuse("surround_sd", "a surround that differs from the centre");
    r.temporal.row(cell) *= r.polarity.back() / r.temporal.row(cell).norm();
    r.spatial.row(cell) /= r.spatial.row(cell).norm();
}

Retina make_cells(const Parameters& p) {
    Retina r;
    r.height = p.integer("height");
    r.width = p.integer("width");
    r.steps = p.integer("steps");
    r.cells = p.integer("cells");
    r.contrast = p.number("contrast");
    r.gain = p.number("gain");
    r.offset = p.number("offset");
    r.scale = p.number("scale");
    r.ceiling = p.number("ceiling");
    r.rate_hz = p.number("frame_rate");
    r.repeats = static_cast<double>(p.integer("repeats"));
    r.binary = p.word("stimulus") == "binary";
    r.windows = p.word("form") == "windows";
    r.nonlinearity = p.word("nonlinearity");
    checked_size({r.cells, r.steps, r.height, r.width}, "filters");
    r.temporal.resize(r.cells, r.steps);
    r.spatial.resize(r.cells, r.height * r.width);
    r.centre.resize(r.cells, 2);
    const Random random = p.random("cells");
    for (Index cell = 0; cell < r.cells; ++cell) place_cell(r, cell, p, random);
    return r;
}

// ---- responses --------------------------------------------------------------------------------

double firing_nonlinearity(const std::string& nonlinearity, double z) {
    if (nonlinearity == "exp") return std::exp(z);
    if (nonlinearity == "relu") return std::max(0.0, z);
    if (nonlinearity == "sigmoid") return 1 / (1 + std::exp(-z));
    return std::max(0.0, z) + std::log1p(std::exp(-std::abs(z)));
}

double rate_of(const Retina& r, double drive) {
    return std::min(r.ceiling,
                    r.scale * firing_nonlinearity(r.nonlinearity, r.gain * drive + r.offset));
}

// Frames first - steps + 1 ... first + count - 1: the stimulus ran before the first sample, at
// indices that wrap around.
RowMatrix stimulus(const Retina& r, const Random& random, std::uint64_t first, Index count) {
    enum : std::uint64_t { pixel };
    RowMatrix frames(count + r.steps - 1,
                     checked_size({count + r.steps - 1, r.height, r.width}, "frames") /
                         (count + r.steps - 1));
    for (Index f = 0; f < frames.rows(); ++f) {
        const Draws draws(random, first + static_cast<std::uint64_t>(f) -
                                      static_cast<std::uint64_t>(r.steps - 1));
        for (Index j = 0; j < frames.cols(); ++j)
            frames(f, j) = r.contrast * (r.binary ? draws.sign(pixel, j) : draws.normal(pixel, j));
    }
    return frames;
}

// Dot products one by one: the bits of a matrix product would depend on the number of frames.
RowMatrix seen(const Retina& r, const RowMatrix& frames) {
    RowMatrix drive(frames.rows(), r.cells);
    for (Index f = 0; f < frames.rows(); ++f)
        for (Index cell = 0; cell < r.cells; ++cell)
            drive(f, cell) = frames.row(f).cwiseProduct(r.spatial.row(cell)).sum();
    return drive;
}

double response(const Retina& r, const Draws& draws, Index cell, double rate) {
    enum : std::uint64_t { count = 1 };
    if (r.repeats == 0) return rate;
    return draws.poisson(rate * r.repeats / r.rate_hz, count, cell) * r.rate_hz / r.repeats;
}

void write_block(const Retina& r, const Random& random, std::uint64_t first, Samples& samples) {
    if (samples.count() == 0) return;
    const RowMatrix frames = stimulus(r, random, first, samples.count());
    const RowMatrix drive = seen(r, frames);
    for (Index i = 0; i < samples.count(); ++i) {
        const Draws draws(random, first + static_cast<std::uint64_t>(i));
        const Index oldest = r.windows ? i : i + r.steps - 1;
        samples.inputs.row(i) =
            Eigen::Map<const Eigen::RowVectorXd>(frames.row(oldest).data(), samples.inputs.cols());
        for (Index cell = 0; cell < r.cells; ++cell) {
            double sum = 0;
            for (Index t = 0; t < r.steps; ++t) sum += r.temporal(cell, t) * drive(i + t, cell);
            samples.values(i, cell) = response(r, draws, cell, rate_of(r, sum));
        }
    }
}

// ---- truth ------------------------------------------------------------------------------------

// Mean of the rate over a Gaussian drive of sd contrast (trapezoidal rule, 10 sd to both sides).
double mean_rate(const Retina& r) {
    constexpr Index kPoints = 4001;
    double sum = 0, weights = 0;
    for (const double z : equally_spaced(-10, 10, kPoints)) {
        const double weight = std::exp(-0.5 * z * z);
        sum += weight * rate_of(r, r.contrast * z);
        weights += weight;
    }
    return sum / weights;
}

TruthArray filters(const Retina& r) {
    TruthArray filter{"filter",
                      {r.cells, r.steps, r.height, r.width},
                      {},
                      {"cell", "time", "height", "width"},
                      "Linear filter of each cell, oldest frame first, norm 1"};
    for (Index cell = 0; cell < r.cells; ++cell)
        for (Index t = 0; t < r.steps; ++t)
            for (Index j = 0; j < r.spatial.cols(); ++j)
                filter.values.push_back(r.temporal(cell, t) * r.spatial(cell, j));
    return filter;
}

std::vector<TruthArray> retina_truth(const Retina& r) {
    std::vector<TruthArray> truth{
        filters(r),
        truth_matrix("temporal", r.temporal, {"cell", "time"},
                     "Its course, with the sign of ON or "
                     "OFF; norm 1"),
        in_units(truth_matrix("centre", r.centre, {"cell", "coordinate"},
                              "Row and column of each cell's centre"),
                 "pixel"),
        whole(truth_vector("polarity", r.polarity, "cell", "1: ON, -1: OFF"))};
    if (!r.binary)
        truth.push_back(
            in_units(truth_number("mean_rate", mean_rate(r), "Expected rate of every cell"), "Hz"));
    return truth;
}

SampleLayout retina_layout(const Retina& r) {
    SampleLayout layout;
    layout.input_shape = {r.height, r.width};
    layout.input_axes = {"height", "width"};
    if (r.windows) {
        layout.input_shape.insert(layout.input_shape.begin(), r.steps);
        layout.input_axes.insert(layout.input_axes.begin(), "channel");
    }
    layout.sample_axis = "time";
    layout.rate_hz = r.rate_hz;
    layout.target_shape = {r.cells};
    layout.target_axes = {"cell"};
    return layout;
}

TaskParts make_retina(const Parameters& p) {
    const auto retina = std::make_shared<const Retina>(make_cells(p));
    TaskParts parts;
    parts.layout = retina_layout(*retina);
    parts.loss = "poisson";
    parts.write = [retina](const Random& random, std::uint64_t first, Samples& samples) {
        write_block(*retina, random, first, samples);
    };
    parts.truth = [retina] { return retina_truth(*retina); };
    return parts;
}

TaskEntry ln_retina() {
    return {
        {"ln-retina",
         "A movie of white noise, one frame a sample, and the responses (Hz) of cells to the "
         "frames "
         "up to it: rate = scale * nonlinearity(gain * filter . window + offset). Cells take "
         "turns: "
         "ON and OFF fast, ON and OFF slow",
         {integer("height", 12, 1, 4096, "of a frame, pixels"),
          integer("width", 12, 1, 4096, "of a frame, pixels"),
          integer("steps", 20, 1, 4096, "frames that a filter spans"),
          integer("cells", 4, 1, 1e5, "outputs"),
          number("frame_rate", 100, 1e-3, 1e6, "frames per second, Hz"),
          word("stimulus", {"gaussian", "binary"}, "pixels: normal, or -contrast and contrast"),
          number("contrast", 1, 1e-9, 1e6, "sd of a pixel"),
          word("nonlinearity", {"softplus", "exp", "relu", "sigmoid"}, "of every cell"),
          number("gain", 2, -100, 100, "of the drive"),
          number("offset", -1, -100, 100, "of the drive"),
          number("scale", 20, 0, 1e5, "of the rate, Hz"),
          number("ceiling", 1000, 0, 1e5, "highest rate, Hz"),
          integer("repeats", 1, 0, 100,
                  "trials of Poisson counts that a target is the mean of; 0: the rate itself"),
          number("tau", 1.5, 0.1, 1000, "of the fast cells' filters, frames; slow ones: twice"),
          number("centre_sd", 1.2, 0.1, 1000, "of the receptive field, pixels"),
          number("surround_sd", 2.4, 0.1, 1000, "pixels"),
          number("surround", 0.8, 0, 1, "volume of the surround, of the centre's"),
          word("form", {"movie", "windows"},
               "a sample's inputs: its frame, or all frames that the filter spans, oldest first")},
         {}},
        make_retina};
}

} // namespace

std::vector<TaskEntry> retina_tasks() {
    return {ln_retina()};
}

} // namespace assay::training

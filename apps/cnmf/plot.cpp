// cnmf plot: what a person would rather look at.
#include "commands.hpp"
#include "figures.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace cnmf_app {
namespace {

using namespace assay;

enum class Name {
    automatic,
    overview,
    motifs,
    loss,
    select,
    dissimilarity,
    x_ortho,
    significance,
    similarity,
    unit_r2,
    triggered,
    residual,
    warp
};

constexpr const char* kFit = "/cnmf/fit"; // with the history and R^2 of a fit
constexpr formats::Negatives kNegatives = formats::Negatives::clip; // unless asked for otherwise

struct Options {
    Name figure = Name::automatic;
    RowOrder rows = RowOrder::component;
    std::string data, window, table;
    DataOptions input; // how to read --data
};

const std::vector<std::pair<std::string, Name>>& names() {
    static const std::vector<std::pair<std::string, Name>> kNames{
        {"auto", Name::automatic},
        {"overview", Name::overview},
        {"motifs", Name::motifs},
        {"loss", Name::loss},
        {"select", Name::select},
        {"dissimilarity", Name::dissimilarity},
        {"x-ortho", Name::x_ortho},
        {"significance", Name::significance},
        {"similarity", Name::similarity},
        {"unit-r2", Name::unit_r2},
        {"triggered", Name::triggered},
        {"residual", Name::residual},
        {"warp", Name::warp}};
    return kNames;
}

std::string name_of(Name figure) {
    return std::find_if(names().begin(), names().end(),
                        [&](const auto& named) { return named.second == figure; })
        ->first;
}

// Options that say which data are shown, and how they are read: given or not.
std::vector<std::pair<std::string, bool>> data_options(const Options& o) {
    const formats::RecordingOptions& r = o.input.recording;
    return {{"--data", !o.data.empty()},
            {"--window", !o.window.empty()},
            {"--dataset", !r.dataset.empty()},
            {"--dt", r.dt.has_value()},
            {"--start", r.start.has_value()},
            {"--stop", r.stop.has_value()},
            {"--times", !r.times.empty()},
            {"--ids", !r.ids.empty()},
            {"--trials", r.trials},
            {"--silent", r.silent_units != formats::SilentUnits::keep},
            {"--time-axis", r.time_axis != formats::TimeAxis::automatic},
            {"--segments", !r.segments.empty()},
            {"--negatives", r.negatives != kNegatives},
            {"--scale", r.scale != formats::Scale::none}};
}

// What a figure would ignore is refused.
void check_options(const Options& o, Name figure, std::size_t files) {
    const bool shows_data =
        figure == Name::overview || figure == Name::triggered || figure == Name::residual;
    const auto refuse = [&](const std::string& option, const std::string& figures) {
        throw UsageError(concat("option '", option, "': it is of ", figures, "; ", name_of(figure),
                                " is drawn"));
    };
    for (const auto& [option, given] : data_options(o))
        if (given && !shows_data) refuse(option, "overview, triggered and residual");
    if (o.rows != RowOrder::component && !shows_data && figure != Name::motifs &&
        figure != Name::unit_r2)
        refuse("--rows", "overview, motifs, unit-r2, triggered and residual");
    if (files > 1 && figure != Name::loss)
        throw UsageError(
            concat("figure '", name_of(figure), "' is of one file; ", files, " are given"));
}

bool has_warps(const hdf5::Group& root) {
    return root.dataset("/cnmf/transform/warp").size() > 1;
}

// That of the newest result: a step's own stands before what it carried forward.
Name default_figure(const hdf5::Group& root, const hdf5::Address& address) {
    static const std::map<std::string, Name> kOwn{{"select", Name::select},
                                                  {"compare", Name::similarity},
                                                  {"significance", Name::significance},
                                                  {"transform", Name::warp},
                                                  {"align", Name::overview},
                                                  {"events", Name::overview},
                                                  {"extent", Name::overview},
                                                  {"score", Name::overview},
                                                  {"fit", Name::overview}};
    if (!address.path.empty() || !root.has_group("/cnmf")) return Name::overview;
    for (const auto& result : root.group("/cnmf").names())
        if (const auto found = kOwn.find(result); found != kOwn.end())
            return found->second == Name::warp && !has_warps(root) ? Name::overview : found->second;
    return Name::overview;
}

// The recording for the middle of the overview: --data, or what the file itself carries.
std::unique_ptr<Recording> find_data(cli::Context& context, const Options& o,
                                     const LoadedModel& fitted, const hdf5::Group& root) {
    const DataOptions reading = scaled_as(o.input, fitted);
    if (!o.data.empty())
        return open_input(context, hdf5::Address::parse(o.data), reading).recording;
    if (!root.has("/data/X")) return nullptr;
    return open_input(context, {context.input_address().file, ""}, reading).recording;
}

// Values as they are shown: missing ones as 0.
Matrix shown_block(const Recording& recording, Index first, Index count, formats::Negatives rule) {
    const Matrix block = recording.read(first, count);
    if (rule == formats::Negatives::error && (block.array() < 0).any())
        throw Error("the data hold negative values; --negatives clip or offset shows them");
    return block.array().isFinite().select(block, 0.0);
}

void choose_window(OverviewInput& in, const std::string& window) {
    const Index bins = in.model.activations.cols();
    in.first_bin = 0;
    in.bins = std::min<Index>(bins, std::max<Index>(600, 12 * in.model.lags));
    if (window.empty()) {
        // The stretch in which most happens.
        Vector sum = Vector::Zero(bins + 1);
        Matrix h = in.model.activations;
        for (Index k = 0; k < h.rows(); ++k)
            if (h.row(k).maxCoeff() > 0) h.row(k) /= h.row(k).maxCoeff();
        for (Index t = 0; t < bins; ++t) sum(t + 1) = sum(t) + h.col(t).sum();
        double most = -1;
        for (Index t = 0; t + in.bins <= bins; t += std::max<Index>(1, in.bins / 8))
            if (sum(t + in.bins) - sum(t) > most) {
                most = sum(t + in.bins) - sum(t);
                in.first_bin = t;
            }
        return;
    }
    const auto parts = split(window, ':');
    const auto a = parts.size() == 2 ? parse_double(parts[0]) : std::nullopt,
               b = parts.size() == 2 ? parse_double(parts[1]) : std::nullopt;
    const double before = in.facts.seconds_of(0);
    if (!a || !b || !(*b > *a) || *a < before || in.facts.bin_at(*a, bins) == bins)
        throw UsageError(
            "option '--window': found '" + printable(window, 40) +
            "'; FROM:TO in seconds (bins where no dt is known) inside the recording is expected");
    in.first_bin = in.facts.bin_at(*a, bins);
    Index end = in.facts.bin_at(*b, bins);
    if (end < bins && in.facts.seconds_of(end) < *b) ++end; // a bin that has begun is shown
    in.bins = std::clamp<Index>(end - in.first_bin, 1, bins - in.first_bin);
}

OverviewInput overview_input(cli::Context& context, const Options& o,
                             std::unique_ptr<Recording>& data) {
    const LoadedModel fitted = load_model(context, context.input_address());
    need_activations(fitted);
    OverviewInput in{fitted.model, fitted.facts, picture_rows(fitted.model, o.rows), {}, "", 0, 0};
    data = find_data(context, o, fitted, context.input().root());
    if (data) {
        check_belongs(fitted, *data, context.monitor());
        if (data->bins() != in.model.activations.cols())
            throw Error("the data have another number of bins than the model");
        const Recording* source = data.get();
        const formats::Negatives rule = o.input.recording.negatives;
        in.image = [source, rule](Index first, Index count) {
            return shown_block(*source, first, count, rule);
        };
        in.image_title = "data";
    } else {
        const auto axis = std::make_shared<cnmf::TimeAxis>(in.model.activations.cols(),
                                                           in.facts.segment_start, in.model.lags);
        const auto h = std::make_shared<cnmf::TimeMatrix>(axis->padded(in.model.activations));
        const cnmf::Model model = in.model;
        in.image = [axis, h, model](Index first, Index count) {
            return cnmf::reconstruct(model, *axis, *h, first, count);
        };
        in.image_title = "reconstruction (--data shows the recording)";
    }
    choose_window(in, o.window);
    return in;
}

NamedFit named_fit(const hdf5::Group& group, const std::string& name) {
    NamedFit fit{name, group.dataset("loss").read<double>(), {}, {}};
    if (group.has_dataset("test_loss")) fit.test_loss = group.dataset("test_loss").read<double>();
    if (group.has_dataset("timing/seconds"))
        fit.seconds = group.dataset("timing/seconds").read<double>();
    return fit;
}

// Of two fits component by component; of more, how alike every two of them are.
plot::Figure similarity(const hdf5::Group& compared) {
    if (compared.has_dataset("similarity"))
        return similarity_figure(compared.dataset("similarity").read_matrix(), "component");
    const Matrix pairs = compared.dataset("all_pairs").read_matrix();
    return similarity_figure((1 - pairs.array()).matrix(), "fit");
}

plot::Figure make(cli::Context& context, const Options& o, Name name) {
    const hdf5::Group root = context.input().root();
    std::unique_ptr<Recording> data;
    const auto rows = [&] { return cnmf::read_select(root.group("/cnmf/select")).rows; };
    switch (name) {
    case Name::motifs: {
        const LoadedModel fitted = load_model(context, context.input_address());
        return motif_images(fitted.model, fitted.facts, picture_rows(fitted.model, o.rows));
    }
    case Name::loss: {
        std::vector<NamedFit> fits;
        for (std::size_t i = 0; i < context.input_count(); ++i) {
            const auto address = context.input_address(i);
            fits.push_back(named_fit(
                context.open(address).root().group(address.path.empty() ? kFit : address.path),
                address.name()));
        }
        return loss_curves(fits);
    }
    case Name::select:
        return select_curves(rows());
    case Name::dissimilarity:
        return dissimilarity_curve(rows());
    case Name::x_ortho:
        return penalty_curves(rows());
    case Name::significance: {
        const auto result = cnmf::read_significance(root.group("/cnmf/significance"));
        return significance_figure(result.null, result.skewness, result.p);
    }
    case Name::similarity:
        return similarity(root.group("/cnmf/compare"));
    case Name::unit_r2: {
        const hdf5::Address address = context.input_address();
        const hdf5::Group newest = model_group(context, address);
        const hdf5::Group group =
            newest.has_dataset("unit_r2") || !address.path.empty() ? newest : root.group(kFit);
        const cnmf::Model model = cnmf::read_model(group);
        return unit_fit(cnmf::read_unit_r2(group, model), picture_rows(model, o.rows));
    }
    case Name::warp: {
        const hdf5::Group group = root.group("/cnmf/transform");
        const auto warps = group.dataset("warp").expect_numeric().read<double>();
        const Matrix loadings = group.dataset("loadings").expect_numeric().read_matrix();
        if (static_cast<Index>(warps.size()) != loadings.rows())
            throw Error(concat(group.where(), ": has ", warps.size(), " warps and loadings of ",
                               loadings.rows(), "; as many are expected"));
        return warp_response(warps, loadings);
    }
    case Name::triggered: {
        OverviewInput in = overview_input(context, o, data);
        if (o.window.empty()) {
            in.first_bin = 0;
            in.bins = in.model.activations.cols();
        }
        cnmf::EventRule rule;
        rule.refractory = std::max<Index>(1, in.model.lags / 2);
        return triggered(in, cnmf::find_events(in.model.activations, in.facts.segment_start, rule));
    }
    case Name::residual: {
        OverviewInput in = overview_input(context, o, data);
        if (!data) throw Error("the residual needs the data; --data names the recording");
        const cnmf::TimeAxis axis(in.model.activations.cols(), in.facts.segment_start,
                                  in.model.lags);
        const cnmf::TimeMatrix h = axis.padded(in.model.activations);
        const ImageBlock shown = in.image;
        in.image = [&](Index first, Index count) -> Matrix {
            return shown(first, count) - cnmf::reconstruct(in.model, axis, h, first, count);
        };
        in.image_title = "residual: data - reconstruction";
        in.diverging = true;
        return overview(in);
    }
    default:
        return overview(overview_input(context, o, data));
    }
}

} // namespace

cli::Command plot() {
    auto o = std::make_shared<Options>();
    o->input.recording.negatives = kNegatives;
    cli::Command c("plot", "draw a result");
    c.describe("The overview shows motifs (left, units sorted and marked by component), "
               "activations (top) and the data or their "
               "reconstruction. The ending of OUTPUT tells the format: .svg, .png, .pdf, .txt, or "
               ".gp for gnuplot's script with its data; "
               "without -o a figure of text goes to the terminal. loss takes several fits.");
    c.inputs("result of another subcommand: FILE or FILE:/group");
    c.output(cli::OutputKind::document, {{"OUTPUT.svg|png|pdf|txt|gp", "the figure"}});
    c.group("Figure");
    c.choice<Name>("--figure", o->figure, names(), "what to draw; auto: the newest result");
    c.option("--data", o->data, "FILE[:/path]",
             "the recording, for overview, triggered and residual")
        .default_text("what the input carries");
    c.choice<RowOrder>(
        "--rows", o->rows, {{"component", RowOrder::component}, {"source", RowOrder::source}},
        "order of units: sorted by component and lag, or as in the data, the first at the bottom");
    c.option("--window", o->window, "FROM:TO", "stretch shown, seconds (bins where no dt is known)")
        .default_text("where most happens");
    c.option("--table", o->table, "FILE.csv", "also write what is drawn");
    declare_recording(c, o->input);
    c.example("Motifs, activations and data", "cnmf plot fit.h5 --data rec.h5 -o motifs.svg");
    c.example("From a pipe, with the data carried along",
              "cnmf fit rec.h5 -k 3 -l 20 --carry data | cnmf plot -o motifs.png");
    c.run([o](cli::Context& context) {
        const plot::Format format = plot::format_of(context.output_target());
        plot::check_renderer(format);
        context.need_input();
        const Name name = o->figure == Name::automatic
                              ? default_figure(context.input().root(), context.input_address())
                              : o->figure;
        check_options(*o, name, context.input_count());
        const plot::Figure figure = make(context, *o, name);
        const std::string content = plot::render(figure, format);
        if (!o->table.empty())
            hdf5::write_file_atomically(o->table, plot::table_csv(figure), context.existing());
        context.write_document(content);
    });
    return c;
}

} // namespace cnmf_app

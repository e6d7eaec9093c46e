#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/formats/trial_counts.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

// Of the numbers, so many bytes each, and of their flags.
double bytes_of(const Shape& shape, std::size_t number, bool masked) {
    return entry_count(shape) * static_cast<double>(number + (masked ? 1 : 0));
}

void expect_room(double need, double memory, const std::string& where, const std::string& hint) {
    if (need > memory)
        throw Error(concat(where, ": takes ", human_bytes(need), "; --memory is ",
                           human_bytes(memory), hint));
}

// A tensor in HDF5.
struct Place {
    TensorReading reading;
    hdf5::Dataset values;
    [[nodiscard]] double bytes(std::size_t number) const {
        return bytes_of(values.shape(), number, reading.mask || reading.missing_nan);
    }
};

Place place_of(cli::Context& context, const TensorOptions& o, std::size_t input) {
    const hdf5::Group root = context.input(input).root();
    TensorReading reading = reading_of(context, o.missing, context.input_address(input));
    reading.mask = mask_beside(root, reading);
    hdf5::Dataset values = root.dataset(reading.path);
    return {std::move(reading), std::move(values)};
}

} // namespace

void declare_missing(cli::Command& c, MissingOptions& o) {
    c.option("--mask", o.mask, "FILE:/PATH", "which entries were observed (1 = observed)")
        .default_text("mask beside the tensor, if any");
    c.choice<bool>("--missing", o.nan, {{"error", false}, {"nan", true}},
                   "what NaN means: a mistake, or that an entry is missing");
    c.option(
         "--dt", o.dt, "SECONDS",
         "NWB: spikes of /units are counted in such bins, neuron x time x trial; NaN where a unit "
         "was not observed")
        .range(1e-9);
    c.option("--window", o.window, "A:B", "NWB: seconds about the event of every trial");
    c.option("--align", o.align, "NAME",
             "NWB: the event, a column of /intervals/trials; trials without it are unobserved with "
             "--missing nan");
}

namespace {

// Nothing where spikes are not to be counted.
std::optional<formats::TrialWindow> trial_window(const MissingOptions& o) {
    if (!o.dt && o.window.empty()) {
        if (o.align != MissingOptions().align)
            throw UsageError("option '--align': given without --dt and --window");
        return std::nullopt;
    }
    const auto ends = split(o.window, ':');
    const auto start = parse_double(ends.front()), stop = parse_double(ends.back());
    if (!o.dt || ends.size() != 2 || !start || !stop || !(*start < *stop))
        throw UsageError("option '--window': found '" + printable(o.window, 40) +
                         "'; A:B, seconds about the event of every trial, is expected beside --dt");
    return formats::TrialWindow{*o.dt, {*start, *stop}, o.align, o.nan};
}

} // namespace

TensorReading reading_of(cli::Context& context, const MissingOptions& o,
                         const hdf5::Address& address) {
    TensorReading reading;
    if (!address.path.empty()) reading.path = address.path;
    reading.missing_nan = o.nan;
    if (o.mask.empty()) return reading;
    const hdf5::Address mask = hdf5::Address::parse(o.mask);
    reading.mask = context.open(mask).root().dataset(mask.path.empty() ? kMaskPath : mask.path);
    return reading;
}

void declare_tensor(cli::Command& c, TensorOptions& o) {
    c.group("Tensor");
    declare_missing(c, o.missing);
    c.option("--modes", o.modes, "LIST", "what the modes are, such as neuron,time,trial")
        .default_text("the attribute axes of the tensor");
    c.option("--center", o.center, "WORD", "means to take off first: none, global, mode:K");
    declare_precision(c, o.storage);
    c.memory_limit(o.memory);
}

void declare_precision(cli::Command& c, Storage& storage) {
    c.choice<Storage>("--precision", storage,
                      {{"float64", Storage::float64}, {"float32", Storage::float32}},
                      "of the stored tensor; sums are taken in double");
}

namespace {

constexpr const char* kAllEqual = ": all values are equal";

// The words of --modes, else those of the file.
std::vector<std::string> named_modes(const TensorOptions& o, std::vector<std::string> own,
                                     std::size_t order) {
    if (o.modes.empty()) return own;
    if (o.modes.size() != order)
        throw UsageError(concat("option '--modes': ", o.modes.size(), " names; ", order,
                                ", one a mode, are expected"));
    return o.modes;
}

// What --center asks for; the means are yet to be found.
std::optional<Centering> centering_of(const TensorOptions& o, Index order,
                                      const std::vector<std::string>& names) {
    if (o.center == "none") return std::nullopt;
    if (o.center == "global") return Centering{};
    if (!starts_with(o.center, "mode:"))
        throw UsageError("option '--center': found '" + printable(o.center, 40) +
                         "'; none, global or mode:K is expected");
    return Centering{mode_of("--center", o.center.substr(5), order, names), {}};
}

template <class Scalar>
struct InputOf {
    NamedTensorOf<Scalar> named;
    std::optional<Centering> centering;
};

// A tensor in memory made ready; `where` stands for it in messages.
template <class Scalar>
InputOf<Scalar> prepared(cli::Context& context, const TensorOptions& o, NamedTensorOf<Scalar> named,
                         const std::string& where) {
    InputOf<Scalar> whole{std::move(named), {}};
    TensorOf<Scalar>& tensor = whole.named.tensor;
    whole.named.mode_names = named_modes(o, whole.named.mode_names, tensor.shape.size());
    if (tensor.values.size() > 1 && (tensor.values.array() == tensor.values(0)).all())
        context.monitor().warn(where + kAllEqual);
    if (o.symmetric) at_place(where, [&] { clear_repeated_indices(tensor); });
    whole.centering = centering_of(o, tensor.order(), whole.named.mode_names);
    if (whole.centering) whole.centering = subtract_means(tensor, whole.centering->mode);
    return whole;
}

template <class Scalar>
std::optional<InputOf<Scalar>> load_foreign(cli::Context& context, const TensorOptions& o,
                                            std::size_t number, std::size_t input) {
    const hdf5::Address address = context.input_address(input);
    const double copies =
        o.copies * static_cast<double>(number) / static_cast<double>(sizeof(Scalar));
    auto tensor =
        foreign_tensor<Scalar>(context, o.missing, address, allowed_memory(o.memory), copies);
    if (!tensor) return std::nullopt;
    std::vector<std::string> names;
    if (o.missing.dt) names = {"neuron", "time", "trial"};
    return prepared<Scalar>(context, o, {std::move(*tensor), names, ""}, address.name());
}

template <class Scalar>
InputOf<Scalar> load_at(cli::Context& context, const TensorOptions& o, const Place& place,
                        std::size_t input) {
    return prepared(context, o, read_tensor<Scalar>(context.input(input).root(), place.reading),
                    place.values.where());
}

std::unique_ptr<TensorSource> source_of(DenseTensor tensor, Storage storage) {
    return std::make_unique<MemoryTensor>(std::move(tensor), storage);
}
std::unique_ptr<TensorSource> source_of(FloatTensor tensor, Storage /*storage*/) {
    return std::make_unique<MemoryTensor>(std::move(tensor));
}

template <class Scalar>
LoadedTensor in_memory(const TensorOptions& o, InputOf<Scalar> whole, const std::string& where) {
    LoadedTensor loaded;
    loaded.mode_names = std::move(whole.named.mode_names);
    loaded.centering = std::move(whole.centering);
    loaded.source =
        at_place(where, [&] { return source_of(std::move(whole.named.tensor), o.storage); });
    return loaded;
}

LoadedTensor streamed(const TensorOptions& o, const Place& place) {
    const std::string& where = place.values.where();
    LoadedTensor loaded;
    loaded.mode_names = named_modes(o, names_of_modes(place.values), place.values.shape().size());
    StreamedTensorSettings settings;
    settings.centering = centering_of(o, place.values.rank(), loaded.mode_names);
    settings.symmetric = o.symmetric;
    settings.storage = o.storage;
    settings.missing_nan = o.missing.nan;
    settings.memory_bytes = static_cast<std::int64_t>(allowed_memory(o.memory));
    auto source = std::make_unique<StreamedTensor>(place.values, place.reading.mask, settings);
    loaded.survey = [&tensor = *source, where](Monitor& monitor) {
        tensor.survey(monitor);
        if (tensor.constant()) monitor.warn(where + kAllEqual);
        return tensor.centering();
    };
    loaded.source = std::move(source);
    return loaded;
}

// Of `Scalar` while it is read; `number` bytes an entry at most.
template <class Scalar>
LoadedTensor load_as(cli::Context& context, const TensorOptions& o, std::size_t number,
                     std::size_t input) {
    if (auto foreign = load_foreign<Scalar>(context, o, number, input))
        return in_memory(o, std::move(*foreign), context.input_address(input).name());
    const Place place = place_of(context, o, input);
    // Ranks that work together have their rows of it each.
    const Shape& shape = place.values.shape();
    check_shape(shape, place.values.where());
    if ((ranks::team() > 1 && worth_sharing(shape)) ||
        o.copies * place.bytes(number) > allowed_memory(o.memory))
        return streamed(o, place);
    return in_memory(o, load_at<Scalar>(context, o, place, input), place.values.where());
}

} // namespace

template <class Scalar>
std::optional<TensorOf<Scalar>> foreign_tensor(cli::Context& context, const MissingOptions& o,
                                               hdf5::Address address, double memory,
                                               double copies) {
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& { return context.open(a); },
        [&](const std::string& name) { context.note_foreign(name); }};
    const auto window = trial_window(o);
    if (!window && address.path.empty() && !formats::is_foreign(address) &&
        context.open(address).root().has_dataset(kTensorPath))
        address.path = kTensorPath;
    const auto file = window ? formats::trial_counts(address, *window, opener)
                             : formats::open_dense(address, opener);
    if (!file) return std::nullopt;
    const Shape& shape = file->array.shape;
    check_shape(shape, file->name);
    const hdf5::Address mask = hdf5::Address::parse(o.mask);
    std::optional<formats::DenseFile> flags;
    if (!o.mask.empty()) flags = formats::open_dense(mask, opener);
    const double whole = bytes_of(shape, sizeof(Scalar), !o.mask.empty() || o.nan);
    expect_room(std::max({copies * whole, whole + file->array.bytes,
                          flags ? entry_count(shape) + flags->array.bytes : 0}),
                memory, file->name, ", and only HDF5 is read in parts");
    std::vector<std::uint8_t> observed;
    if (flags) // as the tensor itself: MATLAB's dimensions stand the other way round
        observed = read_mask(flags->array.read, flags->array.shape, shape, flags->name);
    else if (!o.mask.empty())
        observed = read_mask(
            context.open(mask).root().dataset(mask.path.empty() ? kMaskPath : mask.path), shape);
    return read_tensor<Scalar>(file->array.read, shape, std::move(observed), o.nan, file->name);
}
template std::optional<DenseTensor> foreign_tensor(cli::Context&, const MissingOptions&,
                                                   hdf5::Address, double, double);

LoadedTensor load_tensor(cli::Context& context, const TensorOptions& o, std::size_t input) {
    if (o.storage == Storage::float64) return load_as<double>(context, o, sizeof(double), input);
    // Means are taken off what the file holds, not off what is left of it as float.
    if (o.center != "none")
        return load_as<double>(context, o, sizeof(double) + sizeof(float), input);
    return load_as<float>(context, o, sizeof(float), input);
}

Index mode_of(const std::string& option, const std::string& text, Index order,
              const std::vector<std::string>& names) {
    const auto name = std::find(names.begin(), names.end(), text);
    if (name != names.end()) return name - names.begin();
    const auto number = parse_integer(text);
    if (!number || *number < 0 || *number >= order)
        throw UsageError(concat("option '", option, "': found '", printable(text, 40),
                                "'; a mode from 0 to ", order - 1, " is expected"));
    return *number;
}

} // namespace tensor_amp_app

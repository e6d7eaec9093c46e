#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/tensor_amp/shape_checks.hpp>
#include <assay/tensor_amp/streamed_tensor_io.hpp>
#include <assay/tensor_amp/symmetric_amp.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>

namespace tensor_amp_app {

using namespace assay;
using namespace assay::tensor_amp;

namespace {

// Of the entries, and of their flags.
double bytes_of(const std::vector<std::int64_t>& shape, bool masked) {
    double entries = 1;
    for (const std::int64_t length : shape) entries *= static_cast<double>(length);
    return entries * (masked ? 9 : 8);
}

// Where the tensor is, and what it would take in memory: reading takes doubles, whatever the
// storage is afterwards.
struct Place {
    TensorReading reading;
    hdf5::Dataset values;
    double bytes, memory;
};

Place place_of(cli::Context& context, const TensorOptions& o, std::size_t input) {
    const hdf5::Group root = context.input(input).root();
    TensorReading reading = reading_of(context, o.missing, context.input_address(input));
    reading.mask = mask_beside(root, reading);
    const hdf5::Dataset values = root.dataset(reading.path);
    const double bytes = static_cast<double>(o.copies) *
                         bytes_of(values.shape(), reading.mask || reading.missing_nan);
    return {std::move(reading), values, bytes, allowed_memory(o.memory)};
}

} // namespace

void declare_missing(cli::Command& c, MissingOptions& o) {
    c.option("--mask", o.mask, "FILE:/PATH", "which entries were observed (1 = observed)")
        .default_text("mask beside the tensor, if any");
    c.choice<bool>("--missing", o.nan, {{"error", false}, {"nan", true}},
                   "what NaN means: a mistake, or that an entry is missing");
}

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
    c.choice<Storage>("--precision", o.storage,
                      {{"float64", Storage::float64}, {"float32", Storage::float32}},
                      "of the stored tensor; sums are taken in double");
    c.memory_limit(o.memory);
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

// A tensor in memory made ready; `where` stands for it in messages.
DenseInput prepared(cli::Context& context, const TensorOptions& o, NamedTensor named,
                    const std::string& where) {
    DenseInput dense{std::move(named), {}};
    dense.named.mode_names =
        named_modes(o, dense.named.mode_names, dense.named.tensor.shape.size());
    const VectorXd& values = dense.named.tensor.values;
    if (values.size() > 1 && (values.array() == values(0)).all())
        context.monitor().warn(where + kAllEqual);
    if (o.symmetric) at_place(where, [&] { clear_repeated_indices(dense.named.tensor); });
    if (o.center == "none") return dense;
    std::optional<Index> mode;
    if (starts_with(o.center, "mode:"))
        mode = mode_of("--center", o.center.substr(5), dense.named.tensor.order(),
                       dense.named.mode_names);
    else if (o.center != "global")
        throw UsageError("option '--center': found '" + printable(o.center, 40) +
                         "'; none, global or mode:K is expected");
    dense.centering =
        at_place("option '--center'", [&] { return subtract_means(dense.named.tensor, mode); });
    return dense;
}

std::optional<DenseInput> load_foreign(cli::Context& context, const TensorOptions& o,
                                       std::size_t input) {
    const hdf5::Address address = context.input_address(input);
    auto foreign = foreign_tensor(context, o.missing, address,
                                  allowed_memory(o.memory) / static_cast<double>(o.copies));
    if (!foreign) return std::nullopt;
    return prepared(context, o, std::move(*foreign), address.name());
}

DenseInput load_at(cli::Context& context, const TensorOptions& o, const Place& place,
                   std::size_t input) {
    return prepared(context, o, read_tensor(context.input(input).root(), place.reading),
                    place.values.where());
}

LoadedTensor in_memory(const TensorOptions& o, DenseInput dense, const std::string& where) {
    LoadedTensor loaded;
    loaded.mode_names = dense.named.mode_names;
    loaded.centering = dense.centering;
    loaded.source = at_place(where, [&] {
        return std::make_unique<MemoryTensor>(std::move(dense.named.tensor), o.storage);
    });
    return loaded;
}

} // namespace

std::optional<NamedTensor> foreign_tensor(cli::Context& context, const MissingOptions& o,
                                          const hdf5::Address& address, double memory) {
    const formats::Opener opener{
        [&](const hdf5::Address& a) -> hdf5::InputFile& { return context.open(a); },
        [&](const std::string& name) { context.note_foreign(name); }};
    auto file = formats::open_dense(address, opener, memory);
    if (!file) return std::nullopt;
    TensorReading reading;
    reading.missing_nan = o.nan;
    DenseTensor tensor;
    tensor.shape = file->shape;
    tensor.values =
        Eigen::Map<const VectorXd>(file->values.data(), static_cast<Index>(file->values.size()));
    check_shape(tensor.shape, file->name);
    if (!o.mask.empty()) {
        const hdf5::Address mask = hdf5::Address::parse(o.mask);
        // As the tensor itself: MATLAB's dimensions stand the other way round.
        if (const auto flags = formats::open_dense(mask, opener, memory))
            tensor.observed = checked_mask(flags->values, flags->shape, tensor.shape, flags->name);
        else
            tensor.observed = read_mask(
                context.open(mask).root().dataset(mask.path.empty() ? kMaskPath : mask.path),
                tensor.shape);
    }
    return checked_tensor(std::move(tensor), reading, file->name);
}

DenseInput load_dense(cli::Context& context, const TensorOptions& o, std::size_t input) {
    if (auto foreign = load_foreign(context, o, input)) return std::move(*foreign);
    const Place place = place_of(context, o, input);
    if (place.bytes > place.memory)
        throw Error(concat(place.values.where(), ": ", human_bytes(place.bytes), "; --memory is ",
                           human_bytes(place.memory)));
    return load_at(context, o, place, input);
}

LoadedTensor load_tensor(cli::Context& context, const TensorOptions& o, std::size_t input) {
    if (auto foreign = load_foreign(context, o, input))
        return in_memory(o, std::move(*foreign), context.input_address(input).name());
    const Place place = place_of(context, o, input);
    LoadedTensor loaded;
    if (place.bytes > place.memory) {
        if (o.center != "none" || o.symmetric)
            throw Error(concat(place.values.where(), ": larger than --memory; ",
                               o.symmetric ? "--symmetric" : "--center", " needs it whole"));
        StreamedTensorSettings settings;
        settings.storage = o.storage;
        settings.missing_nan = o.missing.nan;
        settings.memory_bytes = static_cast<std::int64_t>(place.memory);
        auto streamed =
            std::make_unique<StreamedTensor>(place.values, place.reading.mask, settings);
        if (streamed->constant()) context.monitor().warn(place.values.where() + kAllEqual);
        loaded.mode_names =
            named_modes(o, names_of_modes(place.values), place.values.shape().size());
        loaded.source = std::move(streamed);
        return loaded;
    }
    return in_memory(o, load_at(context, o, place, input), place.values.where());
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

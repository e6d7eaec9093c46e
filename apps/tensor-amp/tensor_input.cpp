#include "tensor_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
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

std::optional<hdf5::Dataset> mask_of(cli::Context& context, const TensorOptions& o,
                                     const hdf5::Group& root, const std::string& path) {
    if (!o.mask.empty()) {
        const hdf5::Address address = hdf5::Address::parse(o.mask);
        return context.open(address).root().dataset(address.path.empty() ? "/data/mask"
                                                                         : address.path);
    }
    const std::string beside = path.substr(0, path.rfind('/') + 1) + "mask";
    if (root.has_dataset(beside)) return root.dataset(beside);
    return std::nullopt;
}

// Where the tensor is, and what it would take in memory: reading takes doubles, whatever the
// storage is afterwards.
struct Place {
    std::string path;
    hdf5::Dataset values;
    std::optional<hdf5::Dataset> mask;
    double bytes, memory;
};

Place place_of(cli::Context& context, const TensorOptions& o, std::size_t input) {
    const hdf5::Address address = context.input_address(input);
    const std::string path = address.path.empty() ? kTensorPath : address.path;
    const hdf5::Group root = context.input(input).root();
    const hdf5::Dataset values = root.dataset(path);
    const auto mask = mask_of(context, o, root, path);
    const double memory = o.memory > 0 ? static_cast<double>(o.memory) : 0.6 * physical_memory();
    return {path, values, mask, bytes_of(values.shape(), mask || o.missing_nan), memory};
}

} // namespace

void declare_tensor(cli::Command& c, TensorOptions& o) {
    c.group("Tensor");
    c.option("--mask", o.mask, "FILE:/PATH", "which entries were observed (1 = observed)")
        .default_text("mask beside the tensor, if any");
    c.choice<bool>("--missing", o.missing_nan, {{"error", false}, {"nan", true}},
                   "what NaN means: a mistake, or that an entry is missing");
    c.option("--center", o.center, "WORD", "means to take off first: none, global, mode:K");
    c.choice<Storage>("--precision", o.storage,
                      {{"float64", Storage::float64}, {"float32", Storage::float32}},
                      "of the stored tensor; sums are taken in double");
    c.memory_limit(o.memory);
}

DenseInput load_dense(cli::Context& context, const TensorOptions& o, std::size_t input) {
    const Place place = place_of(context, o, input);
    if (place.bytes > place.memory)
        throw Error(concat(place.values.where(), ": ", human_bytes(place.bytes), "; --memory is ",
                           human_bytes(place.memory)));
    TensorReading reading;
    reading.path = place.path;
    reading.mask = place.mask;
    reading.missing_nan = o.missing_nan;
    DenseInput dense{read_tensor(context.input(input).root(), reading), {}};
    const VectorXd& values = dense.named.tensor.values;
    if (values.size() > 1 && (values.array() == values(0)).all())
        context.monitor().warn(place.values.where() + ": all values are equal");
    if (o.symmetric)
        at_place(place.values.where(), [&] { clear_repeated_indices(dense.named.tensor); });
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

LoadedTensor load_tensor(cli::Context& context, const TensorOptions& o, std::size_t input) {
    const Place place = place_of(context, o, input);
    LoadedTensor loaded;
    if (place.bytes > place.memory) {
        if (o.center != "none" || o.symmetric)
            throw Error(concat(place.values.where(), ": larger than --memory; ",
                               o.symmetric ? "--symmetric" : "--center", " needs it whole"));
        StreamedTensorSettings settings;
        settings.storage = o.storage;
        settings.missing_nan = o.missing_nan;
        settings.memory_bytes = static_cast<std::int64_t>(place.memory);
        loaded.mode_names = names_of_modes(place.values);
        loaded.source = std::make_unique<StreamedTensor>(place.values, place.mask, settings);
        return loaded;
    }
    DenseInput dense = load_dense(context, o, input);
    loaded.mode_names = dense.named.mode_names;
    loaded.centering = dense.centering;
    loaded.source = at_place(place.values.where(), [&] {
        return std::make_unique<MemoryTensor>(std::move(dense.named.tensor), o.storage);
    });
    return loaded;
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

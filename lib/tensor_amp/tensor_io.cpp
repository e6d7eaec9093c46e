#include <assay/tensor_amp/tensor_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/settle_entries.hpp>
#include <assay/tensor_amp/shape_checks.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {
namespace {

std::string mode_name(Index mode) {
    return concat("mode", mode);
}

// Unobserved values become 0; NaN joins them where it may.
template <class Scalar>
void settle_values(TensorOf<Scalar>& tensor, bool missing_nan, const std::string& where) {
    const auto size = tensor.values.size();
    Index nan_count = 0, first_nan = -1;
    for (Index i = 0; i < size; ++i) {
        if (!tensor.observed.empty() && tensor.observed[at(i)] == 0) {
            tensor.values(i) = 0;
            continue;
        }
        check_finite(static_cast<double>(tensor.values(i)), i, tensor.shape, where);
        if (!std::isnan(tensor.values(i))) continue;
        if (nan_count++ == 0) first_nan = i;
        if (!missing_nan) continue;
        if (tensor.observed.empty()) tensor.observed.assign(at(size), 1);
        tensor.observed[at(i)] = 0;
        tensor.values(i) = 0;
    }
    if (!missing_nan) check_nan(nan_count, first_nan, tensor.shape, where);
    if (!tensor.observed.empty() &&
        std::find(tensor.observed.begin(), tensor.observed.end(), 1) == tensor.observed.end())
        throw Error(where + ": nothing is observed");
}

// Room for the values, which are yet to be read.
template <class Scalar>
TensorOf<Scalar> empty_tensor(const Shape& shape, const std::string& where) {
    TensorOf<Scalar> tensor;
    tensor.shape = shape;
    tensor.values.resize(hdf5::element_count(shape, where));
    prefer_large_pages(tensor.values.data(), sizeof(Scalar) * at(tensor.values.size()));
    return tensor;
}

double number(const hdf5::Group& group, const char* name) {
    const auto value = group.number_attribute(name);
    if (!value || !std::isfinite(*value))
        throw Error(concat(group.where(), ": attribute '", name, "' is missing or not finite"));
    return *value;
}

void check_mask_shape(const Shape& mask, const Shape& tensor, const std::string& where) {
    if (mask != tensor)
        throw Error(concat(where, ": a mask of ", hdf5::shape_text(mask), " for a tensor of ",
                           hdf5::shape_text(tensor)));
}

} // namespace

std::optional<hdf5::Dataset> mask_beside(const hdf5::Group& root, const TensorReading& reading) {
    if (reading.mask) return reading.mask;
    if (!reading.mask_path.empty()) return root.dataset(reading.mask_path);
    const std::string beside = reading.path.substr(0, reading.path.rfind('/') + 1) + "mask";
    if (!root.has_dataset(beside)) return std::nullopt;
    return root.dataset(beside);
}

std::vector<std::uint8_t> read_mask(const NumberReader& read, const Shape& shape,
                                    const Shape& tensor, const std::string& where) {
    check_mask_shape(shape, tensor, where);
    std::vector<std::uint8_t> observed(at(hdf5::element_count(shape, where)));
    read([&](Index first, const double* flags, Index count) {
        for (Index i = 0; i < count; ++i)
            observed[at(first + i)] = checked_flag(flags[i], first + i, shape, where);
    });
    return observed;
}

std::vector<std::uint8_t> read_mask(const hdf5::Dataset& mask, const Shape& tensor) {
    mask.expect_numeric();
    // Some slices of the first mode at a time: as doubles, so that no fraction passes for a flag.
    const auto read = [&mask](const NumberBlock& take) {
        constexpr Index together = Index{1} << 17;
        const hdf5::Shape& shape = mask.shape();
        const Index size = hdf5::element_count(shape, mask.where());
        if (size == 0) return;
        const Index slice = size / shape.front();
        const Index slices = std::max<Index>(1, together / slice);
        std::vector<double> flags(at(std::min(size, slices * slice)));
        hdf5::Shape offset(shape.size(), 0), count = shape;
        for (Index& first = offset.front(); first < shape.front(); first += slices) {
            count.front() = std::min(slices, shape.front() - first);
            mask.read_box<double>(offset, count, flags.data());
            take(first * slice, flags.data(), count.front() * slice);
        }
    };
    return read_mask(read, mask.shape(), tensor, mask.where());
}

std::vector<std::string> names_of_modes(const hdf5::Dataset& dataset) {
    std::vector<std::string> names;
    for (const std::string& name : split(dataset.axes(), ',')) names.push_back(trim(name));
    const bool all = static_cast<Index>(names.size()) == dataset.rank() &&
                     std::none_of(names.begin(), names.end(),
                                  [](const std::string& name) { return name.empty(); });
    return all ? names : std::vector<std::string>{};
}

template <class Scalar>
NamedTensorOf<Scalar> read_tensor(const hdf5::Group& root, const TensorReading& reading) {
    const hdf5::Dataset dataset = root.dataset(reading.path);
    dataset.expect_numeric();
    check_shape(dataset.shape(), dataset.where());
    at_place(dataset.where(), [&] {
        check_memory(entry_count(dataset.shape()) * sizeof(Scalar), reading.memory_bytes,
                     hdf5::shape_text(dataset.shape()) + " numbers");
    });
    NamedTensorOf<Scalar> named;
    named.mode_names = names_of_modes(dataset);
    named.units = dataset.text_attribute("units").value_or("");
    TensorOf<Scalar>& tensor = named.tensor;
    tensor = empty_tensor<Scalar>(dataset.shape(), dataset.where());
    if (const auto mask = mask_beside(root, reading))
        tensor.observed = read_mask(*mask, tensor.shape);
    dataset.read_box<Scalar>(hdf5::Shape(tensor.shape.size(), 0), dataset.shape(),
                             tensor.values.data());
    settle_values(tensor, reading.missing_nan, dataset.where());
    return named;
}

template <class Scalar>
TensorOf<Scalar> read_tensor(const NumberReader& read, const Shape& shape,
                             std::vector<std::uint8_t> observed, bool missing_nan,
                             const std::string& where) {
    check_shape(shape, where);
    auto tensor = empty_tensor<Scalar>(shape, where);
    tensor.observed = std::move(observed);
    read([&](Index first, const double* numbers, Index count) {
        tensor.values.segment(first, count) =
            Eigen::Map<const VectorXd>(numbers, count).cast<Scalar>();
    });
    settle_values(tensor, missing_nan, where);
    return tensor;
}

#define ASSAY_INSTANTIATE(Scalar)                                                                  \
    template ASSAY_API NamedTensorOf<Scalar> read_tensor<Scalar>(const hdf5::Group&,               \
                                                                 const TensorReading&);            \
    template ASSAY_API TensorOf<Scalar> read_tensor<Scalar>(                                       \
        const NumberReader&, const Shape&, std::vector<std::uint8_t>, bool, const std::string&);
ASSAY_INSTANTIATE(double)
ASSAY_INSTANTIATE(float)
#undef ASSAY_INSTANTIATE

void write_tensor(hdf5::Group root, const NamedTensor& named, TensorPrecision precision) {
    const DenseTensor& tensor = named.tensor;
    const std::string axes = join(named.mode_names, ",");
    VectorXd values = tensor.values;
    for (Index i = 0; i < static_cast<Index>(tensor.observed.size()); ++i)
        if (tensor.observed[at(i)] == 0) values(i) = std::numeric_limits<double>::quiet_NaN();
    hdf5::Group data = root.create_group("/data");
    const hdf5::ArrayInfo info{axes, named.units, "low-rank tensor and noise"};
    if (precision == TensorPrecision::float32) {
        const Eigen::VectorXf narrow = values.cast<float>();
        data.write("tensor", narrow.data(), tensor.shape, info);
    } else {
        data.write("tensor", values.data(), tensor.shape, info);
    }
    if (!tensor.observed.empty())
        data.write("mask", tensor.observed.data(), tensor.shape,
                   {axes, "boolean", "1 = observed; others are NaN in tensor"});
}

void write_factors(hdf5::Group group, const Factors& factors,
                   const std::vector<std::string>& mode_names, const std::string& description) {
    for (Index a = 0; a < static_cast<Index>(factors.size()); ++a)
        group.write(mode_name(a), factors[at(a)],
                    {(mode_names.empty() ? "index" : mode_names.at(at(a))) + ",component", "",
                     description});
}

Factors read_factors(const hdf5::Group& group) {
    Factors factors;
    for (Index a = 0; a < kMostOrder && group.has_dataset(mode_name(a)); ++a) {
        const hdf5::Dataset dataset = group.dataset(mode_name(a));
        factors.push_back(dataset.expect_numeric().expect_rank(2).read_matrix());
        if (!factors.back().allFinite())
            throw Error(dataset.where() + ": not finite; finite numbers are expected");
        if (factors.back().size() == 0 || factors.back().cols() != factors.front().cols())
            throw Error(concat(dataset.where(), ": ", factors.back().rows(), " x ",
                               factors.back().cols(), "; ", factors.front().cols(),
                               " columns are expected"));
    }
    if (static_cast<Index>(factors.size()) < kLeastOrder)
        throw Error(concat(group.where(), ": ", factors.size(),
                           " factors (mode0, mode1, ...); at least 2 are expected"));
    return factors;
}

Factors read_factors(const hdf5::Group& group, const Shape& shape, Index rank) {
    Factors factors = read_factors(group);
    if (factors.size() != shape.size())
        throw Error(concat(group.where(), ": ", factors.size(), " factors for a tensor of ",
                           shape.size(), " modes"));
    for (Index a = 0; a < static_cast<Index>(shape.size()); ++a) {
        const MatrixXd& factor = factors[at(a)];
        if (factor.rows() != shape[at(a)])
            throw Error(concat(group.where(), "/", mode_name(a), ": ", factor.rows(), " x ",
                               factor.cols(), "; ", shape[at(a)], " rows are expected"));
    }
    if (rank > 0 && factors.front().cols() != rank)
        throw Error(concat(group.where(), "/mode0: rank ", factors.front().cols(), "; rank ", rank,
                           " is expected"));
    return factors;
}

void write_words(hdf5::Group& group, const std::string& name,
                 const std::vector<std::string>& words) {
    group.write_text(name, nlohmann::json(words).dump());
}

std::vector<std::string> read_words(const hdf5::Group& group, const std::string& name) {
    const auto text = group.read_text(name);
    if (!text) return {};
    const nlohmann::json list = nlohmann::json::parse(*text, nullptr, false);
    const bool words = list.is_array() && std::all_of(list.begin(), list.end(),
                                                      [](const auto& w) { return w.is_string(); });
    if (!words)
        throw Error(concat(group.where(), ": '", name, "' is '", printable(*text, 40),
                           "'; a JSON list of texts is expected"));
    return list.get<std::vector<std::string>>();
}

void write_truth(hdf5::Group group, const Truth& truth) {
    write_factors(group.create_group("factors"), truth.factors, truth.mode_names,
                  "true factor, model units");
    group.set_attribute("noise_var", truth.noise_variance);
    if (!truth.priors.empty()) write_words(group, "priors", truth.priors);
    if (!truth.mode_names.empty()) write_words(group, "modes", truth.mode_names);
    if (truth.noise_mode < 0) return;
    group.set_attribute("noise_mode", static_cast<std::int64_t>(truth.noise_mode));
    group.write("slice_noise", truth.slice_noise,
                {"slice", "", "noise variance of every slice of mode noise_mode"});
}

Truth read_truth(const hdf5::Group& group) {
    Truth truth;
    truth.factors = read_factors(group.group("factors"));
    truth.noise_variance = number(group, "noise_var");
    truth.priors = read_words(group, "priors");
    truth.mode_names = read_words(group, "modes");
    if (!truth.mode_names.empty() && truth.mode_names.size() != truth.factors.size())
        throw Error(group.where() + ": 'modes' names not as many modes as there are factors");
    if (!group.has_dataset("slice_noise")) return truth;
    const double mode = number(group, "noise_mode");
    truth.slice_noise = group.dataset("slice_noise").expect_numeric().read_vector();
    const bool fits =
        mode >= 0 && mode < static_cast<double>(truth.factors.size()) &&
        truth.factors[static_cast<std::size_t>(mode)].rows() == truth.slice_noise.size();
    if (!fits) throw Error(group.where() + ": slice_noise and noise_mode do not fit the factors");
    truth.noise_mode = static_cast<Index>(mode);
    return truth;
}

} // namespace assay::tensor_amp

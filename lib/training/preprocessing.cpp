#include <assay/training/preprocessing.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

Index groups_of(const std::string& kind, const network::Samples& samples) {
    if (kind == "pixel" || kind == "pixel_mean") return samples.inputs.cols();
    return kind == "channel" ? samples.input_shape.at(0) : 1;
}

template <class Values>
void add_values(Digest& digest, const Values& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    digest.add(&count, sizeof count);
    digest.add(values.data(), static_cast<std::size_t>(count) * sizeof(*values.data()));
}

} // namespace

Preprocessing measure_inputs(const network::Samples& train, const DataSettings& settings) {
    Preprocessing done;
    done.scale = settings.scale;
    done.inputs = train.inputs.cols();
    if (settings.standardize.empty() || settings.standardize == "none") return done;
    done.standardize = settings.standardize;
    const Index groups = groups_of(settings.standardize, train);
    const Index width = train.inputs.cols() / groups;
    for (Index g = 0; g < groups; ++g) {
        const auto block = train.inputs.middleCols(g * width, width).array() * settings.scale;
        const double mean = block.mean();
        const double deviation = std::sqrt((block - mean).square().mean());
        done.mean.push_back(mean);
        done.factor.push_back(deviation > 0 && settings.standardize != "pixel_mean" ? 1 / deviation
                                                                                    : 1);
    }
    return done;
}

void apply(const Preprocessing& preprocessing, network::Samples& samples) {
    if (!preprocessing.does_something()) return;
    if (samples.inputs.cols() != preprocessing.inputs)
        throw Error(concat("the run was prepared for inputs of ", preprocessing.inputs,
                           " numbers a sample, found ", samples.inputs.cols()));
    if (preprocessing.scale != 1) samples.inputs *= preprocessing.scale;
    const auto groups = static_cast<Index>(preprocessing.mean.size());
    for (Index g = 0; g < groups; ++g) {
        const Index width = samples.inputs.cols() / groups;
        auto block = samples.inputs.middleCols(g * width, width);
        block.array() -= preprocessing.mean[static_cast<std::size_t>(g)];
        block *= preprocessing.factor[static_cast<std::size_t>(g)];
    }
}

std::vector<Index> held_out_rows(Index count, double fraction, std::uint64_t seed) {
    const auto kept = static_cast<Index>(std::floor(fraction * static_cast<double>(count)));
    if (kept < 1 || kept >= count)
        throw Error(
            concat("train_fraction ", fraction, " of ", count, " samples leaves a split empty"));
    const auto order = Random(seed, "split").permutation(count);
    return {order.begin() + kept, order.end()};
}

network::Samples choose_rows(const network::Samples& samples, const std::vector<Index>& rows) {
    network::Samples part;
    part.input_shape = samples.input_shape;
    part.input_axes = samples.input_axes;
    part.target_shape = samples.target_shape;
    const auto number = static_cast<Index>(rows.size());
    const auto per =
        static_cast<std::ptrdiff_t>(samples.classes.size()) / std::max<Index>(1, samples.count());
    part.inputs.resize(number, samples.inputs.cols());
    part.values.resize(samples.values.rows() > 0 ? number : 0, samples.values.cols());
    part.mask.resize(samples.mask.rows() > 0 ? number : 0, samples.mask.cols());
    for (Index i = 0; i < number; ++i) {
        const Index from = rows[static_cast<std::size_t>(i)];
        part.inputs.row(i) = samples.inputs.row(from);
        if (part.values.rows() > 0) part.values.row(i) = samples.values.row(from);
        if (part.mask.rows() > 0) part.mask.row(i) = samples.mask.row(from);
        part.classes.insert(part.classes.end(), samples.classes.begin() + from * per,
                            samples.classes.begin() + (from + 1) * per);
        if (!samples.lengths.empty())
            part.lengths.push_back(samples.lengths[static_cast<std::size_t>(from)]);
    }
    return part;
}

std::vector<Index> other_rows(Index count, const std::vector<Index>& held_out) {
    std::vector<char> out(static_cast<std::size_t>(count), 0);
    for (const Index row : held_out) out.at(static_cast<std::size_t>(row)) = 1;
    std::vector<Index> rows;
    for (Index row = 0; row < count; ++row)
        if (!out[static_cast<std::size_t>(row)]) rows.push_back(row);
    return rows;
}

std::string digest_of_samples(const network::Samples& samples) {
    Digest digest;
    add_values(digest, samples.input_shape);
    add_values(digest, samples.inputs);
    add_values(digest, samples.classes);
    add_values(digest, samples.target_shape);
    add_values(digest, samples.values);
    add_values(digest, samples.lengths);
    add_values(digest, samples.mask);
    return digest.hex();
}

} // namespace assay::training

#include <assay/training/preprocessing.hpp>

#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/network/loss.hpp>

#include <algorithm>
#include <cmath>

namespace assay::training {
namespace {

// Of a survey's digest: another formula, another form.
constexpr const char* kDigestForm = "samples-2:";

Index groups_of(const std::string& kind, const network::Samples& sample) {
    if (kind == "pixel" || kind == "pixel_mean") return sample.inputs.cols();
    return kind == "channel" ? sample.input_shape.at(0) : 1;
}

// Mean and sum of squared deviations of every input number, block by block (Chan, Golub, LeVeque
// 1979). Deviations are from the first sample, so that what is constant has exactly none.
struct Moments {
    Eigen::RowVectorXd origin, mean, squares;
    double count = 0;

    void add(const RowMatrix& block) {
        const auto number = static_cast<double>(block.rows());
        if (count == 0) {
            origin = block.row(0);
            mean.setZero(block.cols());
            squares.setZero(block.cols());
        }
        const RowMatrix values = block.rowwise() - origin;
        const Eigen::RowVectorXd middle = values.colwise().mean();
        const Eigen::RowVectorXd step = middle - mean;
        const double total = count + number;
        squares += (values.rowwise() - middle).colwise().squaredNorm() +
                   step.cwiseAbs2() * (count * number / total);
        mean += step * (number / total);
        count = total;
    }
};

template <class Values>
void add_values(Digest& digest, const Values& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    digest.add(&count, sizeof count);
    digest.add(values.data(), static_cast<std::size_t>(count) * sizeof(*values.data()));
}

} // namespace

Preprocessing measure_inputs(const network::SampleSource& train, const DataSettings& settings) {
    Preprocessing done;
    const network::Samples one = network::read_first(train);
    done.scale = settings.scale;
    done.inputs = one.inputs.cols();
    if (settings.standardize.empty() || settings.standardize == "none") return done;
    done.standardize = settings.standardize;
    Moments all;
    network::for_blocks(train,
                        [&](Index, const network::Samples& block) { all.add(block.inputs); });
    if (all.count == 0) return done;
    const Index groups = groups_of(settings.standardize, one);
    const Index width = one.inputs.cols() / groups;
    const Eigen::RowVectorXd means = all.origin + all.mean;
    for (Index g = 0; g < groups; ++g) {
        const auto of_group = means.segment(g * width, width);
        // From the first of them, so that a constant group has exactly no deviation.
        const double mean = of_group(0) + (of_group.array() - of_group(0)).mean();
        const double square = all.squares.segment(g * width, width).mean() / all.count +
                              (of_group.array() - mean).square().mean();
        const double deviation = std::abs(settings.scale) * std::sqrt(square);
        done.mean.push_back(settings.scale * mean);
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
    if (groups == 0) return;
    const Index width = samples.inputs.cols() / groups;
    Eigen::RowVectorXd mean(samples.inputs.cols()), factor(mean.size());
    for (Index i = 0; i < mean.size(); ++i) {
        mean(i) = preprocessing.mean[static_cast<std::size_t>(i / width)];
        factor(i) = preprocessing.factor[static_cast<std::size_t>(i / width)];
    }
    samples.inputs.rowwise() -= mean;
    samples.inputs.array().rowwise() *= factor.array();
}

PreparedSamples::PreparedSamples(std::shared_ptr<const network::SampleSource> base,
                                 std::optional<std::vector<Index>> rows,
                                 Preprocessing preprocessing)
    : base_(std::move(base)), rows_(std::move(rows)), preprocessing_(std::move(preprocessing)) {}

Index PreparedSamples::count() const {
    return rows_ ? static_cast<Index>(rows_->size()) : base_->count();
}

void PreparedSamples::read(const std::vector<Index>& chosen, network::Samples& into) const {
    base_->read(in_base(chosen), into);
    apply(preprocessing_, into);
}

void PreparedSamples::announce(const std::vector<Index>& chosen) const {
    base_->announce(in_base(chosen));
}

std::vector<Index> PreparedSamples::in_base(const std::vector<Index>& chosen) const {
    std::vector<Index> rows = chosen;
    if (rows_)
        for (Index& row : rows) row = rows_->at(static_cast<std::size_t>(row));
    return rows;
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
    network::SamplesInMemory(&samples).read(rows, part);
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

Survey survey(const network::SampleSource& samples, const std::string& place) {
    Survey found;
    const network::Samples one = network::read_first(samples);
    Digest shapes, inputs, targets, rest;
    add_values(shapes, std::vector<Index>{samples.count()});
    add_values(shapes, one.input_shape);
    add_values(shapes, one.target_shape);
    network::for_blocks(samples, [&](Index first, const network::Samples& block) {
        network::check_inputs_finite(block, first, place);
        add_values(inputs, block.inputs);
        add_values(targets, block.classes);
        add_values(targets, block.values);
        add_values(rest, block.lengths);
        add_values(rest, block.mask);
        for (const std::int64_t label : block.classes)
            found.largest_class = std::max(found.largest_class, label);
        if (block.inputs.size() > 0)
            found.largest_input = std::max(found.largest_input, block.inputs.maxCoeff());
    });
    Digest all;
    for (const Digest* part : {&shapes, &inputs, &targets, &rest}) all.add(part->hex());
    found.digest = kDigestForm + all.hex();
    return found;
}

bool comparable(const std::string& digest) {
    return starts_with(digest, kDigestForm);
}

} // namespace assay::training

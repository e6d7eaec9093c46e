#include <assay/tensor_amp/fit_io.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/tensor_amp/prior.hpp>
#include <assay/tensor_amp/tensor_io.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace assay::tensor_amp {
namespace {

std::string with_mode(const char* name, Index mode) {
    return concat(name, mode);
}

// Rows of r^2 numbers as r x r, or rows x r x r. The matrices are symmetric.
void write_square(hdf5::Group group, const std::string& name, const MatrixXd& rows, Index rank,
                  const std::string& axis, const std::string& description) {
    const RowMatrix ordered = rows;
    hdf5::Shape shape{rank, rank};
    std::string axes = "component,component";
    if (rows.rows() > 1) {
        shape.insert(shape.begin(), rows.rows());
        axes = axis + "," + axes;
    }
    group.write(name, ordered.data(), shape, {axes, "", description});
}

MatrixXd read_square(const hdf5::Dataset& dataset, Index rank) {
    const hdf5::Shape& shape = dataset.expect_numeric().shape();
    if (shape.size() < 2 || shape.size() > 3 || shape.back() != rank ||
        shape[shape.size() - 2] != rank)
        throw Error(concat(dataset.where(), ": ", hdf5::shape_text(shape), "; [rows x] ", rank,
                           " x ", rank, " numbers are expected"));
    RowMatrix rows(shape.size() == 2 ? 1 : shape.front(), rank * rank);
    dataset.read_box<double>(hdf5::Shape(shape.size(), 0), shape, rows.data());
    if (!rows.allFinite()) throw Error(dataset.where() + ": not finite");
    return rows;
}

void write_series(hdf5::Group& group, const char* name, const VectorXd& values, const char* axis,
                  const char* description) {
    if (values.size() > 0) group.write(name, values, {axis, "", description});
}

VectorXd read_series(const hdf5::Group& group, const std::string& name) {
    if (!group.has_dataset(name)) return {};
    return group.dataset(name).expect_numeric().expect_rank(1).read_vector();
}

// By sweep, then by mode, rank x columns each.
void write_overlap_trace(hdf5::Group& group, const char* name,
                         const std::vector<std::vector<MatrixXd>>& overlaps,
                         const char* description) {
    if (overlaps.empty()) return;
    const MatrixXd& first = overlaps.front().front();
    const Index each = first.size();
    std::vector<double> values;
    values.reserve(overlaps.size() * overlaps.front().size() * at(each));
    for (const auto& modes : overlaps)
        for (const MatrixXd& matrix : modes) {
            const RowMatrix rows = matrix;
            values.insert(values.end(), rows.data(), rows.data() + each);
        }
    group.write(name, values.data(),
                {static_cast<Index>(overlaps.size()), static_cast<Index>(overlaps.front().size()),
                 first.rows(), first.cols()},
                {"sweep,mode,component,component", "", description});
}

std::vector<std::vector<MatrixXd>> read_overlap_trace(const hdf5::Group& group,
                                                      const std::string& name) {
    if (!group.has_dataset(name)) return {};
    const hdf5::Dataset dataset = group.dataset(name);
    const hdf5::Shape& shape = dataset.expect_numeric().expect_rank(4).shape();
    const std::vector<double> values = dataset.read<double>();
    std::vector<std::vector<MatrixXd>> overlaps(at(shape[0]));
    const double* next = values.data();
    for (auto& modes : overlaps)
        for (Index a = 0; a < shape[1]; ++a, next += shape[2] * shape[3])
            modes.emplace_back(Eigen::Map<const RowMatrix>(next, shape[2], shape[3]));
    return overlaps;
}

void write_facts(hdf5::Group& group, const FitResult& fit) {
    group.set_attribute("algorithm", fit.algorithm);
    group.set_attribute("shape", std::vector<double>(fit.shape.begin(), fit.shape.end()));
    group.set_attribute("order", static_cast<std::int64_t>(fit.shape.size()));
    group.set_attribute("rank", static_cast<std::int64_t>(fit.rank));
    group.set_attribute("N", mean_dimension(fit.shape));
    group.set_attribute("noise_var", fit.noise_variance);
    group.set_attribute("noise_var_learned", fit.noise_variance_learned ? 1 : 0);
    if (fit.bethe_free_entropy) group.set_attribute("bethe_free_entropy", *fit.bethe_free_entropy);
    if (fit.elbo) group.set_attribute("elbo", *fit.elbo);
    if (fit.objective) group.set_attribute("objective", *fit.objective);
    group.set_attribute("explained_variance", fit.explained_variance);
    group.set_attribute("status", fit.status);
    group.set_attribute("iterations", fit.iterations);
    group.set_attribute("seed", std::to_string(fit.seed));
    group.set_attribute("denoiser_exact", fit.denoiser_exact ? 1 : 0);
    if (!fit.mode_names.empty()) write_words(group, "modes", fit.mode_names);
    if (fit.symmetric) group.set_attribute("symmetric", 1);
    if (!fit.signed_modes.empty())
        group.set_attribute("signed_modes",
                            std::vector<double>(fit.signed_modes.begin(), fit.signed_modes.end()));
    if (fit.priors.empty()) return;
    write_words(group, "priors", fit.priors);
    group.set_attribute("priors_learned", fit.priors_learned ? 1 : 0);
}

void write_fields(hdf5::Group group, const FitResult& fit) {
    const auto order = static_cast<Index>(fit.shape.size());
    const std::vector<MatrixXd>& precision = fit.fields.precision;
    const bool common = std::all_of(precision.begin(), precision.end(),
                                    [](const MatrixXd& rows) { return rows.rows() == 1; });
    if (common) {
        RowMatrix all(order, fit.rank * fit.rank);
        for (Index a = 0; a < order; ++a) all.row(a) = precision[at(a)].row(0);
        group.write("A", all.data(), {order, fit.rank, fit.rank},
                    {"mode,component,component", "", "precision that the data add to every row"});
    }
    for (Index a = 0; a < order; ++a) {
        if (!common)
            write_square(group, with_mode("A_mode", a), precision[at(a)], fit.rank, "index",
                         "precision that the data add to each row");
        group.write(with_mode("B_mode", a), fit.fields.field[at(a)],
                    {"index,component", "", "field of each row"});
    }
}

FitFields read_fields(const hdf5::Group& group, Index order, Index rank) {
    FitFields fields;
    MatrixXd common;
    if (group.has_dataset("A")) {
        common = read_square(group.dataset("A"), rank);
        if (common.rows() != order) throw Error(group.where() + "/A: not one matrix a mode");
    }
    for (Index a = 0; a < order; ++a) {
        fields.precision.push_back(common.size() > 0
                                       ? MatrixXd(common.row(a))
                                       : read_square(group.dataset(with_mode("A_mode", a)), rank));
        fields.field.push_back(
            group.dataset(with_mode("B_mode", a)).expect_numeric().expect_rank(2).read_matrix());
    }
    return fields;
}

void write_trace(hdf5::Group group, const FitTrace& trace) {
    write_series(group, "diff", trace.change, "sweep", "largest relative change of a factor");
    write_series(group, "bethe", trace.free_entropy, "sweep", "free entropy per N");
    write_series(group, "noise_var", trace.noise_variance, "sweep", "noise variance");
    write_series(group, "damping", trace.damping, "sweep", "share of the new fields");
    write_series(group, "objective", trace.objective, "sweep", "relative error |Y - W| / |Y|");
    write_overlap_trace(group, "M", trace.truth_overlap,
                        "Xhat^T X / N_a with the true factors X, in their order");
    write_overlap_trace(group, "Q", trace.self_overlap,
                        "Xhat^T Xhat / N_a, in the order of the truth");
}

FitTrace read_trace(const hdf5::Group& group) {
    return {read_series(group, "diff"),      read_series(group, "bethe"),
            read_series(group, "noise_var"), read_series(group, "damping"),
            read_series(group, "objective"), read_overlap_trace(group, "M"),
            read_overlap_trace(group, "Q")};
}

void write_restarts(hdf5::Group group, const FitRestarts& restarts) {
    write_series(group, "objective", restarts.objective, "restart", "what the best was chosen by");
    write_series(group, "similarity", restarts.similarity, "restart", "to the best");
    write_words(group, "status", restarts.status);
}

std::string text_attribute(const hdf5::Group& group, const char* name) {
    const auto text = group.text_attribute(name);
    if (!text) throw Error(concat(group.where(), ": attribute '", name, "' is missing"));
    return *text;
}

double number_attribute(const hdf5::Group& group, const char* name) {
    const auto value = group.number_attribute(name);
    if (!value) throw Error(concat(group.where(), ": attribute '", name, "' is missing"));
    return *value;
}

bool flag_attribute(const hdf5::Group& group, const char* name, bool otherwise) {
    return group.number_attribute(name).value_or(otherwise ? 1 : 0) != 0;
}

void read_facts(const hdf5::Group& group, FitResult& fit) {
    fit.algorithm = text_attribute(group, "algorithm");
    fit.status = text_attribute(group, "status");
    fit.noise_variance = number_attribute(group, "noise_var");
    fit.noise_variance_learned = flag_attribute(group, "noise_var_learned", false);
    fit.bethe_free_entropy = group.number_attribute("bethe_free_entropy");
    fit.elbo = group.number_attribute("elbo");
    fit.objective = group.number_attribute("objective");
    fit.explained_variance = number_attribute(group, "explained_variance");
    const double iterations = number_attribute(group, "iterations");
    fit.iterations = iterations >= 0 && iterations < 1e9 ? static_cast<int>(iterations) : 0;
    const std::string seed = group.text_attribute("seed").value_or("0");
    fit.seed = std::strtoull(seed.c_str(), nullptr, 10);
    fit.denoiser_exact = flag_attribute(group, "denoiser_exact", true);
    fit.mode_names = read_words(group, "modes");
    fit.priors = read_words(group, "priors");
    fit.priors_learned = flag_attribute(group, "priors_learned", false);
    fit.symmetric = flag_attribute(group, "symmetric", false);
    if (!group.has_attribute("signed_modes")) return;
    for (const double mode : group.numbers_attribute("signed_modes"))
        fit.signed_modes.push_back(mode >= 0 && mode < 8 ? static_cast<Index>(mode) : -1);
}

// What can be read as priors, but for those that name files of their own.
void check_priors(const FitResult& fit, const std::string& where) {
    for (const std::string& text : fit.priors) {
        if (starts_with(text, "discrete")) continue;
        try {
            static_cast<void>(parse_prior(text, fit.rank));
        } catch (const UsageError& e) {
            throw Error(concat(where, ": attribute 'priors': ", e.what()));
        }
    }
}

} // namespace

void write_fit(hdf5::Group group, const FitResult& fit) {
    check_fit(fit);
    write_facts(group, fit);
    write_factors(group.create_group("factors"), fit.factors, fit.mode_names,
                  "posterior mean, model units");
    for (Index a = 0; a < static_cast<Index>(fit.covariances.size()); ++a)
        write_square(group.create_group("posterior"), with_mode("cov_mode", a),
                     fit.covariances[at(a)], fit.rank,
                     fit.mode_names.empty() ? "index" : fit.mode_names.at(at(a)),
                     "posterior covariance of a row, model units");
    group.write("weights", fit.weights,
                {"component", "", "tensor ~ sum of weights times unit_factors"});
    write_factors(group.create_group("unit_factors"), fit.unit_factors, fit.mode_names,
                  "factor, columns of norm 1");
    if (fit.center.size() > 0) {
        group.set_attribute("center_mode", static_cast<std::int64_t>(fit.center_mode));
        group.write("center", fit.center, {"slice", "", "means that were taken off the data"});
    }
    if (fit.noise_mode >= 0) {
        group.set_attribute("noise_mode", static_cast<std::int64_t>(fit.noise_mode));
        group.write("slice_noise", fit.slice_noise,
                    {"slice", "", "noise variance of every slice of mode noise_mode"});
    }
    if (!fit.fields.field.empty()) write_fields(group.create_group("fields"), fit);
    if (fit.trace.change.size() + fit.trace.objective.size() > 0)
        write_trace(group.create_group("trace"), fit.trace);
    if (fit.restarts.objective.size() > 0)
        write_restarts(group.create_group("restarts"), fit.restarts);
}

FitResult read_fit(const hdf5::Group& group) {
    FitResult fit;
    read_facts(group, fit);
    fit.factors = read_factors(group.group("factors"));
    for (const MatrixXd& factor : fit.factors) fit.shape.push_back(factor.rows());
    fit.rank = fit.factors.front().cols();
    if (!fit.mode_names.empty() && fit.mode_names.size() != fit.shape.size())
        throw Error(group.where() + ": 'modes' names not as many modes as there are factors");
    const auto order = static_cast<Index>(fit.shape.size());
    if (group.has_group("posterior"))
        for (Index a = 0; a < order; ++a)
            fit.covariances.push_back(
                read_square(group.group("posterior").dataset(with_mode("cov_mode", a)), fit.rank));
    set_unit_form(fit);
    if (group.has_dataset("center")) {
        const double mode = number_attribute(group, "center_mode");
        fit.center_mode =
            mode >= -1 && mode < static_cast<double>(order) ? static_cast<Index>(mode) : order;
        fit.center = read_series(group, "center");
    }
    if (group.has_dataset("slice_noise")) {
        const double mode = number_attribute(group, "noise_mode");
        fit.noise_mode =
            mode >= 0 && mode < static_cast<double>(order) ? static_cast<Index>(mode) : order;
        fit.slice_noise = read_series(group, "slice_noise");
    }
    if (group.has_group("fields")) fit.fields = read_fields(group.group("fields"), order, fit.rank);
    if (group.has_group("trace")) fit.trace = read_trace(group.group("trace"));
    if (group.has_group("restarts")) {
        const hdf5::Group restarts = group.group("restarts");
        fit.restarts = {read_series(restarts, "objective"), read_series(restarts, "similarity"),
                        read_words(restarts, "status")};
    }
    at_place(group.where(), [&] { check_fit(fit); });
    check_priors(fit, group.where());
    return fit;
}

} // namespace assay::tensor_amp

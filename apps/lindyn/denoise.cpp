// lindyn denoise: a matrix by its shrunk singular values.
#include "commands.hpp"
#include "noise_input.hpp"
#include "problem_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/generalization_io.hpp>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

struct Options {
    ProblemOptions problem;
    std::string noise_unit = "auto";
    ShrinkageLoss loss = ShrinkageLoss::frobenius;
};

const std::vector<std::pair<std::string, ShrinkageLoss>>& losses() {
    static const std::vector<std::pair<std::string, ShrinkageLoss>> list{
        {"frobenius", ShrinkageLoss::frobenius},
        {"operator", ShrinkageLoss::operator_norm},
        {"nuclear", ShrinkageLoss::nuclear}};
    return list;
}

std::string name_of(ShrinkageLoss wanted) {
    for (const auto& [name, loss] : losses())
        if (loss == wanted) return name;
    return "";
}

// A matrix of a file as the problem of learning it from one-hot items.
Problem matrix_problem(const hdf5::Dataset& dataset, const ProblemOptions& o) {
    ProblemOptions rest = o;
    rest.modes = {};
    if (any_chosen(rest) || o.statistics != Normalisation::mean)
        throw UsageError("--whiten, --one-hot, --statistics and --precision are for samples, not "
                         "for a matrix");
    Statistics s;
    s.syx = dataset.expect_numeric().expect_rank(2).read_matrix();
    s.input_scale = 1;
    at_place(dataset.where(), [&] { check_statistics(s); });
    s.output_power = s.syx.squaredNorm();
    return make_problem(std::move(s), false, o.modes);
}

bool is_matrix(cli::Context& context) {
    const std::string path = context.input_address().path;
    return !path.empty() && context.input().root().has_dataset(path);
}

void run(const Options& o, cli::Context& context) {
    const bool matrix = is_matrix(context);
    const Problem problem =
        matrix ? matrix_problem(context.input().root().dataset(context.input_address().path),
                                o.problem)
               : load_problem(context, o.problem);
    const double unit = need_noise_unit(context, o.noise_unit, problem, 0);
    const Denoised result =
        at_place(context.input_address().name(), [&] { return denoise(problem, unit, o.loss); });
    warn_of_signals(context, result.noise, problem);
    write_denoised(context.output().create_group("/lindyn/denoise"), result, name_of(o.loss));
    context.report("noise unit", unit);
    context.report("kept", static_cast<std::int64_t>((result.shrunk.array() > 0).count()),
                   concat("of ", result.s.size(), " singular values"));
    context.report("expected error", result.expected_error, "|W - W*|^2 / |W*|^2");
    const auto target = read_target_map(context.input().root());
    if (!target || target->rows() != result.map.rows() || target->cols() != result.map.cols())
        return;
    context.report("error", (result.map - *target).squaredNorm() / target->squaredNorm(),
                   "against /truth/W");
}

} // namespace

cli::Command denoise() {
    auto o = std::make_shared<Options>();
    cli::Command c("denoise", "a low-rank matrix out of noise, by shrinking singular values");
    c.describe("The map that the data's correlations hold, or any matrix, with each singular value "
               "replaced by the one of least expected error: what no gradient descent from small "
               "weights can do better.");
    c.input("result of modes, data, or FILE:/matrix");
    c.output(cli::OutputKind::hdf5, {{"/lindyn/denoise/W", "the matrix"},
                                     {"/lindyn/denoise/singular_values, shrunk", "of each mode"}});
    declare_problem(c, o->problem, Whitening::offered);
    declare_noise(c, o->noise_unit);
    c.group("Estimate");
    c.choice<ShrinkageLoss>("--loss", o->loss, losses(), "norm of the error that is to be least");
    c.example("The map of a data set", "lindyn denoise samples.h5 --whiten -o W.h5");
    c.example("Any matrix", "lindyn denoise scan.h5:/image --noise-unit 0.4 -o clean.h5");
    c.reference("gavish2017");
    c.reference("lampinen2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app

// lindyn induct: what a network infers from one new fact.
#include "commands.hpp"
#include "development_input.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/lindyn/development_io.hpp>

#include <cmath>
#include <limits>
#include <optional>

namespace lindyn_app {
namespace {

using namespace assay;
using namespace assay::lindyn;

struct Options {
    DevelopmentOptions course;
    std::optional<Index> item, feature;
    std::string step = "end";
};

// The moment nearest to the one asked for.
Index moment_of(const Options& o, const Development& d) {
    if (o.step == "end") return d.end();
    const auto wanted = parse_double(o.step);
    if (!wanted || !(*wanted >= d.time()(0)) || !(*wanted <= d.time()(d.end() - 1)))
        throw UsageError(concat("option '--step': found '", printable(o.step, 40),
                                "'; end, or from ", d.time()(0), " to ", d.time()(d.end() - 1),
                                ", is expected"));
    Index nearest = 0;
    (d.time().array() - *wanted).abs().minCoeff(&nearest);
    return nearest;
}

void check_index(const std::string& option, const std::optional<Index>& found, Index count) {
    if (found && *found >= count)
        throw UsageError(concat("option '", option, "': found ", *found, "; from 0 to ", count - 1,
                                " is expected"));
}

std::string listed(const Vector& values) {
    std::vector<std::string> texts;
    for (Index i = 0; i < std::min<Index>(values.size(), 8); ++i)
        texts.push_back(significant(values(i), 4));
    if (values.size() > 8) texts.emplace_back("...");
    return join(texts, " ");
}

void run(const Options& o, cli::Context& context) {
    if (!o.item && !o.feature) throw UsageError("--item or --feature, or both, are expected");
    const Course course = load_course(context, o.course);
    const Development& d = *course.development;
    check_index("--item", o.item, d.items());
    check_index("--feature", o.feature, d.features());
    const Index moment = moment_of(o, d);
    const double time =
        moment == d.end() ? std::numeric_limits<double>::quiet_NaN() : d.time()(moment);
    Vector property, credit;
    if (o.item) property = projection(d.item_points(moment)).row(*o.item).transpose();
    if (o.feature) credit = projection(d.feature_points(moment)).row(*o.feature).transpose();
    write_induction(context.output().create_group("/lindyn/induct"), o.item.value_or(-1), property,
                    o.feature.value_or(-1), credit, time, course.unit);
    context.report("time",
                   moment == d.end() ? std::string("end of learning") : significant(time, 6),
                   moment == d.end() ? "" : course.unit);
    if (o.item) context.report("property", listed(property), "of each item");
    if (o.feature) context.report("features", listed(credit), "credited to the new item");
}

} // namespace

cli::Command induct() {
    auto o = std::make_shared<Options>();
    cli::Command c("induct", "what a network infers from one new fact");
    c.describe("A new property is taught for one item by changing the new weights only: other "
               "items get it by their similarity to that item in the hidden layer. A new item is "
               "known to have one feature: it is credited with others by the similarity of "
               "features. Sources as for develop.");
    c.input("data, result of modes or predict, or run (--run)");
    c.output(cli::OutputKind::hdf5, {{"/lindyn/induct/property", "credit of each item"},
                                     {"/lindyn/induct/feature_credit", "of each feature"}});
    c.group("Fact");
    c.option("--item", o->item, "I", "that the new property is taught for, from 0")
        .default_text("none")
        .range(0);
    c.option("--feature", o->feature, "M", "that the new item is known to have, from 0")
        .default_text("none")
        .range(0);
    c.option("--step", o->step, "T", "when, in the unit of the source's time, or end");
    declare_development(c, o->course);
    c.example("What salmon and oak get of a property of the canary",
              "lindyn synth canary | lindyn induct --item 0 --feature 1 -o induction.h5");
    c.reference("saxe2019");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace lindyn_app

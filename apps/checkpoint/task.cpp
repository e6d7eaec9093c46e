// checkpoint task: built-in data sets with their truth.
#include "commands.hpp"
#include "sources.hpp"

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/training/run_io.hpp>
#include <assay/training/task.hpp>

#include <nlohmann/json.hpp>

namespace checkpoint_app {
namespace {

using namespace assay;

struct Options {
    std::int64_t samples = 1024, test = 512;
    std::string preset;
    std::vector<std::string> set;
    training::Precision precision = training::Precision::float64;
    std::uint64_t seed = 0;
};

std::string catalogue_text() {
    std::string text;
    for (const auto& task : training::task_catalogue()) {
        text += task.name + ": " + task.summary + "\n";
        for (const auto& p : task.parameters)
            text += "    " + p.name + "=" + p.value + "  " + p.description + "\n";
        for (const auto& p : task.presets)
            text += "    --preset " + p.name + "  " + p.description + "\n";
    }
    return text;
}

std::string catalogue_json() {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& task : training::task_catalogue()) {
        nlohmann::json parameters = nlohmann::json::array(), presets = parameters;
        for (const auto& p : task.parameters)
            parameters.push_back(
                {{"name", p.name}, {"default", p.value}, {"description", p.description}});
        for (const auto& p : task.presets)
            presets.push_back(
                {{"name", p.name}, {"description", p.description}, {"values", p.values}});
        list.push_back({{"name", task.name},
                        {"summary", task.summary},
                        {"parameters", parameters},
                        {"presets", presets}});
    }
    return list.dump(1) + "\n";
}

training::TaskSettings settings_of(const Options& o, const std::string& name) {
    training::TaskSettings settings{name, o.preset, {}, o.seed};
    for (const auto& one : o.set) {
        const auto equals = one.find('=');
        if (equals == std::string::npos || equals == 0)
            throw UsageError("option '--set': found '" + printable(one, 40) +
                             "'; KEY=VALUE is expected");
        settings.values[one.substr(0, equals)] = one.substr(equals + 1);
    }
    return settings;
}

void run(const Options& o, cli::Context& context) {
    if (context.input_count() != 1)
        throw UsageError("the name of one task is expected; see --help");
    const auto made = training::make_task(settings_of(o, context.input_address().file));
    const auto storage = o.precision == training::Precision::float32 ? network::Storage::float32
                                                                     : network::Storage::float64;
    hdf5::Group data = context.output().create_group("/data");
    training::write_task_samples(data, *made, "train", o.samples, training::Stream::train, storage);
    if (o.test > 0)
        training::write_task_samples(data, *made, "test", o.test, training::Stream::test, storage);
    for (const auto& [name, value] : made->parameters()) data.set_attribute(name, value);
    data.set_attribute("task", context.input_address().file);
    training::write_truth(context.output().create_group("/truth"), *made);
    context.report("samples", o.samples, concat("and ", o.test, " of a test split"));
    context.report("loss", made->loss(), "(recommended)");
}

cli::Command catalogue() {
    cli::Command c("tasks", "list the built-in tasks and what can be set");
    auto json = std::make_shared<bool>(false);
    c.output(cli::OutputKind::document, {});
    c.flag("--as-json", *json, "for programs");
    c.run([json](cli::Context& context) {
        context.write_document(*json ? catalogue_json() : catalogue_text());
    });
    return c;
}

} // namespace

cli::Command tasks() {
    return catalogue();
}

cli::Command task() {
    auto o = std::make_shared<Options>();
    cli::Command c("task", "make a built-in data set with known truth");
    c.describe("Writes a training and a test split of one of the built-in tasks (checkpoint tasks "
               "lists them), with what is known exactly about it under /truth. Sample i depends on "
               "the seed and i only, however many are made.");
    c.inputs("NAME of the task");
    c.output(cli::OutputKind::hdf5, {{"/data/train/inputs", "(sample, ...)"},
                                     {"/data/train/targets", "values or classes"},
                                     {"/data/test/...", "from random numbers of their own"},
                                     {"/truth/...", "what is known exactly"}});
    c.group("Task");
    c.option("--samples", o->samples, "N", "of the training split").range(1, 1e9);
    c.option("--test", o->test, "N", "samples of the test split; 0: none").range(0, 1e9);
    c.option("--preset", o->preset, "NAME", "a preset of the task");
    add_repeated(c, "--set", o->set, "KEY=VALUE", "a parameter of the task");
    c.choice<training::Precision>(
        "--precision", o->precision,
        {{"float64", training::Precision::float64}, {"float32", training::Precision::float32}},
        "numbers in the file");
    c.seed(o->seed);
    c.example("Three-bit flip-flop", "checkpoint task flipflop --samples 500 -o flipflop.h5");
    c.example("Frequencies as in the literature",
              "checkpoint task sine --preset reference --samples 21 -o sine.h5");
    c.run([o](cli::Context& context) { run(*o, context); });
    return c;
}

} // namespace checkpoint_app

#include <assay/lindyn/simulation_io.hpp>

#include <assay/core/error.hpp>
#include <assay/lindyn/lindyn_io.hpp>
#include <assay/lindyn/study_records_io.hpp>
#include <assay/network/network_io.hpp>
#include <assay/training/config.hpp>
#include <assay/training/config_json.hpp>
#include <assay/training/run_io.hpp>

namespace assay::lindyn {
namespace {

// The resolved configuration with which `checkpoint train` would learn the same.
std::string training_json(const SimulationRecord& record, const SimulationFacts& facts,
                          const std::string& architecture) {
    training::TrainingConfig c;
    c.seed = facts.seed;
    c.precision = training::Precision::float64;
    c.architecture = architecture;
    c.data = facts.data;
    c.loss = "half_squared_error";
    c.full_batch = facts.batch_size == 0;
    if (!c.full_batch) c.batch_size = facts.batch_size;
    c.steps = record.steps.back();
    c.optimizer.learning_rate = facts.learning_rate;
    c.optimizer.momentum = facts.step.momentum;
    c.optimizer.weight_decay = facts.weight_decay;
    c.init = "file";
    c.checkpoints.kind = "list";
    c.checkpoints.list = record.steps;
    return training::config_json(c);
}

std::string numbered(const std::string& name, std::size_t number) {
    return name + std::to_string(number);
}

void write_layers(hdf5::Group group, const Layers& layers) {
    for (std::size_t l = 0; l < layers.size(); ++l)
        group.write(numbered("layer", l), layers[l], {"output,input", "", ""});
}

Layers read_stored_layers(const hdf5::Group& group) {
    Layers layers;
    for (std::size_t l = 0; group.has_dataset(numbered("layer", l)); ++l)
        layers.push_back(
            group.dataset(numbered("layer", l)).expect_rank(2).expect_numeric().read_matrix());
    return layers;
}

void write_state(hdf5::Group group, const SimulationState& state) {
    group.set_attribute("done", static_cast<std::int64_t>(state.done));
    group.set_attribute("recorded", static_cast<std::int64_t>(state.recorded));
    write_layers(group.create_group("layers"), state.layers);
    write_layers(group.create_group("velocities"), state.velocities);
    group.write("step", whole_numbers(state.record.steps), {"time", "", ""});
    group.write("loss", state.record.loss, {"time", "", ""});
    group.write("strength", state.record.strength, {"time,mode", "", ""});
    if (state.record.test_error.size() > 0)
        group.write("test_error", state.record.test_error, {"time", "", ""});
    for (std::size_t i = 0; i < state.kept.size(); ++i)
        write_layers(group.create_group(numbered("kept", i)), state.kept[i]);
}

SimulationState read_state(const hdf5::Group& group) {
    SimulationState state;
    state.done = static_cast<Index>(group.number_attribute("done").value_or(-1));
    state.recorded = static_cast<Index>(group.number_attribute("recorded").value_or(-1));
    state.layers = read_stored_layers(group.group("layers"));
    state.velocities = read_stored_layers(group.group("velocities"));
    const auto steps = group.dataset("step").expect_numeric().read<std::int64_t>();
    state.record.steps.assign(steps.begin(), steps.end());
    state.record.loss = group.dataset("loss").read_vector();
    state.record.strength = group.dataset("strength").expect_rank(2).read_matrix();
    if (group.has_dataset("test_error"))
        state.record.test_error = group.dataset("test_error").read_vector();
    const auto count = static_cast<Index>(steps.size());
    if (state.done < 0 || state.recorded < 0 || state.recorded > count ||
        state.record.loss.size() != count || state.record.strength.rows() != count)
        throw Error(group.where() + ": is no state of a simulation");
    for (std::size_t i = 0; group.has_group(numbered("kept", i)); ++i)
        state.kept.push_back(read_stored_layers(group.group(numbered("kept", i))));
    return state;
}

} // namespace

void write_simulation(hdf5::Group group, const SimulationStudy& study) {
    const bool part = study.part.count > 1;
    const SimulationFacts& facts = study.facts;
    group.set_attribute("method", facts.flow ? "flow" : "descent");
    group.set_attribute("learning_rate", facts.step.rate);
    group.set_attribute("momentum", facts.step.momentum);
    group.set_attribute("weight_decay", facts.step.decay);
    group.set_attribute("batch_size", static_cast<std::int64_t>(facts.batch_size));
    write_seed(group, facts.seed);
    if (part) group.set_attribute("repeats", static_cast<std::int64_t>(study.repeats));
    write_part(group, study.part);
    if (study.runs.empty()) return;
    const SimulationRecord& first = study.runs.begin()->second;
    const auto count = static_cast<Index>(study.runs.size()), times = first.loss.size();
    group.write("step", whole_numbers(first.steps), {"time", "", "updates made"});
    RowMatrix loss(count, times), error(count, first.test_error.size());
    std::vector<Matrix> strength;
    std::vector<std::int64_t> numbers;
    Index r = 0;
    for (const auto& [number, record] : study.runs) {
        numbers.push_back(number);
        loss.row(r) = record.loss.transpose();
        error.row(r++) = record.test_error.transpose();
        strength.push_back(record.strength);
    }
    if (part) group.write("repeat", numbers, {"repeat", "", "which of the whole"});
    group.write("loss", loss.data(), {count, times}, {"repeat,time", "", "half the squared error"});
    if (error.cols() > 0)
        group.write("test_error", error.data(), {count, times},
                    {"repeat,time", "", "|W - W*|^2 / |W*|^2 of /truth/W"});
    write_matrices(group, "strength", strength, {"repeat,time,mode", "", "a = u^T W v"});
}

SimulationStudy read_simulation(const hdf5::Group& group) {
    SimulationStudy study;
    SimulationFacts& facts = study.facts;
    facts.flow = group.text_attribute("method").value_or("") == "flow";
    facts.step = {number_attribute(group, "learning_rate"), number_attribute(group, "momentum"),
                  number_attribute(group, "weight_decay")};
    facts.batch_size = whole_attribute(group, "batch_size", 0);
    facts.seed = read_seed(group);
    study.repeats = whole_attribute(group, "repeats", 1);
    study.part = read_part(group);
    if (!group.has_dataset("repeat")) return study;
    const auto numbers = group.dataset("repeat").expect_numeric().read<std::int64_t>();
    const auto steps = group.dataset("step").expect_numeric().read<std::int64_t>();
    const RowMatrix loss = group.dataset("loss").expect_rank(2).read_matrix();
    const bool tested = group.has_dataset("test_error");
    const RowMatrix error =
        tested ? group.dataset("test_error").expect_rank(2).read_matrix() : RowMatrix();
    const hdf5::Dataset strength = group.dataset("strength").expect_rank(3);
    const auto count = static_cast<Index>(numbers.size()), times = static_cast<Index>(steps.size());
    const auto fits = [&](Index rows, Index cols) { return rows == count && cols == times; };
    if (!fits(loss.rows(), loss.cols()) || (tested && !fits(error.rows(), error.cols())) ||
        !fits(strength.shape()[0], strength.shape()[1]))
        throw Error(group.where() + ": arrays do not fit each other");
    for (Index r = 0; r < count; ++r) {
        SimulationRecord record;
        record.steps.assign(steps.begin(), steps.end());
        record.loss = loss.row(r).transpose();
        if (tested) record.test_error = error.row(r).transpose();
        RowMatrix own(times, strength.shape()[2]);
        strength.read_box<double>({r, 0, 0}, {1, times, own.cols()}, own.data());
        record.strength = own;
        study.runs[numbers[static_cast<std::size_t>(r)]] = std::move(record);
    }
    return study;
}

SimulationStudy merge_simulations(std::vector<SimulationStudy> parts) {
    std::vector<StudyPart> dealt;
    for (const SimulationStudy& part : parts) dealt.push_back(part.part);
    check_parts(dealt);
    SimulationStudy all{parts.front().facts, parts.front().repeats, {}, {}};
    for (SimulationStudy& part : parts) take_records(all.runs, part.runs, "repeat");
    check_complete(all.runs, all.repeats, "repeat");
    for (const auto& [number, record] : all.runs)
        if (record.steps != all.runs.begin()->second.steps ||
            record.strength.cols() != all.runs.begin()->second.strength.cols())
            throw Error(concat("repeat ", number, " is of other steps or modes"));
    return all;
}

SimulatedRun run_of(const Simulation& first, const SimulationFacts& facts) {
    const SimulationRecord& record = first.record();
    Vector epochs(record.loss.size());
    for (Index i = 0; i < epochs.size(); ++i)
        epochs(i) = static_cast<double>(record.steps[static_cast<std::size_t>(i)]) /
                    static_cast<double>(facts.epoch);
    return {training_json(record, facts, model_of(first.kept().back()).architecture),
            facts.learning_rate,
            record.steps,
            epochs,
            record.loss,
            first.kept(),
            facts.whitening};
}

void write_run(hdf5::Group root, const SimulatedRun& simulated) {
    network::write_model(root.create_group("/model"), model_of(simulated.kept.back()),
                         network::Storage::float64);
    hdf5::Group run = root.create_group("/run");
    run.write_text("training", simulated.training);
    run.set_attribute("finished", 1);
    run.set_attribute("stop_reason", "steps");
    run.set_attribute("rule", "bp");
    if (simulated.whitening) {
        run.set_attribute("whitened", 1);
        run.set_attribute("whitening", normalisation_name(*simulated.whitening));
    }
    run.write("steps", whole_numbers(simulated.steps),
              {"checkpoint", "", "steps of the checkpoints"});
    for (std::size_t i = 0; i < simulated.kept.size(); ++i) {
        const Index step = simulated.steps[i];
        hdf5::Group group = root.create_group("/run/checkpoints/" + training::step_name(step));
        group.set_attribute("step", static_cast<std::int64_t>(step));
        group.set_attribute("epoch", simulated.epochs(static_cast<Index>(i)));
        group.set_attribute("loss", simulated.loss(static_cast<Index>(i)));
        group.set_attribute("learning_rate", simulated.learning_rate);
        network::write_weights(group, model_of(simulated.kept[i]), network::Storage::float64);
    }
}

SimulatedRun read_run(const hdf5::Group& root) {
    const hdf5::Group run = root.group("/run");
    const auto training = run.read_text("training");
    if (!training) throw Error(run.where() + ": attribute 'training' is missing");
    SimulatedRun simulated;
    simulated.training = *training;
    simulated.whitening = run_whitening(run);
    simulated.steps = training::run_steps(run);
    simulated.loss.resize(static_cast<Index>(simulated.steps.size()));
    simulated.epochs.resize(simulated.loss.size());
    for (const Index step : simulated.steps) {
        const hdf5::Group group = root.group("/run/checkpoints/" + training::step_name(step));
        const auto i = static_cast<Index>(simulated.kept.size());
        simulated.epochs(i) = number_attribute(group, "epoch");
        simulated.loss(i) = number_attribute(group, "loss");
        simulated.learning_rate = number_attribute(group, "learning_rate");
        simulated.kept.push_back(read_layers(training::read_checkpoint(root, step)));
    }
    return simulated;
}

std::optional<Normalisation> run_whitening(const hdf5::Group& run) {
    if (!run.number_attribute("whitened")) return std::nullopt;
    return normalisation_of(run.text_attribute("whitening").value_or("mean"));
}

void write_states(hdf5::Group group, const std::vector<Simulation>& repeats) {
    for (std::size_t r = 0; r < repeats.size(); ++r)
        write_state(group.create_group(numbered("repeat", r)), repeats[r].state());
}

std::vector<SimulationState> read_states(const hdf5::Group& group) {
    std::vector<SimulationState> states;
    for (std::size_t r = 0; group.has_group(numbered("repeat", r)); ++r)
        states.push_back(read_state(group.group(numbered("repeat", r))));
    return states;
}

} // namespace assay::lindyn

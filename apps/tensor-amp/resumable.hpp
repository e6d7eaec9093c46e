// How long work of this tool is kept: one file of state, named after the subcommand and the shard.
#pragma once

#include "tensor_input.hpp"

#include <assay/cli/state_file.hpp>
#include <assay/core/error.hpp>
#include <assay/core/keeping.hpp>
#include <assay/core/monitor.hpp>
#include <assay/core/phase.hpp>
#include <assay/tensor_amp/state_io.hpp>

#include <string>

namespace tensor_amp_app {

inline assay::cli::StateFile state_file(assay::cli::Context& context, const std::string& name) {
    const assay::cli::Shard shard = context.shard();
    return {context,
            shard.count == 1 ? name : assay::concat(name, ".", shard.index, "-of-", shard.count)};
}

template <class State>
assay::Keeping<State> keeping_in(assay::cli::StateFile& file, double save_every) {
    return file.keeping<State>(assay::tensor_amp::read_state<State>,
                               assay::tensor_amp::write_state<State>, save_every);
}

// Looks through a tensor that is streamed, before all passes. An interruption leaves the state as
// it was.
template <class State>
void survey(LoadedTensor& tensor, const assay::Keeping<State>& keeping, assay::Monitor& monitor) {
    if (!tensor.survey) return;
    const State state = keeping.resume.value_or(State{});
    assay::SafePoints safe_points(keeping, monitor);
    safe_points.step([&]() -> const State& { return state; },
                     [&] {
                         assay::timed(monitor, "survey",
                                      [&] { tensor.centering = tensor.survey(monitor); });
                     });
}

} // namespace tensor_amp_app

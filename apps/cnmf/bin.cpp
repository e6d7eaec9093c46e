// cnmf bin: spike times to counts.
#include "commands.hpp"
#include "recording_input.hpp"

#include <assay/core/error.hpp>

namespace cnmf_app {

using namespace assay;

cli::Command bin() {
    auto o = std::make_shared<DataOptions>();
    cli::Command c("bin", "count spikes in time bins");
    c.describe("Reads spike times of NWB (/units), MATLAB (cells of times, or two vectors), HDF5 "
               "(two vectors) or CSV (unit,time) and "
               "writes counts. A spike at s lies in bin floor((s - start) / dt + 1e-9); start <= s "
               "< stop. Observation "
               "intervals, or trials with --trials, become segments. Below 5 % density the counts "
               "are written sparse.");
    c.input("file of spike times");
    c.output(cli::OutputKind::hdf5, {{"/data/X", "counts (unit, time), uint16, or a sparse group"},
                                     {"/data/segment_start", "first bin of each segment"},
                                     {"/data/segment_time", "when each starts in the session"},
                                     {"/data/unit_id", "the unit's number in its source"}});
    declare_source(c, o->recording);
    c.example("Spikes of an NWB file in bins of 20 ms",
              "cnmf bin session.nwb --dt 0.02 -o counts.h5");
    c.example("Two vectors of a MATLAB file",
              "cnmf bin session.mat --times /spk/Times --ids /spk/IDs --dt 0.01 -o counts.h5");
    c.run([o](cli::Context& context) {
        if (!o->recording.dt)
            throw UsageError(
                "option '--dt': its value is missing; the bin width in seconds is expected");
        const auto opened = open_input(context, context.input_address(), *o);
        if (!opened.counts) throw Error(opened.name + ": holds an array; spike times are expected");
        const hdf5::Group data = context.output().create_group("/data");
        const auto total =
            cnmf::write_counts(data, *opened.recording, opened.facts(), context.monitor());
        cnmf::write_warnings(data, context.warnings());
        context.report("units", static_cast<std::int64_t>(opened.recording->units()));
        context.report("bins", static_cast<std::int64_t>(opened.recording->bins()));
        context.report("segments",
                       static_cast<std::int64_t>(opened.recording->segment_start.size()));
        context.report("spikes counted", total);
        context.report("spikes outside", opened.outside);
        if (opened.silent > 0)
            context.report("silent units", static_cast<std::int64_t>(opened.silent),
                           o->recording.silent_units == formats::SilentUnits::keep ? "(kept)"
                                                                                   : "(left out)");
    });
    return c;
}

} // namespace cnmf_app

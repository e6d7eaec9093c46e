// What the machine and a scheduler grant: threads, and the part of an array job.
#pragma once

#include <assay/core/ranks.hpp>
#include <assay/hdf5/stream.hpp>

#include <string>

namespace assay::cli {

// The variable's value, "" where it is not set.
[[nodiscard]] std::string environment(const char* name);

// Threads to use: `requested` up to 16 (or the cores allowed, where there are more); for 0 what
// SLURM_CPUS_PER_TASK or OMP_NUM_THREADS say, never more than the cores allowed.
[[nodiscard]] int granted_threads(int requested);

// "I/N" of an array job of Slurm, SGE, PBS or LSF, counted from its smallest task; "" where there
// is none or its variables are incomplete or contradictory.
[[nodiscard]] std::string scheduler_shard();

[[nodiscard]] std::string host_name();
// Whether mpirun or a scheduler's like of it started this process.
[[nodiscard]] bool started_as_rank();
// Rank 0's stdin, for all ranks. Reading throws Error where it is closed or a terminal.
[[nodiscard]] ranks::FirstStream& standard_input();

[[nodiscard]] hdf5::StreamSettings stream_settings();

// Waiting threads sleep instead of spinning, so that programs that share cores (a job array, a
// pipe) do not slow each other down tenfold. The OpenMP runtime reads that from the environment
// before main; so the program is started once more with it set, unless the user has chosen or there
// is a single core. Costs some milliseconds; returns where nothing is to be done.
void wait_passively(char** argv);

} // namespace assay::cli

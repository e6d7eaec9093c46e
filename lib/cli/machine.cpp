#include <assay/cli/machine.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/descriptors.hpp>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

namespace assay::cli {
namespace {

// Whether the command line asks for one thread in so many words, or only for words about the tool.
bool needs_one_thread(char** argv) {
    static constexpr std::array<std::string_view, 10> kAlone{
        "--threads=1", "--help",      "-h",           "--help-all",     "--version",
        "--help-man",  "--help-json", "--completion", "--config-print", "__paths"};
    for (char** word = argv; *word != nullptr; ++word) {
        const std::string_view text = *word;
        if (std::find(kAlone.begin(), kAlone.end(), text) != kAlone.end()) return true;
        if (text == "--threads" && word[1] != nullptr && std::string_view(word[1]) == "1")
            return true;
    }
    return false;
}

using Number = std::optional<std::int64_t>;

Number number(const char* name) {
    return parse_integer(environment(name));
}

// Cores of the affinity mask, cut down by a cgroup's quota.
int allowed_cores() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    int cores = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
    std::ifstream limit("/sys/fs/cgroup/cpu.max");
    double quota = 0, period = 0;
    if (limit >> quota >> period && period > 0 && quota > 0)
        cores = std::min(cores, std::max(1, static_cast<int>(quota / period)));
    return std::max(1, cores);
}

// Task `id` of first, first + step, ... as I/count.
std::string part(const Number& id, const Number& first, const Number& count, const Number& step) {
    constexpr std::int64_t kMost = 1000000;
    if (!id || !first || !count || !step || *id < *first || *first < 0 || *count < 1 ||
        *count > kMost || *step < 1)
        return "";
    const std::int64_t behind = *id - *first;
    if (behind % *step != 0 || behind / *step >= *count) return "";
    return concat(behind / *step + 1, "/", *count);
}

// How many of first, first + step, ... reach up to `last`.
Number count_to(const Number& first, const Number& last, const Number& step) {
    if (!first || !last || !step || *step < 1 || *first < 0 || *last < *first) return std::nullopt;
    return (*last - *first) / *step + 1;
}

} // namespace

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

int granted_threads(int requested) {
    constexpr int kAlwaysGranted = 16; // so that a result can be checked with more threads anywhere
    const int cores = allowed_cores();
    if (requested > 0) return std::min(requested, std::max(cores, kAlwaysGranted));
    for (const char* name : {"SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"}) {
        // OpenMP's variable lists one number a level of nesting.
        const auto value = parse_integer(split(environment(name), ',').front());
        if (value && *value >= 1) return static_cast<int>(std::min<std::int64_t>(*value, cores));
    }
    return cores;
}

std::string scheduler_shard() {
    const Number one = 1;
    const auto step = [&](const char* name) {
        return environment(name).empty() ? one : number(name);
    };
    if (const auto slurm = part(number("SLURM_ARRAY_TASK_ID"), number("SLURM_ARRAY_TASK_MIN"),
                                number("SLURM_ARRAY_TASK_COUNT"), step("SLURM_ARRAY_TASK_STEP"));
        !slurm.empty())
        return slurm;
    const auto first = number("SGE_TASK_FIRST"), size = step("SGE_TASK_STEPSIZE");
    if (const auto sge = part(number("SGE_TASK_ID"), first,
                              count_to(first, number("SGE_TASK_LAST"), size), size);
        !sge.empty())
        return sge;
    // PBS states no count; a job script may (qsub -v PBS_ARRAY_COUNT=8 -J 1-8).
    if (const auto pbs = part(number("PBS_ARRAY_INDEX"), one, number("PBS_ARRAY_COUNT"), one);
        !pbs.empty())
        return pbs;
    const auto lsf_step = step("LSB_JOBINDEX_STEP");
    return part(number("LSB_JOBINDEX"), one, count_to(one, number("LSB_JOBINDEX_END"), lsf_step),
                lsf_step);
}

std::string host_name() {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return name.data();
}

bool started_as_rank() {
    for (const char* name :
         {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"})
        if (std::getenv(name) != nullptr) return true;
    return false;
}

ranks::FirstStream& standard_input() {
    static ranks::FirstStream stream([](char* bytes, std::size_t most) {
        if (isatty(STDIN_FILENO) != 0)
            throw Error("stdin: is a terminal; name an input file or connect a pipe");
        return hdf5::read_some(STDIN_FILENO, bytes, most, "stdin");
    });
    return stream;
}

hdf5::StreamSettings stream_settings() {
    hdf5::StreamSettings settings;
    if (const auto directory = environment("TMPDIR"); !directory.empty())
        settings.spill_directory = directory;
    return settings;
}

void wait_passively(char** argv) {
    if (allowed_cores() < 2 || needs_one_thread(argv) ||
        std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr)
        return;
    std::array<char, 4096> program{};
    const ssize_t length = readlink("/proc/self/exe", program.data(), program.size() - 1);
    // Started through the loader (ld.so PROGRAM), which would be started in its place.
    const std::string_view name(program.data(),
                                static_cast<std::size_t>(std::max<ssize_t>(0, length)));
    if (starts_with(name.substr(name.rfind('/') + 1), "ld-")) return;
    if (length <= 0 || setenv("OMP_WAIT_POLICY", "passive", 1) != 0) return;
    execv(program.data(), argv);
}

} // namespace assay::cli

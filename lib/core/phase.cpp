#include <assay/core/phase.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <ctime>
#include <utility>

namespace assay {
namespace {

double seconds_of(clockid_t clock) {
    std::timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

} // namespace

Phase::Phase(Monitor& monitor, std::string name)
    : monitor_(&monitor), name_(std::move(name)), wall_s_(seconds_of(CLOCK_MONOTONIC)),
      cpu_s_(seconds_of(CLOCK_PROCESS_CPUTIME_ID)) {}

Phase::~Phase() {
    const double wall = seconds_of(CLOCK_MONOTONIC) - wall_s_;
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_s_;
    monitor_->message(Level::debug, concat(name_, ": ", significant(wall, 3), " s (cpu ",
                                           significant(cpu, 3), " s)"));
}

void WithoutPhases::message(Level level, const std::string& text) {
    if (level != Level::debug) other_->message(level, text);
}

} // namespace assay

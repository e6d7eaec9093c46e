#include <assay/core/interruption.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace assay {
namespace {

volatile std::sig_atomic_t interruption_flag = 0;

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};

// When the first signal came, in nanoseconds; 0 before it.
std::atomic<std::int64_t> first_request{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free, "handlers may touch it");

std::int64_t monotonic_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{1000000000} * now.tv_sec + now.tv_nsec;
}

// The first signal asks. `timeout` and schedulers send it to the process and to its group, so what
// follows within a second is the same request; a later one of any of the three ends the program.
extern "C" void request_interruption(int signal) {
    constexpr std::int64_t same_request = 1000000000;
    interruption_flag = 1;
    const std::int64_t now = monotonic_now();
    std::int64_t none = 0;
    if (first_request.compare_exchange_strong(none, now) || now - none < same_request) return;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
    raise(signal);
}

// Without SA_RESTART: whoever waits for another process wakes up and looks at the flag. What the
// caller chose to ignore (nohup) stays ignored.
void handle(void (*handler)(int)) {
    for (const int signal : kSignals) {
        struct sigaction action {};
        sigaction(signal, nullptr, &action);
        if (action.sa_handler == SIG_IGN) continue;
        action.sa_handler = handler;
        action.sa_flags = 0;
        sigemptyset(&action.sa_mask);
        sigaction(signal, &action, nullptr);
    }
}

} // namespace

InterruptionGuard::InterruptionGuard() {
    interruption_flag = 0;
    first_request = 0;
    handle(request_interruption);
}

InterruptionGuard::~InterruptionGuard() {
    handle(SIG_DFL);
}

bool InterruptionGuard::requested() {
    return interruption_flag != 0;
}

} // namespace assay

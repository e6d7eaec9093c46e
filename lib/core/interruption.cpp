#include <assay/core/interruption.hpp>

#include <array>
#include <csignal>

namespace assay {
namespace {

volatile std::sig_atomic_t interruption_flag = 0;

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};

// The first signal asks; the next one of any of the three ends the program as usual.
extern "C" void request_interruption(int) {
    interruption_flag = 1;
    for (const int signal : kSignals) std::signal(signal, SIG_DFL);
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
    handle(request_interruption);
}

InterruptionGuard::~InterruptionGuard() {
    handle(SIG_DFL);
}

bool InterruptionGuard::requested() {
    return interruption_flag != 0;
}

} // namespace assay

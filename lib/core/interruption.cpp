#include <assay/core/interruption.hpp>

#include <csignal>

namespace assay {
namespace {

volatile std::sig_atomic_t interruption_flag = 0;

extern "C" void request_interruption(int signal_number) {
    interruption_flag = 1;
    if (signal_number == SIGINT) std::signal(SIGINT, SIG_DFL);
}

void handle(void (*handler)(int)) {
    std::signal(SIGINT, handler);
    std::signal(SIGTERM, handler);
    std::signal(SIGUSR1, handler);
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

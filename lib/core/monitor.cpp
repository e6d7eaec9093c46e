#include <assay/core/error.hpp>
#include <assay/core/monitor.hpp>

namespace assay {

void Monitor::message(Level, const std::string&) {}
void Monitor::progress(const Progress&) {}

void Monitor::stop_if_interrupted() const {
    if (interrupted()) throw Interrupted("interrupted");
}

Monitor& silent_monitor() {
    static Monitor monitor;
    return monitor;
}

} // namespace assay

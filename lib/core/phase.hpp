// A part of a command's work, timed: what takes how long, told to the monitor as Level::debug
// (shown at -vv).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>

#include <string>

namespace assay {

// From its making to its end: "read x.h5: 0.31 s (cpu 0.52 s)".
class ASSAY_API Phase {
  public:
    Phase(Monitor& monitor, std::string name);
    ~Phase();
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

  private:
    Monitor* monitor_;
    std::string name_;
    double wall_s_;
    double cpu_s_; // of all threads
};

} // namespace assay

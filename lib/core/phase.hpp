// A part of a command's work, timed: what takes how long, told to the monitor as Level::debug
// (shown at -vv).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>

#include <string>
#include <utility>

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

// Tells what another does except for phases: of many pieces of work only the whole has some.
class ASSAY_API WithoutPhases : public Monitor {
  public:
    explicit WithoutPhases(Monitor& other) : other_(&other) {}
    void message(Level level, const std::string& text) override;
    void progress(const Progress& progress) override { other_->progress(progress); }
    [[nodiscard]] bool interrupted() const override { return other_->interrupted(); }

  private:
    Monitor* other_;
};

// What `work` returns, its time told.
template <class Work>
auto timed(Monitor& monitor, std::string name, const Work& work) {
    const Phase phase(monitor, std::move(name));
    return work();
}

} // namespace assay

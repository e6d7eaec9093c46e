// What long work tells the outside and asks of it: messages, progress, and whether to stop.
// The library never prints; a program derives from Monitor (lib/cli does) or uses the silent
// default.
#pragma once

#include <assay/core/export.hpp>

#include <string>

namespace assay {

enum class Level { error, warning, info, detail, debug };

// How far work has come. `total` <= 0 means unknown.
struct Progress {
    double done = 0;
    double total = 0;
    std::string what;   // what is counted: "iterations"
    std::string status; // the quantity that matters: "loss 0.31262"
};

class ASSAY_API Monitor {
  public:
    virtual ~Monitor() = default;
    virtual void message(Level level, const std::string& text);
    virtual void progress(const Progress& progress);
    // True once the user or the scheduler has asked the program to stop.
    [[nodiscard]] virtual bool interrupted() const { return false; }

    void warn(const std::string& text) { message(Level::warning, text); }
    void info(const std::string& text) { message(Level::info, text); }
    void detail(const std::string& text) { message(Level::detail, text); }
    // Throws Interrupted at a safe point where nothing resumable would be lost.
    void stop_if_interrupted() const;
};

// The monitor that says nothing.
ASSAY_API Monitor& silent_monitor();

// How work runs, apart from what it computes: no result depends on it.
struct Execution {
    int threads = 1;
    Monitor* monitor = &silent_monitor();
};

} // namespace assay

// The monitor of a command-line program: messages, one progress line and the summary, all on
// stderr.
#pragma once

#include <assay/core/monitor.hpp>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

namespace assay::cli {

class TerminalMonitor : public Monitor {
  public:
    // `prefix` opens error lines: "cnmf fit".
    explicit TerminalMonitor(std::string prefix);
    void configure(bool quiet, int verbosity, bool strict);

    void message(Level level, const std::string& text) override;
    void progress(const Progress& progress) override;
    [[nodiscard]] bool interrupted() const override;

    void error(const std::string& text);
    void plain(const std::string& text); // a line without prefix, unless quiet
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
    [[nodiscard]] bool quiet() const { return quiet_; }

  private:
    using Clock = std::chrono::steady_clock;
    void write_line(const std::string& text);
    void erase_progress();
    std::string prefix_;
    bool quiet_ = false;
    bool strict_ = false;
    int verbosity_ = 0;
    bool on_terminal_ = false;
    bool progress_shown_ = false;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_shown_ = Clock::now();
    double next_log_minutes_ = 1;
    std::vector<std::string> warnings_;
    std::mutex mutex_;
};

// An error or warning as it is shown: one line, control characters replaced, the middle of long
// text left out.
[[nodiscard]] std::string one_line(const std::string& text);

// Columns of the terminal on stderr, 80 where there is none.
[[nodiscard]] int terminal_width();

} // namespace assay::cli

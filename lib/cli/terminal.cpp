#include <assay/cli/terminal.hpp>

#include <assay/core/error.hpp>
#include <assay/core/interruption.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace assay::cli {
namespace {

std::string duration_text(double seconds) {
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return concat(whole / 60, " min ", whole % 60, " s");
    return concat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

} // namespace

std::string one_line(const std::string& text) {
    constexpr std::size_t kMost = 240, kHead = 140, kTail = kMost - kHead - 3;
    if (text.size() <= kMost) return printable(text, kMost);
    const auto continues = [&](std::size_t i) {
        return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U; // inside a UTF-8 character
    };
    std::size_t head = kHead, tail = text.size() - kTail;
    while (head > 0 && continues(head)) --head;
    while (tail < text.size() && continues(tail)) ++tail;
    return printable(text.substr(0, head), kMost) + "..." + printable(text.substr(tail), kMost);
}

int terminal_width() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
    return 80;
}

TerminalMonitor::TerminalMonitor(std::string prefix)
    : prefix_(std::move(prefix)), on_terminal_(isatty(STDERR_FILENO) != 0) {}

void TerminalMonitor::configure(bool quiet, int verbosity, bool strict) {
    quiet_ = quiet;
    verbosity_ = verbosity;
    strict_ = strict;
}

void TerminalMonitor::write_line(const std::string& text) {
    erase_progress();
    std::fputs((text + "\n").c_str(), stderr);
}

void TerminalMonitor::erase_progress() {
    if (progress_shown_) std::fputs("\r\033[K", stderr);
    progress_shown_ = false;
}

void TerminalMonitor::message(Level level, const std::string& text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (level == Level::warning) {
        if (strict_) throw Error(text + " (a warning, and --strict is given)");
        if (std::find(warnings_.begin(), warnings_.end(), text) != warnings_.end()) return;
        warnings_.push_back(text);
    }
    const bool shown = level == Level::error || (level <= Level::info && !quiet_) ||
                       (level == Level::detail && verbosity_ >= 1) ||
                       (level == Level::debug && verbosity_ >= 2);
    if (!shown) return;
    if (level == Level::warning)
        write_line(one_line(prefix_ + ": warning: " + text));
    else if (level == Level::error)
        write_line(one_line(prefix_ + ": " + text));
    else
        write_line(prefix_ + ": " + text);
}

void TerminalMonitor::error(const std::string& text) {
    write_line(one_line(prefix_ + ": " + text));
}

void TerminalMonitor::plain(const std::string& text) {
    if (!quiet_) write_line(text);
}

bool TerminalMonitor::interrupted() const {
    return InterruptionGuard::requested();
}

// One redrawn line on a terminal after a second of work; in a log a line after 1, 2, 4, 8 ...
// minutes.
void TerminalMonitor::progress(const Progress& progress) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (quiet_) return;
    const auto now = Clock::now();
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double since_shown = std::chrono::duration<double>(now - last_shown_).count();
    if (on_terminal_ ? (elapsed < 1 || since_shown < 0.1) : elapsed < 60 * next_log_minutes_)
        return;
    std::string line = concat(static_cast<long long>(progress.done));
    if (progress.total > 0) line += concat("/", static_cast<long long>(progress.total));
    line += " " + progress.what;
    if (progress.done > 0 && elapsed > 0) {
        line += ", " + significant(progress.done / elapsed, 3) + "/s";
        if (progress.total > progress.done)
            line += ", at most " +
                    duration_text((progress.total - progress.done) * elapsed / progress.done) +
                    " left";
    }
    if (!progress.status.empty()) line += ", " + progress.status;
    last_shown_ = now;
    if (!on_terminal_) {
        next_log_minutes_ *= 2;
        write_line(prefix_ + ": " + line);
        return;
    }
    line.resize(std::min(line.size(), static_cast<std::size_t>(terminal_width() - 1)));
    std::fputs(("\r\033[K" + line).c_str(), stderr);
    progress_shown_ = true;
}

} // namespace assay::cli

#include <assay/core/allowed_threads.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace assay {
namespace {

using Eigen::Index;
using Body = std::function<void(Index, Index)>;

// More shares than threads even out what threads are slowed down by others.
constexpr Index kSharesAThread = 4;
// Looks at what a thread waits for before it sleeps: some 100 microseconds, longer than the gaps
// between the layers of a step.
constexpr int kLooks = 8192;

thread_local int threads_allowed = 1;

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

// Threads that wait until something that they see in atomics is ready.
class Waiting {
  public:
    template <class Ready>
    void until(Ready&& ready) {
        for (int look = 0; look < kLooks; ++look) {
            if (ready()) return;
            pause_briefly();
        }
        std::unique_lock<std::mutex> lock(mutex_);
        ++asleep_;
        changed_.wait(lock, ready);
        --asleep_;
    }
    // After the change.
    void wake() {
        if (asleep_ == 0) return;
        { const std::lock_guard<std::mutex> lock(mutex_); } // none is about to fall asleep
        changed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<int> asleep_{0};
};

// The threads that help one thread. (A team of OpenMP's waits at a barrier for all of its threads:
// on a busy machine for those too that others keep from running.)
class Team {
  public:
    Team() = default;
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;
    ~Team() {
        stop_ = true;
        helpers_wait_.wake();
        for (auto& helper : helpers_) helper.join();
    }
    void run(Index size, int threads, const Body& body) {
        hire(threads - 1);
        body_ = &body;
        size_ = size;
        shares_ = std::min(size, kSharesAThread * threads);
        failure_ = nullptr;
        wanted_ = threads - 1;
        unfinished_ = shares_;
        untaken_ = shares_; // from here on the others may take some
        helpers_wait_.wake();
        while (take_one()) {
        }
        caller_waits_.until([&] { return unfinished_ == 0; });
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    // Goes on with fewer where the system gives no more.
    void hire(int count) {
        try {
            while (static_cast<int>(helpers_.size()) < count)
                helpers_.emplace_back(
                    [this, number = static_cast<int>(helpers_.size())] { help(number); });
        } catch (const std::system_error&) {
            return;
        }
    }
    void help(int number) {
        while (true) {
            helpers_wait_.until([&] { return stop_ || (untaken_ > 0 && number < wanted_); });
            if (stop_) return;
            take_one();
        }
    }
    // What is read after a share is taken is of its call, which does not end before the share.
    bool take_one() {
        Index left = untaken_;
        while (left > 0 && !untaken_.compare_exchange_weak(left, left - 1)) {
        }
        if (left > 0) finish(left - 1);
        return left > 0;
    }
    void finish(Index share) {
        const Index first = share * size_ / shares_, end = (share + 1) * size_ / shares_;
        try {
            const AllowedThreads one(1);
            (*body_)(first, end - first);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!failure_ || share < failed_) {
                failed_ = share;
                failure_ = std::current_exception();
            }
        }
        if (--unfinished_ == 0) caller_waits_.wake();
    }

    std::vector<std::thread> helpers_;
    Waiting helpers_wait_, caller_waits_;
    std::atomic<bool> stop_{false};
    std::atomic<int> wanted_{0}; // helpers
    std::atomic<Index> untaken_{0}, unfinished_{0};
    const Body* body_ = nullptr;
    Index size_ = 0, shares_ = 0;
    std::mutex mutex_; // of the failure
    std::exception_ptr failure_;
    Index failed_ = 0;
};

} // namespace

AllowedThreads::AllowedThreads(int threads) : before_(threads_allowed) {
    threads_allowed = std::max(1, threads);
}
AllowedThreads::~AllowedThreads() {
    threads_allowed = before_;
}
int allowed_threads() {
    return threads_allowed;
}

void run_shares(Index size, const Body& body) {
    thread_local Team team;
    team.run(size, threads_allowed, body);
}

} // namespace assay

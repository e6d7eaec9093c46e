// Processes that work on one command together, as mpirun starts them (ASSAY_MPI). Rank 0 reads
// standard input, writes and reports; a result has the bytes that one process gives. Built without
// MPI, or started alone, there is one rank, and nothing here costs anything. Calls are for one
// thread (MPI_THREAD_FUNNELED), and every rank makes them in the same order.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace assay::ranks {

// MPI from its start to its end, where `start`; lives in main.
class ASSAY_API Session {
  public:
    Session(int argc, char** argv, bool start);
    ~Session(); // NOLINT(performance-trivially-destructible): with MPI it ends that
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
};

// Whether this build knows MPI at all.
[[nodiscard]] ASSAY_API bool available();
// 0 .. count() - 1.
[[nodiscard]] ASSAY_API int rank();
[[nodiscard]] ASSAY_API int count();
[[nodiscard]] inline bool first() {
    return rank() == 0;
}

// From here on rank 0 works as one process does: count() is 1; the others have only to end.
ASSAY_API void leave_to_first();

// How work went, as one rank tells it to others.
enum class Outcome : char { done, interrupted, wrong_usage, out_of_memory, failed };
struct Report {
    Outcome outcome = Outcome::done;
    std::string text;
};
[[nodiscard]] ASSAY_API Report report_of(const std::function<void()>& work);
// Throws what the work threw: UsageError, Interrupted, bad_alloc, else Error; nothing where done.
ASSAY_API void raise(const Report& report);

// The bytes that rank 0 gives, at every rank.
[[nodiscard]] ASSAY_API std::string broadcast(std::string bytes);
// What `make` returns at rank 0, at every rank; what it throws is thrown at every rank (raise()).
[[nodiscard]] ASSAY_API std::string from_first(const std::function<std::string()>& make);
// The bytes of all ranks in their order, at rank 0; nothing elsewhere.
[[nodiscard]] ASSAY_API std::vector<std::string> gather(const std::string& bytes);
// The end of a rank's work: waits until all ranks are here, at most so long; false where some are
// not.
ASSAY_API bool meet(double seconds);
// Ends all ranks at once.
[[noreturn]] ASSAY_API void abort(int status);

// A stream that rank 0 reads, at every rank, in blocks. What has been read at one rank is in step
// with the others only after pass_over(), which a rank must call before other calls of this module
// where ranks may have stopped reading at different places.
class ASSAY_API FirstStream {
  public:
    // `read`: at most so many bytes, 0 at the end.
    using Read = std::function<std::size_t(char* bytes, std::size_t most)>;
    explicit FirstStream(Read read) : read_(std::move(read)) {}
    // The same; throws what rank 0 met with.
    std::size_t read(char* bytes, std::size_t most);
    // What is left is read by no one: rank 0 says so, the others take what it still sends.
    void pass_over();

  private:
    void next_block();
    Read read_;
    std::string block_;
    std::size_t taken_ = 0; // of the block
    bool ended_ = false;
};

// While one lives, the functions below join the ranks' work; otherwise a rank works alone, as ranks
// with different tasks do.
class ASSAY_API Together {
  public:
    Together();
    ~Together();
    Together(const Together&) = delete;
    Together& operator=(const Together&) = delete;
};

// Suspends it: each rank for itself.
class ASSAY_API Apart {
  public:
    Apart();
    ~Apart();
    Apart(const Apart&) = delete;
    Apart& operator=(const Apart&) = delete;

  private:
    int suspended_;
};
// Ranks that work together now: count() under Together, else 1.
[[nodiscard]] ASSAY_API int team();

// The rank that does `piece` of `pieces`, in runs of equal length up to one; and whether it is this
// one.
[[nodiscard]] ASSAY_API int owner(Eigen::Index piece, Eigen::Index pieces);
[[nodiscard]] ASSAY_API bool mine(Eigen::Index piece, Eigen::Index pieces);

// Memory that its owner has filled and the others are to have, of the same size everywhere.
struct Filled {
    void* data = nullptr;
    std::size_t bytes = 0;
    int owner = 0;
};
// After it every rank has the bytes of all owners: what follows is the same sum in the same order
// everywhere.
ASSAY_API void exchange(const std::vector<Filled>& pieces);

// After it all ranks of the team go on, or all throw what the first of them met with, an
// interruption before errors.
ASSAY_API void raise_any(const Report& mine);

// The bytes of all ranks in their order, at every rank.
[[nodiscard]] ASSAY_API std::vector<std::string> gather_all(const std::string& bytes);

// Whether any rank says so: all ranks take the same turn.
[[nodiscard]] ASSAY_API bool any(bool here);

// Asks all ranks of the team: what is to stop one stops all at the same place. Tells its own rank.
class ASSAY_API AgreedMonitor : public Monitor {
  public:
    explicit AgreedMonitor(Monitor& own) : own_(own) {}
    void message(Level level, const std::string& text) override { own_.message(level, text); }
    void progress(const Progress& progress) override { own_.progress(progress); }
    [[nodiscard]] bool interrupted() const override { return any(own_.interrupted()); }

  private:
    Monitor& own_;
};

} // namespace assay::ranks

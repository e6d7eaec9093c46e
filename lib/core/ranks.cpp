#include <assay/core/ranks.hpp>

#include <assay/core/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <thread>

#ifdef ASSAY_HAVE_MPI
#include <mpi.h>
#endif

namespace assay::ranks {
namespace {

int this_rank = 0;
int all_ranks = 1;
int togethers = 0;

} // namespace

int rank() {
    return this_rank;
}
int count() {
    return all_ranks;
}

Together::Together() {
    ++togethers;
}
Together::~Together() {
    --togethers;
}

Apart::Apart() : suspended_(togethers) {
    togethers = 0;
}
Apart::~Apart() {
    togethers = suspended_;
}

int team() {
    return togethers > 0 ? all_ranks : 1;
}

std::vector<std::string> gather_all(const std::string& bytes) {
    if (team() == 1) return {bytes};
    std::vector<std::string> all = gather(bytes);
    all.resize(static_cast<std::size_t>(all_ranks));
    for (std::string& one : all) one = broadcast(std::move(one));
    return all;
}

int owner(Eigen::Index piece, Eigen::Index pieces) {
    const Eigen::Index n = team();
    // Rank r does the pieces from pieces r / n on.
    return n == 1 ? rank() : static_cast<int>(((piece + 1) * n - 1) / pieces);
}

bool mine(Eigen::Index piece, Eigen::Index pieces) {
    return owner(piece, pieces) == rank();
}

void leave_to_first() {
    all_ranks = 1;
}

Report report_of(const std::function<void()>& work) {
    try {
        work();
        return {};
    } catch (const UsageError& e) {
        return {Outcome::wrong_usage, e.what()};
    } catch (const Interrupted& e) {
        return {Outcome::interrupted, e.what()};
    } catch (const std::bad_alloc&) {
        return {Outcome::out_of_memory, "memory ran out"};
    } catch (const std::exception& e) {
        return {Outcome::failed, e.what()};
    }
}

void raise(const Report& report) {
    switch (report.outcome) {
    case Outcome::done:
        return;
    case Outcome::interrupted:
        throw Interrupted(report.text);
    case Outcome::wrong_usage:
        throw UsageError(report.text);
    case Outcome::out_of_memory:
        throw std::bad_alloc();
    default:
        throw Error(report.text);
    }
}

namespace {

// As bytes: the outcome, then the text.
std::string told(const Report& report) {
    return std::string(1, static_cast<char>(report.outcome)) + report.text;
}
Report heard(std::string bytes) {
    const auto outcome = static_cast<Outcome>(bytes.front());
    bytes.erase(0, 1);
    return {outcome, std::move(bytes)};
}

} // namespace

std::string from_first(const std::function<std::string()>& make) {
    if (all_ranks == 1) return make();
    std::string answer;
    if (first()) {
        const Report report = report_of([&] { answer = told({Outcome::done, make()}); });
        if (report.outcome != Outcome::done) answer = told(report);
    }
    Report report = heard(broadcast(std::move(answer)));
    raise(report);
    return std::move(report.text);
}

void raise_any(const Report& mine) {
    Report found;
    for (const std::string& bytes : gather_all(told(mine))) {
        const Report report = heard(bytes);
        const bool first = found.outcome == Outcome::done;
        // What failed because of an interruption says less than it.
        const bool stopped = report.outcome == Outcome::interrupted;
        if (first || (stopped && found.outcome != Outcome::interrupted)) found = report;
    }
    raise(found);
}

void FirstStream::next_block() {
    constexpr std::size_t kBlock = std::size_t{1} << 20U;
    taken_ = 0;
    block_.clear();
    ended_ = true; // also where it fails
    block_ = from_first([&] {
        std::string bytes(kBlock, '\0');
        bytes.resize(read_(bytes.data(), bytes.size()));
        return bytes;
    });
    ended_ = block_.empty();
}

std::size_t FirstStream::read(char* bytes, std::size_t most) {
    if (taken_ == block_.size() && !ended_) next_block();
    const std::size_t given = std::min(most, block_.size() - taken_);
    std::copy_n(block_.data() + taken_, given, bytes);
    taken_ += given;
    return given;
}

void FirstStream::pass_over() {
    if (all_ranks > 1 && first() && !ended_)
        static_cast<void>(broadcast(told({Outcome::failed, "stdin: was not read to its end"})));
    try {
        while (all_ranks > 1 && !first() && !ended_) next_block();
    } catch (const std::exception&) { // told by rank 0
    }
    block_.clear();
    taken_ = 0;
    ended_ = true;
}

#ifdef ASSAY_HAVE_MPI

namespace {

constexpr std::size_t kMessage = std::size_t{1} << 30U; // MPI counts in int
bool have_met = false;
MPI_Comm meeting = MPI_COMM_NULL; // of its own: others may wait in another call

void broadcast_bytes(char* bytes, std::size_t size, int root) {
    for (std::size_t at = 0; at < size; at += kMessage)
        MPI_Bcast(bytes + at, static_cast<int>(std::min(kMessage, size - at)), MPI_BYTE, root,
                  MPI_COMM_WORLD);
}

} // namespace

Session::Session(int argc, char** argv, bool start) {
    if (!start) return;
    int provided = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &this_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &all_ranks);
    MPI_Comm_dup(MPI_COMM_WORLD, &meeting);
}

Session::~Session() {
    if (meeting == MPI_COMM_NULL) return;
    // Asleep, until the last has done its work.
    static_cast<void>(meet(std::numeric_limits<double>::infinity()));
    MPI_Comm_free(&meeting);
    MPI_Finalize();
}

bool available() {
    return true;
}

std::string broadcast(std::string bytes) {
    if (all_ranks == 1) return bytes;
    auto size = static_cast<unsigned long long>(bytes.size());
    MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, MPI_COMM_WORLD);
    bytes.resize(size);
    broadcast_bytes(bytes.data(), bytes.size(), 0);
    return bytes;
}

std::vector<std::string> gather(const std::string& bytes) {
    if (all_ranks == 1) return {bytes};
    const auto mine = static_cast<unsigned long long>(bytes.size());
    std::vector<unsigned long long> sizes(static_cast<std::size_t>(all_ranks));
    MPI_Gather(&mine, 1, MPI_UNSIGNED_LONG_LONG, sizes.data(), 1, MPI_UNSIGNED_LONG_LONG, 0,
               MPI_COMM_WORLD);
    const auto piece = [](std::size_t size, std::size_t at) {
        return static_cast<int>(std::min(kMessage, size - at));
    };
    if (!first()) {
        for (std::size_t at = 0; at < bytes.size(); at += kMessage)
            MPI_Send(bytes.data() + at, piece(bytes.size(), at), MPI_BYTE, 0, 0, MPI_COMM_WORLD);
        return {};
    }
    std::vector<std::string> all{bytes};
    for (int r = 1; r < all_ranks; ++r) {
        std::string other(sizes[static_cast<std::size_t>(r)], '\0');
        for (std::size_t at = 0; at < other.size(); at += kMessage)
            MPI_Recv(other.data() + at, piece(other.size(), at), MPI_BYTE, r, 0, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        all.push_back(std::move(other));
    }
    return all;
}

bool meet(double seconds) {
    if (meeting == MPI_COMM_NULL || have_met) return true;
    MPI_Request request{};
    MPI_Ibarrier(meeting, &request);
    const auto start = std::chrono::steady_clock::now();
    for (;;) {
        int done = 0;
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done != 0) return have_met = true;
        const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
        if (waited.count() > seconds) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

void abort(int status) {
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
}

void exchange(const std::vector<Filled>& pieces) {
    if (team() == 1) return;
    for (const Filled& piece : pieces)
        broadcast_bytes(static_cast<char*>(piece.data), piece.bytes, piece.owner);
}

bool any(bool here) {
    if (team() == 1) return here;
    int said = here ? 1 : 0;
    MPI_Allreduce(MPI_IN_PLACE, &said, 1, MPI_INT, MPI_LOR, MPI_COMM_WORLD);
    return said != 0;
}

#else

Session::Session(int, char**, bool) {}
Session::~Session() = default;

bool available() {
    return false;
}
std::string broadcast(std::string bytes) {
    return bytes;
}
std::vector<std::string> gather(const std::string& bytes) {
    return {bytes};
}
bool meet(double) {
    return true;
}
void abort(int status) {
    std::_Exit(status);
}
void exchange(const std::vector<Filled>&) {}
bool any(bool here) {
    return here;
}

#endif

} // namespace assay::ranks

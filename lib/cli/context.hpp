// What a running command has at hand: its input and output files, how to run, and where to report.
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/monitor.hpp>
#include <assay/hdf5/stream.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay::cli {

struct Declaration;
class TerminalMonitor;

// Values of the options that every command shares.
struct SharedOptions {
    int threads = 0; // 0: what the scheduler or the machine grants
    std::vector<std::string> inputs;
    std::string output;
    std::string config;
    std::string json;
    hdf5::Compression compress = hdf5::Compression::automatic;
    std::int64_t stream_memory = hdf5::StreamSettings{}.memory_bytes;
    std::string provenance = "short";
    std::vector<std::string> carry;
    std::string state;
    std::string shard;
    bool config_print = false, quiet = false, strict = false, force = false, resume = false,
         no_provenance = false;
    bool no_state = false; // nothing is kept, whatever the output's name
    int verbosity = 0;
};

// Part I of N, counted from 1.
struct Shard {
    int index = 1;
    int count = 1;
};

// A number, a word, a list of numbers or counts, or counts by name (kept in their order).
using SummaryCounts = std::vector<std::pair<std::string, std::int64_t>>;
using SummaryValue = std::variant<double, std::int64_t, std::string, std::vector<double>,
                                  std::vector<std::int64_t>, SummaryCounts>;
struct SummaryLine {
    std::string label; // "relative loss"; its JSON key has underscores
    SummaryValue value;
    std::string note; // unit or error, shown behind the value
};

class ASSAY_API Context {
  public:
    Context(const Declaration& declaration, SharedOptions shared, TerminalMonitor& monitor,
            hdf5::StreamSettings streams, std::string config);
    ~Context();

    [[nodiscard]] const Execution& execution() const { return execution_; }
    [[nodiscard]] Monitor& monitor() const { return *execution_.monitor; }

    // The input's address ("-" by default), and its file opened on first use.
    [[nodiscard]] hdf5::Address input_address(std::size_t index = 0) const;
    // For commands with several inputs: without any, the stream is the one.
    void need_input();
    [[nodiscard]] std::size_t input_count() const { return shared_.inputs.size(); }
    hdf5::InputFile& input(std::size_t index = 0);
    // Another HDF5 file that the step reads; a file already open (also by the address "-") is
    // opened once. Opened files are digested for provenance, and carried forward when the step has
    // an output.
    hdf5::InputFile& open(const hdf5::Address& address);
    // Whether an address names an HDF5 file (the stream always does).
    [[nodiscard]] static bool is_hdf5(const hdf5::Address& address);
    // Records an input file of a foreign kind.
    void note_foreign(const std::string& file);

    [[nodiscard]] bool has_output() const { return !shared_.output.empty(); }
    [[nodiscard]] const std::string& output_target() const { return shared_.output; }
    [[nodiscard]] bool writes_to_stdout() const;
    hdf5::Group output();
    void write_document(const std::string& content) const;
    [[nodiscard]] hdf5::Existing existing() const;
    // Of the output, and of what is to be copied into it.
    [[nodiscard]] hdf5::Compression compression() const;

    // True unless --provenance none: measured durations may be written.
    [[nodiscard]] bool keeps_timing() const {
        return !shared_.no_provenance && shared_.provenance != "none";
    }
    // Of several ranks one keeps the resumable state of work that they do together.
    [[nodiscard]] bool keeps_state() const;
    [[nodiscard]] bool resuming() const { return shared_.resume; }
    [[nodiscard]] Shard shard() const;
    // Where resumable state lives; empty when output is a stream and no --state is given.
    [[nodiscard]] std::string state_directory() const;
    // For temporary files too large for memory ($TMPDIR).
    [[nodiscard]] const std::string& spill_directory() const { return streams_.spill_directory; }
    // Removes a file of the state directory, and that folder once it is empty, after the output has
    // its name.
    void discard_when_done(const std::string& file) { discarded_.push_back(file); }
    // Digest of every option that changes results.
    [[nodiscard]] const std::string& config_digest() const { return config_digest_; }
    // Those options, as a JSON object.
    [[nodiscard]] const std::string& result_config() const { return result_config_; }
    [[nodiscard]] const std::string& config() const { return config_; }
    void set_result_config(std::string json);

    void report(const std::string& label, SummaryValue value, const std::string& note = "");
    // A line in the summary that proposes the next command.
    void propose(const std::string& command) { proposal_ = command; }
    // Warnings so far, joined; for the attribute `warnings` of a result.
    [[nodiscard]] std::string warnings() const;

    // Finishes the output (carry, provenance, rename or stream) and shows the summary.
    struct Finish {
        std::string tool;
        std::string command;
        std::string started;
        double elapsed_s = 0;
        double cpu_s = 0;
        std::optional<std::uint64_t> seed;
    };
    void finish(const Finish& facts);
    // The same for a part of a step that is divided among ranks: earlier steps only, no summary.
    void finish_part();
    // HDF5 files that are the inputs, in this order.
    void take_inputs(std::vector<std::string> contents);
    // The inputs of a part count as ours: what we read ourselves came of them.
    void take_inputs_of(const Context& part) { stated_inputs_ = part.input_digests(); }
    [[nodiscard]] const std::vector<SummaryLine>& summary() const { return summary_; }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> input_digests() const;

  private:
    void decide_output();
    void carry_earlier();
    void write_step(const Finish& facts);
    void discard_state();
    void show_summary();
    [[nodiscard]] std::vector<hdf5::Group> sources() const;
    std::unique_ptr<hdf5::InputFile> opened(const hdf5::Address& address) const;
    const Declaration& declaration_;
    SharedOptions shared_;
    TerminalMonitor& terminal_;
    Execution execution_;
    hdf5::StreamSettings streams_;
    std::string config_;
    std::string result_config_, config_digest_;
    struct Opened {
        std::string file;
        std::unique_ptr<hdf5::InputFile> input;
    };
    std::vector<Opened> opened_;
    std::vector<std::pair<std::string, std::string>> foreign_inputs_;
    std::optional<std::vector<std::pair<std::string, std::string>>> stated_inputs_;
    std::unique_ptr<hdf5::OutputFile> output_;
    std::vector<SummaryLine> summary_;
    std::string proposal_;
    std::vector<std::string> discarded_;
};

} // namespace assay::cli

#include <assay/cli/context.hpp>

#include <assay/cli/command.hpp>
#include <assay/cli/machine.hpp>
#include <assay/cli/terminal.hpp>
#include <assay/cli/version.hpp>
#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/ranks.hpp>
#include <assay/core/text.hpp>
#include <assay/hdf5/provenance.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace assay::cli {
namespace {

// Values of the summary as people read them.
std::string shown(double value) {
    return significant(value, 5);
}
std::string shown(std::int64_t value) {
    return std::to_string(value);
}
std::string shown(const std::string& value) {
    return value;
}
template <class T>
std::string shown(const std::vector<T>& values) {
    std::vector<std::string> words;
    for (const T value : values) words.push_back(shown(value));
    return words.empty() ? "none" : join(words, ", ");
}
std::string shown(const SummaryCounts& counts) {
    std::vector<std::string> words;
    for (const auto& [name, count] : counts) words.push_back(concat(count, " ", name));
    return join(words, ", ");
}

// A pipe, a socket or a file; not a terminal, /dev/null or nothing.
bool stdout_takes_data() {
    struct stat status {};
    return fstat(STDOUT_FILENO, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

bool leads_to_terminal(const std::string& target) {
    if (target == "-") return isatty(STDOUT_FILENO) != 0;
    struct stat status {};
    if (stat(target.c_str(), &status) != 0 || !S_ISCHR(status.st_mode)) return false;
    const hdf5::Descriptor opened(::open(target.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    return opened.get() >= 0 && isatty(opened.get()) != 0;
}

} // namespace

Context::Context(const Declaration& declaration, SharedOptions shared, TerminalMonitor& monitor,
                 hdf5::StreamSettings streams, std::string config)
    : declaration_(declaration), shared_(std::move(shared)),
      terminal_(monitor), execution_{shared_.threads, &monitor}, streams_(std::move(streams)),
      config_(std::move(config)) {
    streams_.memory_bytes = shared_.stream_memory;
    if (declaration.input == InputKind::one && shared_.inputs.empty())
        shared_.inputs.emplace_back("-");
    if (declaration.output != OutputKind::hdf5 && declaration.output != OutputKind::hdf5_if_wanted)
        return;
    const auto decide = [&] {
        decide_output();
        return shared_.output;
    };
    shared_.output =
        declaration.together ? ranks::from_first(decide) : decide(); // by who writes it
}

void Context::decide_output() {
    if (shared_.output.empty() && declaration_.sharded && !shared_.shard.empty() &&
        !stdout_takes_data()) {
        const Shard part = shard();
        shared_.output = concat(declaration_.name, ".", part.index, "-of-", part.count, ".h5");
    }
    const std::string target = shared_.output.empty() ? "-" : shared_.output;
    if (leads_to_terminal(target)) {
        if (shared_.output.empty() && declaration_.output == OutputKind::hdf5_if_wanted) return;
        if (target == "-" && started_as_rank())
            throw UsageError("mpirun hides whether stdout is a pipe; name a file with -o");
        throw UsageError("refusing to write HDF5 to a terminal; use -o FILE or a pipe");
    }
    shared_.output = target;
    hdf5::check_target(shared_.output, existing());
}

Context::~Context() = default;

void Context::need_input() {
    if (shared_.inputs.empty()) shared_.inputs.emplace_back("-");
}

hdf5::Address Context::input_address(std::size_t index) const {
    if (index >= shared_.inputs.size()) throw UsageError("an input is missing; see --help");
    return hdf5::Address::parse(shared_.inputs[index]);
}

hdf5::InputFile& Context::input(std::size_t index) {
    return open(input_address(index));
}

hdf5::InputFile& Context::open(const hdf5::Address& address) {
    for (auto& known : opened_)
        if (known.file == address.file) return *known.input;
    const Phase phase(terminal_, "open " + address.name());
    opened_.push_back({address.file, opened(address)});
    return *opened_.back().input;
}

// Standard input is rank 0's: it sends the bytes on.
std::unique_ptr<hdf5::InputFile> Context::opened(const hdf5::Address& address) const {
    if (!address.is_stream() || ranks::count() == 1)
        return std::make_unique<hdf5::InputFile>(address, streams_);
    const auto receive = [](char* bytes, std::size_t most) {
        return standard_input().read(bytes, most);
    };
    return std::make_unique<hdf5::InputFile>(receive, address.name(), streams_);
}

bool Context::is_hdf5(const hdf5::Address& address) {
    if (address.is_stream()) return true;
    const hdf5::Descriptor descriptor(::open(address.file.c_str(), O_RDONLY | O_CLOEXEC));
    return descriptor.get() >= 0 && hdf5::has_hdf5_signature(descriptor.get());
}

void Context::note_foreign(const std::string& file) {
    for (const auto& [name, digest] : foreign_inputs_)
        if (name == file) return;
    const hdf5::Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (descriptor.get() < 0) throw Error(file + ": cannot be opened");
    foreign_inputs_.emplace_back(file,
                                 at_place(file, [&] { return digest_of_file(descriptor.get()); }));
}

hdf5::Existing Context::existing() const {
    return shared_.force ? hdf5::Existing::replace : hdf5::Existing::refuse;
}

bool Context::writes_to_stdout() const {
    return shared_.output == "-" ||
           (shared_.output.empty() && declaration_.output == OutputKind::document);
}

hdf5::Group Context::output() {
    if (!has_output()) throw Error("no output was asked for");
    if (!output_ && declaration_.together && !ranks::first()) // nobody sees it
        output_ = std::make_unique<hdf5::OutputFile>("/dev/null", hdf5::Existing::replace,
                                                     hdf5::Compression::none, streams_);
    if (!output_)
        output_ =
            std::make_unique<hdf5::OutputFile>(shared_.output, existing(), compression(), streams_);
    return output_->root();
}

bool Context::keeps_state() const {
    return !declaration_.together || ranks::first();
}

hdf5::Compression Context::compression() const {
    return hdf5::compression_of(shared_.output, shared_.compress);
}

void Context::set_result_config(std::string json) {
    config_digest_ = digest_of(declaration_.name + json);
    result_config_ = std::move(json);
}

void Context::write_document(const std::string& content) const {
    hdf5::write_file_atomically(shared_.output.empty() ? "-" : shared_.output, content, existing());
}

Shard Context::shard() const {
    if (shared_.shard.empty()) return {};
    const auto parts = split(shared_.shard, '/');
    const auto index = parts.size() == 2 ? parse_integer(parts[0]) : std::nullopt;
    const auto count = parts.size() == 2 ? parse_integer(parts[1]) : std::nullopt;
    if (!index || !count || *count < 1 || *count > 1000000 || *index < 1 || *index > *count)
        throw UsageError("option '--shard': found '" + printable(shared_.shard, 40) +
                         "'; I/N with 1 <= I <= N is expected");
    return {static_cast<int>(*index), static_cast<int>(*count)};
}

std::string Context::state_directory() const {
    if (shared_.no_state) return {};
    if (!shared_.state.empty()) return shared_.state;
    if (shared_.output.empty() || shared_.output == "-") return {};
    return shared_.output + ".parts";
}

void Context::report(const std::string& label, SummaryValue value, const std::string& note) {
    summary_.push_back({label, std::move(value), note});
}

std::string Context::warnings() const {
    return join(terminal_.warnings(), "\n");
}

std::vector<std::pair<std::string, std::string>> Context::input_digests() const {
    if (stated_inputs_) return *stated_inputs_;
    std::vector<std::pair<std::string, std::string>> digests;
    for (const auto& opened : opened_)
        digests.emplace_back(opened.input->name(), opened.input->digest());
    digests.insert(digests.end(), foreign_inputs_.begin(), foreign_inputs_.end());
    return digests;
}

std::vector<hdf5::Group> Context::sources() const {
    std::vector<hdf5::Group> roots;
    for (const auto& opened : opened_) roots.push_back(opened.input->root());
    return roots;
}

void Context::carry_earlier() {
    if (!declaration_.carries) return;
    const Phase phase(terminal_, "carry earlier results forward");
    const auto timings = keeps_timing() ? hdf5::Timings::keep : hdf5::Timings::leave_out;
    hdf5::Group root = output_->root();
    for (const auto& source : sources())
        for (const auto& place : hdf5::carry_forward(root, source, shared_.carry, timings))
            terminal_.warn(place + ": is a link or of variable length; not carried forward");
}

void Context::write_step(const Finish& facts) {
    hdf5::Group root = output_->root();
    if (!keeps_timing()) {
        if (root.has("provenance"))
            throw Error("a file without provenance was asked for, but it has some");
        return;
    }
    const Phase phase(terminal_, "digest inputs");
    hdf5::ProvenanceEntry entry;
    entry.command = facts.command;
    entry.tool = facts.tool;
    entry.version = build_version_and_level();
    entry.config = config_;
    for (const auto& [name, digest] : input_digests()) entry.input_digests.push_back(digest);
    entry.has_seed = facts.seed.has_value();
    entry.seed = facts.seed.value_or(0);
    entry.threads = execution_.threads;
    entry.started = facts.started;
    entry.elapsed_s = facts.elapsed_s;
    entry.cpu_s = facts.cpu_s;
    if (shared_.provenance == "full") entry.host = host_name();
    hdf5::write_provenance(root, sources(), entry);
}

void Context::discard_state() {
    std::error_code ignored;
    for (const auto& file : discarded_) std::filesystem::remove(file, ignored);
    if (!discarded_.empty()) std::filesystem::remove(state_directory(), ignored);
}

void Context::show_summary() {
    std::size_t width = 0;
    for (const auto& line : summary_) width = std::max(width, line.label.size());
    for (const auto& line : summary_) {
        const std::string value = std::visit([](const auto& v) { return shown(v); }, line.value);
        terminal_.plain("  " + line.label + std::string(width + 2 - line.label.size(), ' ') +
                        value + (line.note.empty() ? "" : " " + line.note));
    }
    if (output_ && shared_.output != "-") {
        terminal_.plain("  written to " + shared_.output +
                        (proposal_.empty() ? "" : "; next: " + proposal_));
    }
}

void Context::finish(const Finish& facts) {
    if (!ranks::first()) return;
    if (output_) {
        carry_earlier();
        write_step(facts);
        const Phase phase(terminal_, "write " + output_->name());
        output_->commit();
    }
    discard_state();
    show_summary();
}

void Context::take_inputs(std::vector<std::string> contents) {
    shared_.inputs.clear();
    for (std::string& content : contents) {
        const std::string name =
            concat("part ", shared_.inputs.size() + 1, " of ", contents.size());
        opened_.push_back({name, std::make_unique<hdf5::InputFile>(content, name, streams_)});
        shared_.inputs.push_back(name);
        content = {};
    }
}

void Context::finish_part() {
    carry_earlier();
    if (keeps_timing()) hdf5::inherit_provenance(output_->root(), sources());
    output_->commit();
}

} // namespace assay::cli

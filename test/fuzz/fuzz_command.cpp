// Arbitrary words of a command line and an arbitrary configuration file, for a command with options
// of every kind: it runs (doing nothing) or says what is wrong. A crash, a hang, a sanitizer's
// finding or another exit status is a failure.
#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using namespace assay;

struct Options {
    double number = 1;
    std::int64_t count = 2, memory = 0;
    std::uint64_t seed = 0;
    std::optional<double> maybe;
    std::string text = "none";
    std::vector<std::string> words;
    std::vector<double> numbers;
    bool flag = false;
    int choice = 0;
};

cli::Tool tool(Options& o) {
    cli::Command c("do", "options of every kind");
    c.sharded();
    c.group("Kinds");
    c.option("-x,--number", o.number, "X", "a number").range(0, 10);
    c.option("-n,--count", o.count, "N", "a whole number").range(1, 1e6);
    c.option("--maybe", o.maybe, "X", "a number, if any").range(0);
    c.option("--text", o.text, "TEXT", "a text");
    c.option("--words", o.words, "LIST", "words");
    c.option("--numbers", o.numbers, "LIST", "numbers");
    c.flag("-f,--flag", o.flag, "yes or no");
    c.choice<int>("--choice", o.choice, {{"first", 0}, {"second", 1}}, "a word");
    c.seed(o.seed);
    c.memory_limit(o.memory);
    c.conflicts("--maybe", "--flag");
    c.run([](cli::Context&) {});
    return {"fuzz", "a tool", "A tool for a fuzzer.", {c}, {}};
}

// Nothing that is said reaches the terminal while one lives.
class Silence {
  public:
    Silence() {
        std::fflush(nullptr);
        const int nowhere = open("/dev/null", O_WRONLY);
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            kept_[i] = dup(static_cast<int>(i) + 1);
            dup2(nowhere, static_cast<int>(i) + 1);
        }
        close(nowhere);
    }
    ~Silence() {
        std::fflush(nullptr);
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            dup2(kept_[i], static_cast<int>(i) + 1);
            close(kept_[i]);
        }
    }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

  private:
    std::array<int, 2> kept_{}; // stdout, stderr
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string all(data, data + size);
    const auto end = all.find('\0');
    std::vector<std::string> words{"fuzz", "do"};
    std::string word;
    for (const char c : all.substr(0, end) + "\n") {
        if (c != '\n') {
            word += c;
            continue;
        }
        // Files are written and read under these names only.
        if (word.find("json") == std::string::npos && word.find("config") == std::string::npos &&
            !word.empty())
            words.push_back(word);
        word.clear();
    }
    const std::string file = "/tmp/assay-fuzz-config-" + std::to_string(getpid()) + ".json";
    if (end != std::string::npos) {
        std::FILE* const out = std::fopen(file.c_str(), "wb");
        std::fwrite(all.data() + end + 1, 1, size - end - 1, out);
        std::fclose(out);
        words.insert(words.end(), {"--config", file});
    }
    std::vector<char*> argv;
    for (std::string& one : words) argv.push_back(one.data());
    argv.push_back(nullptr);
    setenv("OMP_WAIT_POLICY", "passive", 1); // set already, programs do not start themselves anew
    Options options;
    int status = 0;
    {
        const Silence silence;
        status = cli::main(static_cast<int>(words.size()), argv.data(), tool(options));
    }
    unlink(file.c_str());
    if (status < 0 || status > 2) {
        std::fprintf(stderr, "exit status %d\n", status);
        std::abort();
    }
    return 0;
}

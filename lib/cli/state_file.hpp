// The state of interrupted work, one file in the folder that --state or the output's name gives. It
// belongs to the options that change results and to the inputs that were read before it is made.
#pragma once

#include <assay/cli/command.hpp>
#include <assay/cli/context.hpp>
#include <assay/core/export.hpp>
#include <assay/core/keeping.hpp>
#include <assay/hdf5/object.hpp>

#include <functional>
#include <optional>
#include <string>

namespace assay::cli {

class ASSAY_API StateFile {
  public:
    // `name`: of the file, without its ending. Throws UsageError for --resume without a folder.
    StateFile(Context& context, const std::string& name);

    // False where the output is a stream and --state names no folder: nothing can be kept.
    [[nodiscard]] bool kept() const { return !file_.empty(); }
    // Of those options and inputs.
    [[nodiscard]] const std::string& digest() const { return digest_; }
    // What was saved, where the command resumes and there is something. Throws Error naming the
    // file where it is damaged or of other options or inputs.
    [[nodiscard]] std::optional<hdf5::Group> saved() const;
    // Atomic; removed once the output has its name.
    void save(const std::function<void(hdf5::Group)>& write);

    template <class State>
    [[nodiscard]] Keeping<State>
    keeping(const std::function<State(const hdf5::Group&)>& read,
            const std::function<void(hdf5::Group, const State&)>& write, double save_every) {
        Keeping<State> keeping;
        keeping.save_every = save_every;
        if (!kept()) return keeping;
        if (const auto group = saved())
            keeping.resume = at_place(file_, [&] { return read(*group); });
        else if (context_.resuming())
            context_.monitor().info("there is no saved state; the work starts anew");
        keeping.save = [this, write](const State& state) {
            save([&](hdf5::Group group) { write(std::move(group), state); });
        };
        return keeping;
    }

  private:
    Context& context_;
    std::string digest_, file_;
};

// --save-every, seconds between two saves.
ASSAY_API void declare_save_every(Command& command, double& seconds);

} // namespace assay::cli

#include <assay/cli/state_file.hpp>

#include <assay/core/digest.hpp>
#include <assay/hdf5/stream.hpp>

#include <filesystem>

namespace assay::cli {
namespace {

constexpr const char* kGroup = "/state";
constexpr const char* kDigest = "state_digest";

} // namespace

StateFile::StateFile(Context& context, const std::string& name) : context_(context) {
    std::string all = context.config_digest();
    for (const auto& [file, digest] : context.input_digests()) all += digest;
    digest_ = digest_of(all);
    const std::string directory = context.state_directory();
    if (directory.empty() && context.resuming())
        throw UsageError("--resume needs -o FILE or --state DIR");
    if (directory.empty()) return;
    file_ = directory + "/" + name + ".h5";
    context.discard_when_done(file_);
}

std::optional<hdf5::Group> StateFile::saved() const {
    if (!context_.resuming() || !std::filesystem::exists(file_)) return std::nullopt;
    const hdf5::Group root = hdf5::File::open(file_, file_).root();
    if (root.text_attribute(kDigest).value_or("") != digest_)
        throw Error(file_ + ": belongs to other options or other data; remove it or leave out "
                            "--resume");
    return root.group(kGroup);
}

void StateFile::save(const std::function<void(hdf5::Group)>& write) {
    std::filesystem::create_directories(context_.state_directory());
    hdf5::OutputFile output(file_, hdf5::Existing::replace, hdf5::Compression::none, {});
    output.root().set_attribute(kDigest, digest_);
    write(output.root().create_group(kGroup));
    output.commit();
}

void declare_save_every(Command& command, double& seconds) {
    command.option("--save-every", seconds, "S", "seconds between resumable states")
        .range(0)
        .execution_only();
}

} // namespace assay::cli

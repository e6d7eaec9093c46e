// Every reader of trained networks on arbitrary bytes: the kind of file is told from its content.
// An Error is a fine answer; a crash, a hang or a sanitizer's finding is not.
#include "written_file.hpp"

#include <assay/core/error.hpp>
#include <assay/formats/model_file.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

// The last byte chooses what the user says of the file.
assay::formats::ModelOptions options_of(std::uint8_t choice) {
    assay::formats::ModelOptions options;
    if ((choice & 1U) != 0)
        options.architecture =
            R"({"format": "assay-architecture/1", "input": {"shape": [3], "axes": ["feature"]},)"
            R"("layers": [{"name": "first", "type": "dense", "units": 4},)"
            R"({"name": "second", "type": "dense", "units": 2}], "output": ["second"]})";
    if ((choice & 2U) != 0) options.checkpoint = "last";
    if ((choice & 4U) != 0) options.treat = {{"Lambda", "relu"}};
    if ((choice & 8U) != 0) options.cell = "rnn-relu";
    return options;
}

// Weights alone, under names that the seeds use; made once.
assay::hdf5::InputFile& keras_weights() {
    using namespace assay;
    static hdf5::InputFile input = [] {
        const std::string file = "/tmp/assay-fuzz-weights-" + std::to_string(getpid());
        hdf5::OutputFile output(file, hdf5::Existing::replace, hdf5::Compression::none, {});
        hdf5::Group root = output.root().create_group("keras");
        root.set_attribute("layer_names", "a\nconv\ngru\nnorm");
        const auto layer = [&](const std::string& name, const std::string& weights) {
            hdf5::Group group = root.create_group(name);
            group.set_attribute("weight_names", weights);
            return group;
        };
        const std::vector<double> numbers(64, 0.5);
        layer("a", "kernel:0\nbias:0").write("kernel:0", numbers.data(), {4, 3});
        root.group("a").write("bias:0", numbers.data(), {3});
        layer("conv", "kernel:0").write("kernel:0", numbers.data(), {2, 2, 1, 3});
        layer("gru", "kernel:0\nrecurrent_kernel:0").write("kernel:0", numbers.data(), {3, 6});
        root.group("gru").write("recurrent_kernel:0", numbers.data(), {2, 6});
        layer("norm", "moving_mean:0\nmoving_variance:0")
            .write("moving_mean:0", numbers.data(), {3});
        root.group("norm").write("moving_variance:0", numbers.data(), {3});
        output.commit();
        hdf5::InputFile opened({file, ""}, {});
        unlink(file.c_str());
        return opened;
    }();
    return input;
}

void read_keras(const std::string& json) {
    using namespace assay;
    formats::ModelOptions options;
    options.architecture = json;
    const formats::Opener opener{
        [](const hdf5::Address&) -> hdf5::InputFile& { return keras_weights(); },
        [](const std::string&) {}};
    try {
        static_cast<void>(formats::open_model({"-", "/keras"}, options, opener));
    } catch (const Error&) {
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace assay;
    if (size < 2) return 0;
    if (data[0] == '{') {
        read_keras({data, data + size});
        return 0;
    }
    fuzz::WrittenFile file(data, size, ".model");
    try {
        static_cast<void>(
            formats::open_model({file.name(), ""}, options_of(data[size - 1]), file.opener()));
    } catch (const Error&) {
    }
    return 0;
}

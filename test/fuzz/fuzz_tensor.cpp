// Every reader of dense arrays, and of trials in NWB, on arbitrary bytes: the kind of file is told
// from its content. The last byte chooses between them. An Error is a fine answer; a crash, a hang
// or a sanitizer's finding is not.
#include "written_file.hpp"

#include <assay/core/error.hpp>
#include <assay/formats/dense_file.hpp>
#include <assay/formats/trial_counts.hpp>

#include <cstdint>

namespace {

using namespace assay;

// Whether the array is small enough to be read here.
bool is_small(const formats::StoredArray& array) {
    double numbers = 1;
    for (const auto length : array.shape) numbers *= static_cast<double>(length);
    return numbers < 1e6 && array.bytes < 1 << 26;
}

void read(const formats::StoredArray& array) {
    if (is_small(array)) array.read([](Eigen::Index, const double*, Eigen::Index) {});
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    fuzz::WrittenFile file(data, size, ".tensor");
    const formats::Opener opener = file.opener();
    const std::uint8_t choice = data[size - 1];
    try {
        if (choice % 2 == 0) {
            const auto dense = formats::open_dense({file.name(), ""}, opener);
            if (dense) read(dense->array);
        } else {
            formats::TrialWindow window;
            window.dt = 0.25;
            window.around = {-0.5, 1};
            window.gaps = choice % 4 == 1;
            read(formats::trial_counts({file.name(), ""}, window, opener).array);
        }
    } catch (const Error&) {
    }
    return 0;
}

#include <assay/hdf5/packed.hpp>

namespace assay::hdf5 {

void write_packed(Group group, const std::vector<std::uint8_t>& bytes) {
    group.write("packed", bytes, {"byte", "", "state of the work"});
}

std::vector<std::uint8_t> read_packed(const Group& group) {
    return group.dataset("packed").expect_numeric().expect_rank(1).read<std::uint8_t>();
}

} // namespace assay::hdf5

// Files of others that ask for more than they hold.
#include <assay/core/error.hpp>
#include <assay/hdf5/foreign.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <hdf5.h>
#include <string>
#include <unistd.h>

using namespace assay;

namespace {

constexpr std::size_t kNameBytes = std::size_t{1} << 26;

// A group whose only link has a name of 64 MiB, in a file of 64 KiB: deflate packs the names of a
// group, and whoever lists them unpacks all.
class PackedName {
  public:
    PackedName() {
        const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
        const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
        const hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
        H5Pset_link_phase_change(creation, 0, 0);
        H5Pset_deflate(creation, 9);
        const hid_t group = H5Gcreate2(file, "group", H5P_DEFAULT, creation, H5P_DEFAULT);
        const std::string name(kNameBytes, 'a');
        REQUIRE(H5Lcreate_soft("/group", group, name.c_str(), H5P_DEFAULT, H5P_DEFAULT) >= 0);
        H5Gclose(group);
        H5Pclose(creation);
        H5Fclose(file);
        H5Pclose(access);
    }
    ~PackedName() { std::filesystem::remove(path_); }
    PackedName(const PackedName&) = delete;
    PackedName& operator=(const PackedName&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_ = std::filesystem::temp_directory_path() /
                        ("assay-foreign-" + std::to_string(getpid()) + ".h5");
};

} // namespace

TEST_CASE("a foreign file whose structure unpacks to more memory than is granted is refused",
          "[hdf5]") {
    const PackedName file;
    REQUIRE(std::filesystem::file_size(file.path()) < kNameBytes / 500);
    CHECK_NOTHROW(hdf5::check_foreign_metadata(file.path(), "name.h5"));
    // Where it runs out of memory the library says so, or dies of it.
    CHECK_THROWS_WITH(hdf5::check_foreign_metadata(file.path(), "name.h5", std::int64_t{1} << 25),
                      Catch::StartsWith("name.h5: ") && Catch::EndsWith("; the file is damaged"));
    // Nothing is taken from the process itself.
    CHECK_NOTHROW(std::string(kNameBytes, 'b'));
}

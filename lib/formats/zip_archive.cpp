#include <assay/formats/zip_archive.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace assay::formats {
namespace {

using ZipEntry = std::unique_ptr<zip_file_t, int (*)(zip_file_t*)>;

// Deflate cannot pack more than 1032 to 1 (RFC 1951: 258 bytes a pair of two bits).
constexpr std::uint64_t kMostPacked = 1100;

std::size_t read_into(std::string& bytes, zip_file_t* entry) {
    std::size_t got = 0;
    while (got < bytes.size()) {
        const zip_int64_t more = zip_fread(entry, bytes.data() + got, bytes.size() - got);
        if (more <= 0) break;
        got += static_cast<std::size_t>(more);
    }
    return got;
}

// libzip compares length and checksum only when a read meets the end.
bool ends_intact(ZipEntry entry) {
    char beyond = 0;
    const bool at_end = zip_fread(entry.get(), &beyond, 1) == 0;
    return zip_fclose(entry.release()) == 0 && at_end;
}

zip_stat_t status_of(zip_t* archive, std::uint64_t place, const std::string& where) {
    zip_stat_t status;
    zip_stat_init(&status);
    if (zip_stat_index(archive, place, 0, &status) != 0) throw Error(where + ": cannot be read");
    return status;
}

void check_size(const zip_stat_t& status, const std::string& where) {
    const bool stored = status.comp_method == ZIP_CM_STORE;
    if (!stored && status.comp_method != ZIP_CM_DEFLATE)
        throw Error(concat(where, ": is packed by method ", status.comp_method,
                           "; stored or deflated entries are expected"));
    if (stored ? status.size != status.comp_size : status.size / kMostPacked > status.comp_size)
        throw Error(where + ": states an impossible size");
}

std::string first_bytes(zip_file_t* entry, std::uint64_t count, const std::string& where) {
    if (entry == nullptr) throw Error(where + ": cannot be read");
    std::string bytes(static_cast<std::size_t>(count), '\0');
    if (read_into(bytes, entry) != bytes.size())
        throw Error(where + ": is damaged; its length does not agree with what the archive states");
    return bytes;
}

} // namespace

ZipArchive::ZipArchive(std::string path) : path_(std::move(path)), archive_(nullptr, zip_discard) {
    int error = 0;
    archive_.reset(zip_open(path_.c_str(), ZIP_RDONLY | ZIP_CHECKCONS, &error));
    if (!archive_) throw Error(path_ + ": is not a readable zip archive; it is damaged or cut off");
    const zip_int64_t entries = zip_get_num_entries(archive_.get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
        const auto place = static_cast<zip_uint64_t>(i);
        const char* name = zip_get_name(archive_.get(), place, 0);
        if (name != nullptr && places_.emplace(name, place).second) names_.emplace_back(name);
    }
    check_sizes();
}

// Entries that share their packed bytes would let a small archive claim any amount.
void ZipArchive::check_sizes() const {
    std::error_code failed;
    const std::uint64_t there = std::filesystem::file_size(path_, failed);
    std::uint64_t left = failed ? 0 : there;
    for (const auto& [name, place] : places_) {
        const std::uint64_t packed = status_of(archive_.get(), place, where(name)).comp_size;
        if (packed > left)
            throw Error(path_ + ": its entries claim more bytes than the file has; it is damaged");
        left -= packed;
    }
}

std::string ZipArchive::where(const std::string& name) const {
    return path_ + ":/" + printable(name);
}

std::uint64_t ZipArchive::place_of(const std::string& name, const std::string& where) const {
    const auto found = places_.find(name);
    if (found == places_.end())
        throw Error(where + ": not in the file; it holds " + printable(join(names_, ", "), 150));
    return found->second;
}

std::string ZipArchive::read(const std::string& name, const std::string& where) const {
    const std::uint64_t place = place_of(name, where);
    const zip_stat_t status = status_of(archive_.get(), place, where);
    check_size(status, where);
    ZipEntry entry(zip_fopen_index(archive_.get(), place, 0), zip_fclose);
    std::string bytes = first_bytes(entry.get(), status.size, where);
    if (!ends_intact(std::move(entry)))
        throw Error(where + ": is damaged; its length and checksum do not agree with what the "
                            "archive states");
    return bytes;
}

std::string ZipArchive::read_start(const std::string& name, const std::string& where,
                                   std::uint64_t limit) const {
    const std::uint64_t place = place_of(name, where);
    const zip_stat_t status = status_of(archive_.get(), place, where);
    check_size(status, where);
    const ZipEntry entry(zip_fopen_index(archive_.get(), place, 0), zip_fclose);
    return first_bytes(entry.get(), std::min<std::uint64_t>(status.size, limit), where);
}

} // namespace assay::formats

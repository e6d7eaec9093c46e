#include <assay/core/control_groups.hpp>

#include <assay/core/text.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

namespace assay {

namespace {

// The limit in `file`; infinite for "max", and where there is none.
double limit_in(const std::filesystem::path& file) {
    std::ifstream in(file);
    double bytes = 0;
    return in >> bytes ? bytes : std::numeric_limits<double>::infinity();
}

double least_on_the_way(const std::filesystem::path& top, std::filesystem::path group,
                        const std::string& file) {
    double least = limit_in(top / file);
    for (; group.has_relative_path(); group = group.parent_path())
        least = std::min(least, limit_in(top / group.relative_path() / file));
    return least;
}

} // namespace

double group_memory(const std::string& mount, const std::string& own) {
    double least = std::numeric_limits<double>::infinity();
    std::ifstream in(own);
    // Number, controllers and path, as in "0::/job" or "4:memory:/job".
    for (std::string line; std::getline(in, line);) {
        auto parts = split(line, ':');
        if (parts.size() < 3) continue;
        for (std::size_t i = 3; i < parts.size(); ++i) parts[2] += ":" + parts[i]; // of the path
        if (parts[1].empty())
            least = std::min(least, least_on_the_way(mount, parts[2], "memory.max"));
        const auto controllers = split(parts[1], ',');
        if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end())
            least = std::min(
                least, least_on_the_way(mount + "/memory", parts[2], "memory.limit_in_bytes"));
    }
    return least;
}

} // namespace assay

#include <assay/training/penalty_groups.hpp>

#include <assay/core/error.hpp>
#include <assay/training/config.hpp>

namespace assay::training {

template <class S>
std::vector<network::Penalty>
penalty_groups(const network::Network<S>& network,
               const std::vector<std::pair<std::string, double>>& l2) {
    std::vector<network::Penalty> penalties;
    for (const auto& [glob, strength] : l2) {
        const std::size_t before = penalties.size();
        const bool names_arrays = glob.find('/') != std::string::npos;
        for (const auto& entry : network.parameters()) {
            const std::string array = entry.layer + "/" + entry.info.name;
            if (!entry.info.trained) continue;
            if (names_arrays ? matches_glob(glob, array)
                             : is_weight(entry.info.role) && matches_glob(glob, entry.layer))
                penalties.push_back({array, strength});
        }
        if (penalties.size() == before)
            throw Error("l2: no " + std::string(names_arrays ? "array" : "layer with weights") +
                        " matches '" + glob + "'");
    }
    return penalties;
}

template std::vector<network::Penalty>
penalty_groups(const network::Network<double>&, const std::vector<std::pair<std::string, double>>&);
template std::vector<network::Penalty>
penalty_groups(const network::Network<float>&, const std::vector<std::pair<std::string, double>>&);

} // namespace assay::training

// Internal to lib/formats: which arrays an assay architecture asks for, as far as single layers
// tell, so that files with weights only can be matched to it.
#pragma once

#include <assay/hdf5/object.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace assay::formats {

// An extent that other layers decide.
inline constexpr Index kAnyExtent = -1;
// Of one layer.
inline constexpr Index kMostUnits = Index{1} << 31;

struct ExpectedArray {
    std::string name;
    hdf5::Shape shape; // kAnyExtent where the layer alone does not tell; empty: any shape
};

struct ArchitectureLayer {
    std::string name, type;
    std::vector<ExpectedArray> arrays; // in flat order
};

// Number of gates and their usual order, "r,z,n"; no gates are named where there is one.
struct CellType {
    const char* type;
    Index gates;
    const char* order;
};
[[nodiscard]] const CellType* cell_type(const std::string& type); // null for no recurrent layer

[[nodiscard]] bool is_convolution(const std::string& type);
[[nodiscard]] bool is_normalisation(const std::string& type);

// Throws Error that names the place where the text is no assay architecture.
[[nodiscard]] std::vector<ArchitectureLayer>
architecture_layers(const nlohmann::json& architecture);

[[nodiscard]] bool fits(const hdf5::Shape& found, const hdf5::Shape& expected);
[[nodiscard]] std::string expectation_text(const hdf5::Shape& expected); // "12 x any"

} // namespace assay::formats

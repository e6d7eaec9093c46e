#include <assay/formats/architecture_match.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>
#include <assay/formats/architecture.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace assay::formats {
namespace {

std::string names_of(const std::vector<StoredLayer>& layers) {
    std::vector<std::string> names;
    for (const auto& layer : layers) names.push_back(layer.name);
    return printable(join(names, ", "), 150);
}

// One file matched to one architecture, which it may complete (a second bias, PyTorch's GRU).
class Matching {
  public:
    Matching(std::vector<StoredLayer> stored, const std::string& architecture,
             const std::string& where, OpenedModel& opened)
        : stored_(std::move(stored)), where_(where), opened_(opened),
          json_(network::parse_json(architecture, "--architecture")) {
        for (auto& layer : at_place("--architecture", [&] { return architecture_layers(json_); }))
            if (!layer.arrays.empty()) wanted_.push_back(std::move(layer));
    }

    void run(const std::string& architecture) {
        if (by_name())
            take_by_name();
        else if (wanted_.size() == stored_.size())
            take_in_order();
        else
            take_single_arrays();
        opened_.model.architecture = changed_ ? json_.dump() : architecture;
    }

  private:
    [[nodiscard]] const StoredLayer* find(const std::string& name) const {
        const auto found = std::find_if(stored_.begin(), stored_.end(),
                                        [&](const StoredLayer& s) { return s.name == name; });
        return found == stored_.end() ? nullptr : &*found;
    }

    [[nodiscard]] bool by_name() const {
        return std::all_of(wanted_.begin(), wanted_.end(), [&](const ArchitectureLayer& layer) {
            return find(layer.name) != nullptr;
        });
    }

    void take_by_name() {
        for (const auto& layer : wanted_) take(layer, *find(layer.name));
        std::set<std::string> used;
        for (const auto& layer : wanted_) used.insert(layer.name);
        for (const auto& layer : stored_)
            if (used.count(layer.name) == 0)
                note("layer '" + layer.name + "' of the file is not in the architecture");
    }

    void take_in_order() {
        note("layers of the file were matched to the architecture's in order: " +
             names_of(stored_));
        for (std::size_t i = 0; i < wanted_.size(); ++i) take(wanted_[i], stored_[i]);
    }

    // Names without structure (W1, b1, W2, ...): array by array.
    void take_single_arrays() {
        std::vector<const DenseArray*> arrays;
        for (const auto& layer : stored_)
            for (const auto& [name, array] : layer.arrays) arrays.push_back(&array);
        std::size_t expected = 0;
        for (const auto& layer : wanted_) expected += layer.arrays.size();
        if (arrays.size() != expected || stored_.size() != arrays.size()) refuse_layers();
        note("arrays of the file were matched to the architecture's in order");
        std::size_t next = 0;
        for (const auto& layer : wanted_)
            for (const auto& wanted : layer.arrays) keep(layer, wanted, *arrays[next++]);
    }

    [[noreturn]] void refuse_layers() const {
        std::vector<std::string> names;
        for (const auto& layer : wanted_) names.push_back(layer.name);
        throw Error(concat(where_, ": holds the ", stored_.size(), " layers ", names_of(stored_),
                           "; the ", names.size(), " layers ", printable(join(names, ", "), 150),
                           " of the architecture are expected"));
    }

    void take(const ArchitectureLayer& layer, const StoredLayer& stored) {
        for (const auto& wanted : layer.arrays) {
            if (const DenseArray* array = stored.find(wanted.name, is_normalisation(layer.type)))
                keep(layer, wanted, *array);
            else
                keep(layer, wanted, substitute(layer, wanted, stored));
        }
        if (cell_type(layer.type) != nullptr) take_cell(layer, stored);
        refuse_unused_bias(layer, stored);
    }

    void keep(const ArchitectureLayer& layer, const ExpectedArray& wanted,
              const DenseArray& array) {
        if (!fits(array.shape, wanted.shape))
            throw Error(where_ + ": " + wanted.name + " of layer '" + layer.name + "' is " +
                        hdf5::shape_text(array.shape) + "; " + expectation_text(wanted.shape) +
                        " is expected");
        keep_parameter(opened_, layer.name, wanted.name, array);
    }

    // Normalisation without scale or offset.
    [[nodiscard]] DenseArray substitute(const ArchitectureLayer& layer, const ExpectedArray& wanted,
                                        const StoredLayer& stored) const {
        const DenseArray* mean = stored.find("moving_mean", true);
        if (layer.type != "batch_norm" || mean == nullptr ||
            (wanted.name != "gamma" && wanted.name != "beta"))
            throw Error(where_ + ": " + wanted.name + " of layer '" + layer.name +
                        "' is missing; layer '" + stored.name + "' holds " + stored.array_names());
        return {mean->shape,
                std::vector<double>(mean->values.size(), wanted.name == "gamma" ? 1.0 : 0.0)};
    }

    void take_cell(const ArchitectureLayer& layer, const StoredLayer& stored) {
        const DenseArray* second = stored.find("recurrent_bias", false);
        if (second != nullptr && !has_array(layer, "recurrent_bias")) {
            keep(layer, {"recurrent_bias", {}}, *second);
            set(layer.name, "recurrent_bias", true);
        }
        if (layer.type == "gru" && stored.reset_after) agree_reset(layer.name, *stored.reset_after);
        if (!stored.gates.empty()) opened_.model.gates.push_back({layer.name, stored.gates});
    }

    // PyTorch's GRU, and Keras' with two biases, reset after the product with the state.
    void agree_reset(const std::string& name, bool after) {
        const auto& object = object_of(name);
        const auto at = object.find("reset_after");
        if (at == object.end())
            set(name, "reset_after", after);
        else if (*at != after)
            throw Error(where_ + ": layer '" + name + "' is a GRU with \"reset_after\": " +
                        (after ? "true" : "false") + "; the architecture says otherwise");
    }

    void refuse_unused_bias(const ArchitectureLayer& layer, const StoredLayer& stored) const {
        if (!has_array(layer, "bias") && !is_normalisation(layer.type) &&
            stored.find("bias", false) != nullptr)
            throw Error(where_ + ": layer '" + stored.name +
                        "' has a bias; the architecture says \"bias\": false of layer '" +
                        layer.name + "'");
    }

    static bool has_array(const ArchitectureLayer& layer, const std::string& name) {
        return std::any_of(layer.arrays.begin(), layer.arrays.end(),
                           [&](const ExpectedArray& array) { return array.name == name; });
    }

    nlohmann::json& object_of(const std::string& layer) {
        for (auto& object : json_["layers"])
            if (object["name"] == layer) return object;
        throw Error("--architecture: has no layer '" + layer + "'");
    }

    void set(const std::string& layer, const char* key, bool value) {
        object_of(layer)[key] = value;
        changed_ = true;
        note("layer '" + layer + "': the file tells \"" + key +
             "\": " + (value ? "true" : "false") + ", which the architecture did not");
    }

    void note(const std::string& text) { opened_.notes.push_back(text); }

    std::vector<StoredLayer> stored_;
    std::string where_;
    OpenedModel& opened_;
    nlohmann::json json_;
    std::vector<ArchitectureLayer> wanted_; // those that have arrays
    bool changed_ = false;
};

} // namespace

void match_to_architecture(std::vector<StoredLayer> stored, const std::string& architecture,
                           const std::string& where, OpenedModel& opened) {
    Matching(std::move(stored), architecture, where, opened).run(architecture);
}

} // namespace assay::formats

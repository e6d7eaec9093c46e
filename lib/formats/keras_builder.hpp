// Internal to lib/formats: assembles our architecture while the layers of a Keras model are walked.
// Keras keeps channels last unless told otherwise, we keep them first; where the order of axes
// matters to a layer, a permute is put in between, and weights stay as they are.
#pragma once

#include <assay/formats/keras_graph.hpp>
#include <assay/formats/keras_model.hpp>
#include <assay/network/keys.hpp>

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace assay::formats {

inline constexpr Index kUnknownExtent = -1;

// What flows between layers.
struct KerasTensor {
    std::string layer;   // ours that makes it
    hdf5::Shape shape;   // as Keras orders it, without batch; kUnknownExtent where it is not told
    bool moved = false;  // ours has the last axis first
    bool masked = false; // Keras leaves steps out, which is not done here
    [[nodiscard]] std::size_t rank() const { return shape.size(); }
};

// One layer about to be converted.
struct KerasCall {
    const KerasLayer* layer = nullptr;
    KerasPlace place;
    std::string name; // ours
    std::vector<KerasTensor> inputs;
};

class KerasBuilder {
  public:
    KerasBuilder(const KerasWeights& weights, const KerasOrigin& origin,
                 const ModelOptions& options, OpenedModel& opened);
    ~KerasBuilder();
    KerasBuilder(const KerasBuilder&) = delete;
    KerasBuilder& operator=(const KerasBuilder&) = delete;

    [[nodiscard]] const KerasOrigin& origin() const { return origin_; }
    [[nodiscard]] const ModelOptions& options() const { return options_; }
    void note(const std::string& text);

    // A name of ours that nothing else has.
    [[nodiscard]] std::string unique_name(const std::string& wanted);
    // Adds a layer with its keys (an object); returns its output, of that shape.
    KerasTensor emit(const std::string& name, const std::string& type, const nlohmann::json& keys,
                     const std::vector<KerasTensor>& inputs, const hdf5::Shape& shape);
    // An activation under the name of a Keras function; identity adds nothing.
    KerasTensor activate(const std::string& name, const std::string& function,
                         const KerasTensor& input);
    // The same tensor with our axes as Keras has them, or with channels first.
    KerasTensor keras_order(const KerasTensor& tensor);
    KerasTensor channels_first(const KerasTensor& tensor);
    // As Keras has them, for a layer to which the last axis is features: of two axes the first is
    // time.
    KerasTensor keras_features(const KerasTensor& tensor);

    // The layer's arrays; `roles` names those that the file keeps by order only.
    [[nodiscard]] KerasArrays arrays(const KerasCall& call,
                                     const std::vector<std::string>& roles) const;
    void keep(const std::string& layer, const std::string& name, const DenseArray& array);
    void keep(const StoredLayer& layer, const std::vector<std::string>& names);
    void keep_gates(const std::string& layer, const std::string& gates);
    [[nodiscard]] KernelLayout layout(bool theano_ordering);

    // Done: the architecture.
    void set_input(const hdf5::Shape& shape, const std::vector<std::string>& axes);
    void finish(const std::vector<KerasTensor>& outputs);

  private:
    struct Parts; // JSON under way
    const KerasWeights& weights_;
    KerasOrigin origin_;
    const ModelOptions& options_;
    OpenedModel& opened_;
    std::set<std::string> names_;
    std::unique_ptr<Parts> parts_;
};

// --- functions and classes ---

// Our activation of that Keras name and the keys that go with it; throws Error where there is none.
[[nodiscard]] nlohmann::json keras_function(const std::string& name, const KerasBuilder& builder);
// The name of the function in a field "activation", which Keras 3 may write as an object.
[[nodiscard]] std::string function_name(const network::Keys& keys, const nlohmann::json& config,
                                        const std::string& field, const std::string& otherwise);

// A layer of a Keras class: reads its config, emits layers of ours.
using KerasClass = KerasTensor (*)(KerasBuilder&, const KerasCall&);
// Null for a class that is not known.
[[nodiscard]] KerasClass keras_class(const std::string& name);

// 1 to 3 for classes whose name ends in 1D to 3D, or in 1DTranspose to 3DTranspose, else 0.
[[nodiscard]] Index spatial_rank(const std::string& class_name);
[[nodiscard]] bool is_recurrent_class(const std::string& class_name);
// "channels_first" or, in Keras 1, "th".
[[nodiscard]] bool has_channels_first(const nlohmann::json& config);

} // namespace assay::formats

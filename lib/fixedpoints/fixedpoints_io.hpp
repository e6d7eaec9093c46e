// Results of lib/fixedpoints in HDF5, and back. The one file of this module that knows datasets.
#pragma once

#include <assay/core/export.hpp>
#include <assay/fixedpoints/dynamics.hpp>
#include <assay/fixedpoints/find.hpp>
#include <assay/fixedpoints/linearise.hpp>
#include <assay/fixedpoints/simulate.hpp>
#include <assay/fixedpoints/slow_modes.hpp>
#include <assay/hdf5/object.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay::fixedpoints {

// Words of enumerations in files, in the order of their numbers.
inline constexpr const char* kPointKinds = "fixed,slow";
inline constexpr const char* kStartStatuses =
    "converged,max_iterations,diverged,local_minimum,outlier,duplicate,artefact,left_out";
inline constexpr const char* kCertificateStates =
    "certified,near_fold,singular,kink,slow,not_asked";
inline constexpr const char* kStabilities = "attractor,saddle,repeller,marginal";
[[nodiscard]] ASSAY_API std::string word_of(StartStatus status);
[[nodiscard]] ASSAY_API std::string word_of(CertificateState state);
[[nodiscard]] ASSAY_API std::string word_of(Completeness completeness);
[[nodiscard]] ASSAY_API std::string word_of(SpeedNorm norm);

// What stands beside the points of a search.
struct FindFacts {
    RowMatrix start_states;                         // B x state size, the same for each input
    RowMatrix outputs;                              // P x outputs
    Vector distance_to_data;                        // P; empty: no data
    std::string model_digest, data_digest, network; // network: "gru-64"
    SpeedNorm norm = SpeedNorm::half;               // of all q
    // What the search was asked for, by names of options.
    using Setting = std::variant<std::string, double, std::int64_t>;
    std::vector<std::pair<std::string, Setting>> options;
};
// points/..., starts/..., inputs, index_sum and attributes. Throws Error as HDF5 does.
ASSAY_API void write_find(hdf5::Group group, const FindResult& result, const FindFacts& facts);

// What a later step needs of a search.
struct FoundPoints {
    Points points;
    RowMatrix inputs; // K x inputs
    RowMatrix output; // P x outputs
    std::string model_digest;
};
// `group` is /fixedpoints/find. Throws Error that names the dataset, what was found and expected.
[[nodiscard]] ASSAY_API FoundPoints read_find(const hdf5::Group& group);

// Linearisations, point by point, so that no array of all Jacobians need be in memory.
class ASSAY_API LinearisationWriter {
  public:
    // `values` eigenvalues and `modes` vectors a point; fewer values than `state` are those of slow
    // modes. Jacobians are written where `jacobians` is true.
    struct Sizes {
        Index points, state, inputs, values, modes;
    };
    // Where the network is a flow taken in steps, the rates mu = (lambda - 1) / dt and ln lambda /
    // dt stand beside the eigenvalues. Of slow points, time_constants say that F(h*) is not h*.
    enum class Step { map, flow };
    LinearisationWriter(hdf5::Group group, const Sizes& sizes, bool jacobians, double dt,
                        Step step = Step::map);
    void note_slow_points();
    void write(Index point, const EigenSystem& system, const RowMatrix& jacobian_state,
               const RowMatrix& jacobian_input, double marginal);
    // Slow modes only, their number being `values`.
    void write_slow(Index point, const SlowModes& modes, const RowMatrix& jacobian_state,
                    const RowMatrix& jacobian_input);
    // The columns that are one number a point.
    void finish() { write_columns(group_); }
    // What has been written so far, for `go_on`.
    void save(hdf5::Group state) const;
    // Writes what was saved as if it were made anew; before anything else is written. Returns how
    // many points that are. Throws Error where the saved state is of another size or kind.
    Index go_on(const hdf5::Group& state);
    [[nodiscard]] const std::vector<Stability>& stability() const { return stability_; }

  private:
    void write_columns(hdf5::Group group) const;
    void write_modes(Index point, const EigenSystem& system);
    void write_jacobians(Index point, const RowMatrix& jacobian_state,
                         const RowMatrix& jacobian_input);

    hdf5::Group group_;
    Sizes sizes_;
    bool jacobians_;
    double dt_;
    std::optional<hdf5::Dataset> time_constants_, frequencies_, condition_, participation_,
        jacobian_state_, jacobian_input_, eigenvalues_, flow_, log_, right_, left_, residual_;
    std::vector<Stability> stability_;
    std::vector<std::int32_t> unstable_;
    std::vector<double> henrici_, transient_;
    std::vector<std::uint8_t> defective_;
};

// Eigen-systems of the points as `linearize` wrote them (all that were kept).
struct Linearisation {
    std::vector<EigenSystem> systems;
    std::vector<Stability> stability;                      // empty for slow modes only
    std::vector<RowMatrix> jacobian_state, jacobian_input; // empty where they were not kept
};
[[nodiscard]] ASSAY_API Linearisation read_linearisation(const hdf5::Group& group);

// /fixedpoints/simulate.
ASSAY_API void write_simulation(hdf5::Group group, const Simulation& simulation, bool states,
                                bool outputs);

} // namespace assay::fixedpoints

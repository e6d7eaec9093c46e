#include <assay/tensor_amp/state_io.hpp>

#include <assay/core/packing.hpp>
#include <assay/hdf5/packed.hpp>
#include <assay/tensor_amp/discrete_io.hpp>

namespace assay::tensor_amp {

// Members of every struct that a state is made of, in one place for both ways.

template <class Archive>
void members(Archive& archive, PriorPointer& prior) {
    Index rank = prior ? prior->rank() : 0;
    std::string text = prior ? prior->describe() : "";
    archive(rank, text);
    if constexpr (Archive::loading) prior = parse_prior(text, rank, read_discrete_values);
}
template <class Archive>
void members(Archive& archive, Belief& b) {
    archive(b.mean, b.covariance, b.summed_covariance, b.log_partition, b.active);
}
template <class Archive>
void members(Archive& archive, LocalFields& f) {
    archive(f.precision, f.field);
}
template <class Archive>
void members(Archive& archive, SweepTrace& t) {
    archive(t.change, t.free_entropy, t.noise_variance, t.damping);
}
template <class Archive>
void members(Archive& archive, AmpIterate& i) {
    archive(i.priors, i.noise_variance, i.squared_norm, i.mean, i.previous, i.belief, i.fields,
            i.seen, i.gram, i.summed, i.row_scales, i.vanishing, i.trace, i.residual, i.damping,
            i.damped_at, i.learned_change, i.free_entropy, i.sweeps, i.status);
}
template <class Archive>
void members(Archive& archive, UnitForm& f) {
    archive(f.columns, f.weights);
}
template <class Archive>
void members(Archive& archive, AlsReplicate& r) {
    archive(r.factors, r.relative_error, r.objective, r.similarity, r.relative_trace, r.status);
}
template <class Archive>
void members(Archive& archive, AlsIterate& i) {
    archive(i.now, i.before, i.grams, i.objective, i.result, i.running);
}
template <class Archive>
void members(Archive& archive, AlsProgress& p) {
    archive(p.done, p.running, p.sweeps);
}
template <class Archive>
void members(Archive& archive, DenseTensor& t) {
    archive(t.shape, t.values, t.observed);
}
template <class Archive>
void members(Archive& archive, TuckerCore& c) {
    archive(c.bases, c.core);
}
template <class Archive>
void members(Archive& archive, SpectralProgress& p) {
    archive(p.tucker, p.core, p.unpolished, p.polish);
}
template <class Archive>
void members(Archive& archive, SymmetricRun& r) {
    archive(r.mean, r.belief, r.precision, r.field, r.prior, r.noise_variance, r.free_entropy,
            r.status, r.trace);
}
template <class Archive>
void members(Archive& archive, SymmetricIterate& i) {
    archive(i.run, i.previous, i.seen, i.summed, i.vanishing, i.learned_change, i.sweeps);
}
template <class Archive>
void members(Archive& archive, FitState& s) {
    archive(s.noise_variance, s.starts, s.start, s.amp, s.truth_overlap, s.self_overlap, s.als,
            s.symmetric_done, s.symmetric);
}

template <class Archive>
void members(Archive& archive, SweepTheory& t) {
    archive(t.signal_error_uninformed, t.signal_error_informed, t.mse_uninformed, t.mse_informed,
            t.free_entropy_uninformed, t.free_entropy_informed);
}
template <class Archive>
void members(Archive& archive, SweepRow& r) {
    archive(r.setting, r.instance, r.algorithm, r.status, r.iterations, r.mse, r.overlap,
            r.signal_error, r.similarity, r.evidence, r.cpu_seconds);
}
template <class Archive>
void members(Archive& archive, SweepState& s) {
    archive(s.theory, s.theory_done, s.rows, s.fit, s.fit_seconds);
}

template <class Archive>
void members(Archive& archive, Thresholds& t) {
    archive(t.algorithmic, t.information, t.dynamic, t.bbp);
}
template <class Archive>
void members(Archive& archive, AccuracyRows& r) {
    archive(r.mse_reached, r.mse_best, r.free_entropy, r.regime);
}
template <class Archive>
void members(Archive& archive, PhasePoint& p) {
    archive(p.thresholds, p.specialisation, p.unfolding, p.overlaps, p.delta, p.free_entropy,
            p.accuracy);
}

template <class Archive>
void members(Archive& archive, RankScore& s) {
    archive(s.evidence, s.cv_error, s.cv_sem, s.core_consistency, s.similarity, s.status);
}

template <class Archive>
void members(Archive& archive, RankProgress& p) {
    archive(p.scores, p.by_evidence, p.fold_errors, p.fit);
}

template <class State>
void write_state(hdf5::Group group, const State& state) {
    hdf5::write_packed(group, packed(state));
}

template <class State>
State read_state(const hdf5::Group& group) {
    return unpacked<State>(hdf5::read_packed(group));
}

template ASSAY_API void write_state(hdf5::Group group, const FitState& state);
template ASSAY_API void write_state(hdf5::Group group, const SweepState& state);
template ASSAY_API void write_state(hdf5::Group group, const PhasePoints& state);
template ASSAY_API void write_state(hdf5::Group group, const RankProgress& state);
template ASSAY_API FitState read_state(const hdf5::Group& group);
template ASSAY_API SweepState read_state(const hdf5::Group& group);
template ASSAY_API PhasePoints read_state(const hdf5::Group& group);
template ASSAY_API RankProgress read_state(const hdf5::Group& group);

} // namespace assay::tensor_amp

// Semantic development in HDF5: /lindyn/develop, /lindyn/coherence, /lindyn/induct, and where the
// course of learning comes from: a result of `predict`, or the checkpoints of a run.
#pragma once

#include <assay/core/export.hpp>
#include <assay/hdf5/object.hpp>
#include <assay/lindyn/coherence.hpp>
#include <assay/lindyn/development.hpp>
#include <assay/lindyn/differentiation.hpp>
#include <assay/lindyn/neural_similarity.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::lindyn {

struct Problem;

// From /lindyn/predict: strengths with the modes of `problem`, or, where maps and Gram matrices are
// there (methods exact and flow need them), those.
[[nodiscard]] ASSAY_API std::unique_ptr<Development> read_predicted(const hdf5::Group& predict,
                                                                    const Problem& problem);
// Linear networks of a run's checkpoints `steps`; times are the steps. Throws Error on fewer
// than 2.
[[nodiscard]] ASSAY_API std::unique_ptr<Development>
read_recorded(const hdf5::Group& root, const std::vector<std::int64_t>& steps);

// Item vectors of the modes (n x K), so that outputs are u diag(a) v^T: input singular vectors, or
// for whitened inputs root v.
[[nodiscard]] ASSAY_API Matrix item_vectors(const Problem& problem);

// Labels of items (item x level, or one an item).
[[nodiscard]] ASSAY_API Matrix read_labels(const hdf5::Dataset& dataset, std::int64_t items);

// One T x n x n array, a moment at a time.
ASSAY_API void write_moments(hdf5::Group& group, const std::string& name, Index moments, Index size,
                             const std::function<Matrix(Index)>& at, const hdf5::ArrayInfo& info);
ASSAY_API void write_embedding(hdf5::Group& group, const Embedding& embedding);
ASSAY_API void write_differentiation(hdf5::Group group, const Differentiation& differentiation,
                                     Index items, const std::string& time_unit,
                                     const std::vector<linalg::Merge>& linkage);
// `parts`: T x groups, what each group adds to the curve of the largest excursion; empty: unknown.
ASSAY_API void write_illusions(hdf5::Group group, const Illusions& illusions, const Matrix& parts,
                               const std::vector<Matrix>& peak_parts, const std::string& time_unit);
ASSAY_API void write_typicality(hdf5::Group& group, const Typicality& typicality,
                                const std::string& time_unit);
ASSAY_API void write_level_spectrum(hdf5::Group group, const LevelSpectrum& spectrum);
ASSAY_API void write_networks(hdf5::Group group, const NeuralSimilarity& similarity,
                              const std::vector<std::string>& files);

ASSAY_API void write_coherence(hdf5::Group group, const CoherenceReport& report);
// One row a point of a grid.
ASSAY_API void write_coherence_grid(hdf5::Group group, const std::vector<Category>& categories,
                                    const std::vector<Coherence>& predicted, double background,
                                    double items, double features);

// Row i of the projection of items, row m of that of features.
ASSAY_API void write_induction(hdf5::Group group, Index item, const Vector& property, Index feature,
                               const Vector& features, double time, const std::string& time_unit);

} // namespace assay::lindyn

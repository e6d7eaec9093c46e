// Layers between original and whitened inputs z = root^T x (Problem::root, N1 x r).
#pragma once

#include <assay/core/export.hpp>
#include <assay/core/recording.hpp>

namespace assay::lindyn {

// The layer L (h x r) on z that answers as `front` (h x N1) does on x: L root^T = front in the
// sense of least squares, so exactly where `front` is a layer on z times root^T. Throws Error where
// they do not fit.
[[nodiscard]] ASSAY_API Matrix on_whitened(const Matrix& front, const Matrix& root);

} // namespace assay::lindyn

#include <assay/tensor_amp/tucker_core.hpp>

#include <assay/tensor_amp/mttkrp.hpp>
#include <assay/tensor_amp/slab_sums.hpp>

#include <assay/core/parallel.hpp>
#include <assay/core/random.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>

namespace assay::tensor_amp {

namespace {

constexpr Index kMostGram = 1000; // longer modes get no Gram matrix
constexpr Index kDenseGram = 150; // up to here all eigenvectors are found
constexpr Index kTermsInFloat = 1024;
constexpr Index kOversampling = 8;
constexpr int kKrylovProducts = 8;     // with a Gram matrix
constexpr int kKrylovPasses = 5;       // over the data
constexpr Index kPackedColumns = 1024; // of an unfolding

template <class Scalar>
using RowMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class Scalar>
using ColMajor = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// A contiguous tensor before x length x after, unfolded along its middle mode.
template <class Scalar>
struct Middle {
    const Scalar* data;
    Index before, length, after;
};

// Calls body(piece) for matrices whose columns together are those of the unfolding: length x up to
// kPackedColumns, in float or double.
template <class Scalar, class Body>
void for_each_piece(const Middle<Scalar>& tensor, const Body& body) {
    const Index length = tensor.length, after = tensor.after;
    if (after == 1) {
        const Blocks pieces{tensor.before, kPackedColumns};
        for (Index i = 0; i < pieces.count(); ++i)
            body(Eigen::Map<const ColMajor<Scalar>>(tensor.data + pieces.begin(i) * length, length,
                                                    pieces.extent(i)));
        return;
    }
    if (after >= kPackedColumns / 4) {
        const Blocks pieces{after, kPackedColumns};
        for (Index o = 0; o < tensor.before; ++o)
            for (Index i = 0; i < pieces.count(); ++i)
                body(Eigen::Map<const RowMajor<Scalar>, 0, Eigen::OuterStride<>>(
                    tensor.data + o * length * after + pieces.begin(i), length, pieces.extent(i),
                    Eigen::OuterStride<>(after)));
        return;
    }
    // Short stretches are gathered.
    const Blocks groups{tensor.before, std::max(Index{1}, kPackedColumns / after)};
    RowMajor<Scalar> packed;
    for (Index g = 0; g < groups.count(); ++g) {
        packed.resize(length, groups.extent(g) * after);
        for (Index o = 0; o < groups.extent(g); ++o)
            packed.middleCols(o * after, after) = Eigen::Map<const RowMajor<Scalar>>(
                tensor.data + (groups.begin(g) + o) * length * after, length, after);
        body(packed);
    }
}

// The lower triangle of the Gram matrix of the unfolding is added to `gram`.
template <class Scalar>
void add_gram(const Middle<Scalar>& tensor, Eigen::Ref<MatrixXd> gram) {
    static_assert(kPackedColumns <= kTermsInFloat);
    ColMajor<Scalar> part(tensor.length, tensor.length);
    for_each_piece(tensor, [&](const auto& piece) {
        part.setZero();
        part.template selfadjointView<Eigen::Lower>().rankUpdate(piece);
        gram.template triangularView<Eigen::Lower>() += part.template cast<double>();
    });
}

// Y_(a) (Y_(a)^T x) is added to `product`, the squared norms of the slices to `diagonal`.
template <class Scalar>
void add_product(const Middle<Scalar>& tensor, const ColMajor<Scalar>& x,
                 Eigen::Ref<MatrixXd> product, Eigen::Ref<VectorXd> diagonal) {
    ColMajor<Scalar> inner;
    ColMajor<Scalar> part;
    for_each_piece(tensor, [&](const auto& piece) {
        inner.noalias() = piece.transpose() * x;
        part.noalias() = piece * inner;
        product += part.template cast<double>();
        diagonal += piece.rowwise().squaredNorm().template cast<double>();
    });
}

// Eigenvectors of the `count` largest eigenvalues.
[[nodiscard]] MatrixXd leading_eigenvectors(const MatrixXd& symmetric, Index count) {
    const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(symmetric);
    return eigen.eigenvectors().rightCols(count).rowwise().reverse();
}

// Products with symmetric matrices, one a mode, all in one go.
using Products = std::function<std::vector<MatrixXd>(const std::vector<MatrixXd>&)>;

// The leading `count` eigenvectors of the matrices behind `products` by block Krylov iteration,
// from as many random vectors (some more), with `steps` + 1 calls of `products`.
[[nodiscard]] std::vector<MatrixXd> krylov_vectors(const Products& products,
                                                   const std::vector<Index>& lengths,
                                                   const std::vector<Index>& counts, int steps,
                                                   std::uint64_t seed) {
    std::vector<MatrixXd> block, basis;
    for (std::size_t m = 0; m < lengths.size(); ++m) {
        const Index columns = std::min(counts[m] + kOversampling, lengths[m]);
        block.push_back(
            linalg::random_orthonormal({seed, "tensor-amp/spectral-start"}, lengths[m], columns));
        basis.push_back(block.back());
    }
    for (int step = 0; step < steps; ++step) {
        block = products(block);
        for (std::size_t m = 0; m < lengths.size(); ++m) {
            block[m] = linalg::orthonormalised(block[m]);
            const Index room = lengths[m] - basis[m].cols();
            const Index more = std::min(room, block[m].cols());
            basis[m].conservativeResize(Eigen::NoChange, basis[m].cols() + more);
            basis[m].rightCols(more) = block[m].leftCols(more);
        }
    }
    for (MatrixXd& columns : basis) columns = linalg::orthonormalised(columns);
    const std::vector<MatrixXd> image = products(basis);
    for (std::size_t m = 0; m < lengths.size(); ++m) {
        const MatrixXd projected = basis[m].transpose() * image[m];
        basis[m] *= leading_eigenvectors(0.5 * (projected + projected.transpose()), counts[m]);
    }
    return basis;
}

// The leading eigenvectors of a Gram matrix (lower triangle) without its diagonal.
[[nodiscard]] MatrixXd gram_vectors(MatrixXd gram, Index count, std::uint64_t seed) {
    gram.diagonal().setZero();
    gram = MatrixXd(gram.selfadjointView<Eigen::Lower>());
    const Index krylov_size = (kKrylovProducts + 1) * (count + kOversampling);
    if (gram.rows() <= std::max(kDenseGram, 2 * krylov_size))
        return leading_eigenvectors(gram, count);
    return krylov_vectors(
               [&](const std::vector<MatrixXd>& x) { return std::vector<MatrixXd>{gram * x[0]}; },
               {gram.rows()}, {count}, kKrylovProducts, seed)
        .front();
}

// The spectra of the modes of the right group, from passes over the data.
template <class Scalar>
class RightModes {
  public:
    RightModes(const TensorSource& source, Index rank, std::uint64_t seed, const Execution& run)
        : source_(source), rank_(rank), seed_(seed), run_(run) {}

    // One basis a mode of the group.
    [[nodiscard]] Factors bases() const {
        std::vector<Index> with_gram, without;
        for (Index a = source_.unfolded().left_modes; a < source_.order(); ++a)
            (length(a) <= kMostGram ? with_gram : without).push_back(a);
        Factors result(static_cast<std::size_t>(source_.order()));
        if (!with_gram.empty()) {
            std::vector<MatrixXd> grams = gram_matrices_of(with_gram);
            for (std::size_t m = 0; m < with_gram.size(); ++m)
                result[static_cast<std::size_t>(with_gram[m])] =
                    gram_vectors(std::move(grams[m]), count(with_gram[m]), seed_);
        }
        if (!without.empty()) {
            std::vector<Index> lengths, counts;
            for (const Index a : without) {
                lengths.push_back(length(a));
                counts.push_back(count(a));
            }
            const auto found =
                krylov_vectors([&](const std::vector<MatrixXd>& x) { return products(without, x); },
                               lengths, counts, kKrylovPasses, seed_);
            for (std::size_t m = 0; m < without.size(); ++m)
                result[static_cast<std::size_t>(without[m])] = found[m];
        }
        return {result.begin() + static_cast<std::ptrdiff_t>(source_.unfolded().left_modes),
                result.end()};
    }

  private:
    [[nodiscard]] Index length(Index mode) const {
        return source_.shape()[static_cast<std::size_t>(mode)];
    }
    [[nodiscard]] Index count(Index mode) const { return std::min(rank_, length(mode)); }
    // A slab, unfolded along `mode`.
    [[nodiscard]] Middle<Scalar> middle(const RowBlock& slab, Index mode) const {
        Index after = 1;
        for (Index b = mode + 1; b < source_.order(); ++b) after *= length(b);
        return {slab.values<Scalar>(),
                slab.count * source_.unfolded().columns / (length(mode) * after), length(mode),
                after};
    }

    // Where the numbers of each mode, so many, stand in one column.
    struct Parts {
        std::vector<Index> begin;
        Index size = 0;
        void add(Index numbers) {
            begin.push_back(size);
            size += numbers;
        }
    };

    [[nodiscard]] std::vector<MatrixXd> gram_matrices_of(const std::vector<Index>& modes) const {
        Parts parts;
        for (const Index a : modes) parts.add(length(a) * length(a));
        const auto gram = [&](MatrixXd& numbers, std::size_t m) {
            return Eigen::Map<MatrixXd>(numbers.data() + parts.begin[m], length(modes[m]),
                                        length(modes[m]));
        };
        MatrixXd total =
            sum_over_slabs(source_, parts.size, 1, run_, [&](const RowBlock& slab, MatrixXd& part) {
                for (std::size_t m = 0; m < modes.size(); ++m)
                    add_gram(middle(slab, modes[m]), gram(part, m));
            });
        std::vector<MatrixXd> grams;
        for (std::size_t m = 0; m < modes.size(); ++m) grams.emplace_back(gram(total, m));
        return grams;
    }

    // The Gram matrices without their diagonals times x; one pass.
    [[nodiscard]] std::vector<MatrixXd> products(const std::vector<Index>& modes,
                                                 const std::vector<MatrixXd>& x) const {
        std::vector<ColMajor<Scalar>> rounded;
        for (const MatrixXd& columns : x) rounded.push_back(columns.cast<Scalar>());
        // Of every mode the product, then the diagonal.
        Parts parts;
        for (const MatrixXd& columns : x) parts.add(columns.size() + columns.rows());
        const auto product = [&](MatrixXd& numbers, std::size_t m) {
            return Eigen::Map<MatrixXd>(numbers.data() + parts.begin[m], x[m].rows(), x[m].cols());
        };
        const auto diagonal = [&](MatrixXd& numbers, std::size_t m) {
            return Eigen::Map<VectorXd>(numbers.data() + parts.begin[m] + x[m].size(), x[m].rows());
        };
        MatrixXd total =
            sum_over_slabs(source_, parts.size, 1, run_, [&](const RowBlock& slab, MatrixXd& part) {
                for (std::size_t m = 0; m < modes.size(); ++m)
                    add_product(middle(slab, modes[m]), rounded[m], product(part, m),
                                diagonal(part, m));
            });
        std::vector<MatrixXd> result;
        for (std::size_t m = 0; m < modes.size(); ++m)
            result.emplace_back(product(total, m) - diagonal(total, m).asDiagonal() * x[m]);
        return result;
    }

    const TensorSource& source_;
    Index rank_;
    std::uint64_t seed_;
    const Execution& run_;
};

// The tensor before x length x after times basis^T along its middle: before x basis.cols() x after.
template <class Scalar>
[[nodiscard]] VectorXd contracted(const Middle<Scalar>& tensor, const MatrixXd& basis) {
    const Index count = basis.cols();
    VectorXd result(tensor.before * count * tensor.after);
    ColMajor<Scalar> rounded;
    rounded = basis.cast<Scalar>();
    if (tensor.after == 1) {
        Eigen::Map<MatrixXd>(result.data(), count, tensor.before) =
            (rounded.transpose() *
             Eigen::Map<const ColMajor<Scalar>>(tensor.data, tensor.length, tensor.before))
                .template cast<double>();
        return result;
    }
    for (Index o = 0; o < tensor.before; ++o)
        Eigen::Map<RowMajor<double>>(result.data() + o * count * tensor.after, count,
                                     tensor.after) =
            (rounded.transpose() *
             Eigen::Map<const RowMajor<Scalar>>(tensor.data + o * tensor.length * tensor.after,
                                                tensor.length, tensor.after))
                .template cast<double>();
    return result;
}

// Rows x (the right group in its bases); one pass.
template <class Scalar>
[[nodiscard]] VectorXd compressed_rows(const TensorSource& source, const Factors& right_bases,
                                       const Execution& run) {
    const Unfolding& matrix = source.unfolded();
    Index width = 1;
    for (const MatrixXd& basis : right_bases) width *= basis.cols();
    VectorXd result(matrix.rows * width);
    const auto fill = [&](const RowBlock& slab) {
        Index before = slab.count * matrix.columns / right_bases.back().rows();
        VectorXd values =
            contracted(Middle<Scalar>{slab.values<Scalar>(), before, right_bases.back().rows(), 1},
                       right_bases.back());
        Index after = right_bases.back().cols();
        for (std::size_t m = right_bases.size() - 1; m-- > 0;) {
            const Index length = right_bases[m].rows();
            before /= length;
            values =
                contracted(Middle<double>{values.data(), before, length, after}, right_bases[m]);
            after *= right_bases[m].cols();
        }
        result.segment(slab.first * width, values.size()) = values;
    };
    fill_rows(source, PlacedRows(result.data(), matrix.rows, width, {1, width}), run, fill);
    return result;
}

// The leading eigenvectors of one mode of a tensor in memory.
[[nodiscard]] MatrixXd mode_basis(const Middle<double>& tensor, Index count, std::uint64_t seed) {
    if (tensor.length <= kMostGram) {
        MatrixXd gram = MatrixXd::Zero(tensor.length, tensor.length);
        add_gram(tensor, gram);
        return gram_vectors(std::move(gram), count, seed);
    }
    return krylov_vectors(
               [&](const std::vector<MatrixXd>& x) {
                   MatrixXd product = MatrixXd::Zero(x[0].rows(), x[0].cols());
                   VectorXd diagonal = VectorXd::Zero(x[0].rows());
                   add_product(tensor, x[0], product, diagonal);
                   product -= diagonal.asDiagonal() * x[0];
                   return std::vector<MatrixXd>{product};
               },
               {tensor.length}, {count}, kKrylovProducts, seed)
        .front();
}

} // namespace

TuckerCore tucker_core(const TensorSource& source, Index rank, std::uint64_t seed,
                       const Execution& run) {
    const bool in_float = source.storage() == Storage::float32;
    const Factors right = in_float ? RightModes<float>(source, rank, seed, run).bases()
                                   : RightModes<double>(source, rank, seed, run).bases();
    TuckerCore result;
    VectorXd values = in_float ? compressed_rows<float>(source, right, run)
                               : compressed_rows<double>(source, right, run);
    Index after = 1, before = source.unfolded().rows;
    for (const MatrixXd& basis : right) after *= basis.cols();
    Factors left(static_cast<std::size_t>(source.unfolded().left_modes));
    for (std::size_t a = left.size(); a-- > 0;) {
        const Index length = source.shape()[a];
        before /= length;
        const Middle<double> tensor{values.data(), before, length, after};
        left[a] = mode_basis(tensor, std::min(rank, length), seed);
        values = contracted(tensor, left[a]);
        after *= left[a].cols();
    }
    result.bases = std::move(left);
    result.bases.insert(result.bases.end(), right.begin(), right.end());
    for (const MatrixXd& basis : result.bases) result.core.shape.push_back(basis.cols());
    if (source.masked()) {
        const double seen = observed_counts(source, run).front().sum();
        values *= static_cast<double>(source.size()) / seen;
    }
    result.core.values = std::move(values);
    return result;
}

} // namespace assay::tensor_amp

// The gemm and sparse engines: blocks of 4096 bins, each one product with a strided view of the
// activations.
#include <assay/cnmf/block_store.hpp>

#include <assay/core/memory.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/ranks.hpp>

#include <algorithm>
#include <future>

namespace assay::cnmf {

BlockStore::BlockStore(const Recording& recording, BlockKind kind, Precision precision, bool cached)
    : recording_(&recording), kind_(kind), precision_(precision),
      pieces_(TimeAxis(recording.bins(), recording.segment_start, 1).pieces(kBlockBins)) {
    const auto size_of = [](const AnyBlock& block) {
        return std::visit(
            [](const auto& b) {
                using B = std::decay_t<decltype(b)>;
                if constexpr (std::is_base_of_v<Eigen::SparseMatrixBase<B>, B>)
                    return static_cast<double>(b.nonZeros()) *
                           (sizeof(typename B::Scalar) + sizeof(int));
                else
                    return static_cast<double>(b.size()) * sizeof(typename B::Scalar);
            },
            block);
    };
    if (!cached) {
        bytes_ = static_cast<double>(recording.units()) * static_cast<double>(recording.bins()) *
                 (precision == Precision::float64 ? 8 : 4);
        return;
    }
    cache_.reserve(pieces_.size());
    for (Index b = 0; b < count(); ++b) {
        cache_.push_back(load(b));
        bytes_ += size_of(cache_.back());
    }
}

AnyBlock BlockStore::load(Index block) const {
    const auto& piece = pieces_[static_cast<std::size_t>(block)];
    if (kind_ == BlockKind::sparse) {
        const SparseMatrix data = recording_->read_sparse(piece.first_bin, piece.bins);
        if (precision_ == Precision::float32) return SparseBlock<float>(data.cast<float>());
        return SparseBlock<double>(data);
    }
    Matrix data = recording_->read(piece.first_bin, piece.bins);
    if (precision_ == Precision::float32) return DenseBlock<float>(data.cast<float>());
    return DenseBlock<double>(std::move(data));
}

void BlockStore::walk(const Execution& run, const std::function<void(Index, const AnyBlock&)>& body,
                      Visit visit) const {
    const auto visits = [&](Index lane) {
        return visit == Visit::all || ranks::mine(lane, lanes());
    };
    if (!cache_.empty()) {
        parallel_blocks(lanes(), run.threads, [&](Index lane) {
            if (!visits(lane)) return;
            for (Index block = lane; block < count(); block += kMostLanes)
                body(block, cache_[static_cast<std::size_t>(block)]);
        });
        return;
    }
    // Streaming: one batch is in work while the next is read.
    const Index batch = std::clamp<Index>(run.threads, 1, kMostLanes);
    std::vector<Index> visited;
    for (Index b = 0; b < count(); ++b)
        if (visits(b % kMostLanes)) visited.push_back(b);
    const auto most = static_cast<Index>(visited.size());
    const auto read_batch = [&](Index first) {
        std::vector<AnyBlock> blocks;
        for (Index i = first; i < std::min(first + batch, most); ++i)
            blocks.push_back(load(visited[static_cast<std::size_t>(i)]));
        return blocks;
    };
    auto ahead = std::async(std::launch::async, read_batch, Index{0});
    for (Index first = 0; first < most; first += batch) {
        const std::vector<AnyBlock> blocks = ahead.get();
        if (first / batch % kReadsPerRelease == 0) release_free_memory();
        if (first + batch < most) ahead = std::async(std::launch::async, read_batch, first + batch);
        parallel_blocks(static_cast<Index>(blocks.size()), run.threads, [&](Index i) {
            body(visited[static_cast<std::size_t>(first + i)], blocks[static_cast<std::size_t>(i)]);
        });
    }
}

namespace {

// X_block U^T of dense blocks.
template <class Scalar, class View>
void add_activation_product(const DenseBlock<Scalar>& x, const View& unfolded_rows, Matrix& sum) {
    if constexpr (std::is_same_v<Scalar, double>)
        sum.noalias() += x * unfolded_rows;
    else
        sum += (x * unfolded_rows).template cast<double>();
}

// The same for sparse blocks: every non-zero adds K L contiguous numbers.
template <class Scalar, class View>
void add_activation_product(const SparseBlock<Scalar>& x, const View& unfolded_rows,
                            RowMatrix& sum) {
    for (Index t = 0; t < x.outerSize(); ++t)
        for (typename SparseBlock<Scalar>::InnerIterator it(x, t); it; ++it)
            sum.row(it.row()) += (it.value() * unfolded_rows.row(t)).template cast<double>();
}

// Y = X_block^T W, then row t of Y (K L numbers) is added to K L contiguous numbers of G, from row
// t-L+1 on.
template <class Scalar>
void add_motif_product(const DenseBlock<Scalar>& x, const DenseBlock<Scalar>& motifs,
                       Index components, TimeMatrix& local) {
    const Index width = motifs.cols();
    const Index strip = std::clamp<Index>(131072 / width, 64, 1024);
    Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> product;
    for (Index first = 0; first < x.cols(); first += strip) {
        const Index count = std::min(strip, x.cols() - first);
        product.noalias() = x.middleCols(first, count).transpose() * motifs;
        for (Index t = 0; t < count; ++t)
            Eigen::Map<Eigen::RowVectorXd>(local.data() + (first + t) * components, width) +=
                product.row(t).template cast<double>();
    }
}

template <class Scalar>
void add_motif_product(
    const SparseBlock<Scalar>& x,
    const Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>& motifs,
    Index components, TimeMatrix& local) {
    for (Index t = 0; t < x.outerSize(); ++t) {
        Eigen::Map<Eigen::RowVectorXd> window(local.data() + t * components, motifs.cols());
        for (typename SparseBlock<Scalar>::InnerIterator it(x, t); it; ++it)
            window += (it.value() * motifs.row(it.row())).template cast<double>();
    }
}

template <class Scalar, BlockKind kind>
class BlockedProducts : public DataProducts {
    static constexpr bool kDense = kind == BlockKind::dense;
    using Block = std::conditional_t<kDense, DenseBlock<Scalar>, SparseBlock<Scalar>>;
    using Sum = std::conditional_t<kDense, Matrix, RowMatrix>;
    using ScalarRows = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using MotifMatrix = std::conditional_t<kDense, DenseBlock<Scalar>, ScalarRows>;

  public:
    BlockedProducts(std::shared_ptr<BlockStore> store, const Recording& recording, Index lags)
        : DataProducts(TimeAxis(recording.bins(), recording.segment_start, lags),
                       kDense ? Engine::gemm : Engine::sparse),
          store_(std::move(store)), units_(recording.units()) {
        // Equal cuts on both axes: the store's pieces know no lags, these know their rows.
        pieces_ = axis_.pieces(kBlockBins);
    }

    Matrix with_activations(const TimeMatrix& activations, const Execution& run) override {
        const Index width = activations.cols() * axis_.lags();
        // A lane is a partial sum of its own; where B is large there is one, and the units are cut
        // instead.
        const bool large = units_ * width > kLargeSum;
        const ScalarRows& rows = activations.template cast<Scalar>();
        std::vector<Sum> partial(large ? 1 : static_cast<std::size_t>(kMostLanes),
                                 Sum::Zero(units_, width));
        const auto view = [&](Index block) {
            const auto& piece = pieces_[static_cast<std::size_t>(block)];
            return unfolded(rows, axis_.lags(), piece.first_row, piece.bins);
        };
        if (!large) {
            store_->walk(run, [&](Index block, const AnyBlock& data) {
                add_activation_product<Scalar>(
                    std::get<Block>(data), view(block),
                    partial[static_cast<std::size_t>(block % kMostLanes)]);
            });
            share_lanes(partial);
        } else {
            Execution in_order = run;
            in_order.threads = 1;
            store_->walk(
                in_order,
                [&](Index block, const AnyBlock& data) {
                    add_large_product(std::get<Block>(data), view(block), partial.front(), run);
                },
                BlockStore::Visit::all);
            if constexpr (kDense) share_slabs(partial.front());
        }
        count_work(width);
        return tree_sum(std::move(partial));
    }

    TimeMatrix with_motifs(const Matrix& motifs, const Execution& run) override {
        const Index lags = axis_.lags(), components = motifs.cols() / lags, reach = lags - 1;
        const MotifMatrix& scalar_motifs = motifs.template cast<Scalar>();
        TimeMatrix result = TimeMatrix::Zero(axis_.rows(), components);
        std::vector<TimeMatrix> edges(pieces_.size(), TimeMatrix(reach, components));
        store_->walk(run, [&](Index block, const AnyBlock& data) {
            const auto& piece = pieces_[static_cast<std::size_t>(block)];
            TimeMatrix local = TimeMatrix::Zero(piece.bins + reach, components);
            add_motif_product<Scalar>(std::get<Block>(data), scalar_motifs, components, local);
            result.middleRows(piece.first_row, piece.bins) = local.bottomRows(piece.bins);
            edges[static_cast<std::size_t>(block)] = local.topRows(reach);
        });
        std::vector<ranks::Filled> filled;
        for (std::size_t b = 0; b < pieces_.size(); ++b) {
            const int owner = ranks::owner(static_cast<Index>(b) % kMostLanes, store_->lanes());
            const auto bytes = [&](Index rows) {
                return sizeof(double) * static_cast<std::size_t>(rows * components);
            };
            filled.push_back(
                {result.row(pieces_[b].first_row).data(), bytes(pieces_[b].bins), owner});
            filled.push_back({edges[b].data(), bytes(reach), owner});
        }
        ranks::exchange(filled);
        // What a block adds to the rows before it, in order of time.
        for (std::size_t b = 0; b < pieces_.size(); ++b)
            result.middleRows(pieces_[b].first_row - reach, reach) += edges[b];
        axis_.clear_padding(result);
        count_work(motifs.cols());
        return result;
    }

  private:
    static constexpr Index kLargeSum = Index{1} << 21;
    static constexpr Index kSlab = 128;

    // Lanes are whole at the ranks that own them; sums over lanes are then the same everywhere.
    void share_lanes(std::vector<Sum>& partial) const {
        std::vector<ranks::Filled> filled;
        for (Index lane = 0; lane < store_->lanes(); ++lane) {
            Sum& sum = partial[static_cast<std::size_t>(lane)];
            filled.push_back({sum.data(), sizeof(double) * static_cast<std::size_t>(sum.size()),
                              ranks::owner(lane, store_->lanes())});
        }
        ranks::exchange(filled);
    }
    static void share_slabs(Matrix& sum) {
        if (ranks::team() == 1) return;
        const Blocks slabs{sum.rows(), kSlab};
        for (Index s = 0; s < slabs.count(); ++s) {
            Matrix slab = sum.middleRows(slabs.begin(s), slabs.extent(s));
            ranks::exchange({{slab.data(), sizeof(double) * static_cast<std::size_t>(slab.size()),
                              ranks::owner(s, slabs.count())}});
            sum.middleRows(slabs.begin(s), slabs.extent(s)) = slab;
        }
    }

    template <class View>
    static void add_large_product(const Block& x, const View& unfolded_rows, Sum& sum,
                                  const Execution& run) {
        if constexpr (kDense) {
            const Blocks slabs{x.rows(), kSlab};
            parallel_blocks(slabs.count(), run.threads, [&](Index s) {
                if (!ranks::mine(s, slabs.count())) return;
                const auto slab = x.middleRows(slabs.begin(s), slabs.extent(s));
                auto target = sum.middleRows(slabs.begin(s), slabs.extent(s));
                if constexpr (std::is_same_v<Scalar, double>)
                    target.noalias() += slab * unfolded_rows;
                else
                    target += (slab * unfolded_rows).template cast<double>();
            });
        } else {
            add_activation_product<Scalar>(x, unfolded_rows, sum);
        }
    }

    void count_work(Index width) {
        work_.bytes += store_->bytes();
        const double pairs = kDense
                                 ? static_cast<double>(units_) * static_cast<double>(axis_.bins())
                                 : store_->bytes() / (sizeof(Scalar) + sizeof(int));
        work_.flops += 2 * pairs * static_cast<double>(width);
    }
    std::shared_ptr<BlockStore> store_;
    Index units_;
    std::vector<TimeAxis::Piece> pieces_;
};

} // namespace

std::unique_ptr<DataProducts> blocked_products(std::shared_ptr<BlockStore> store,
                                               const Recording& recording, BlockKind kind,
                                               Precision precision, Index lags) {
    const bool single = precision == Precision::float32;
    if (kind == BlockKind::dense) {
        if (single)
            return std::make_unique<BlockedProducts<float, BlockKind::dense>>(std::move(store),
                                                                              recording, lags);
        return std::make_unique<BlockedProducts<double, BlockKind::dense>>(std::move(store),
                                                                           recording, lags);
    }
    if (single)
        return std::make_unique<BlockedProducts<float, BlockKind::sparse>>(std::move(store),
                                                                           recording, lags);
    return std::make_unique<BlockedProducts<double, BlockKind::sparse>>(std::move(store), recording,
                                                                        lags);
}

} // namespace assay::cnmf

#include <assay/cnmf/products.hpp>

#include <assay/cnmf/block_store.hpp>
#include <assay/core/digest.hpp>
#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/phase.hpp>
#include <assay/core/text.hpp>

#include <array>
#include <cmath>

namespace assay::cnmf {
namespace {

// Rates of one core in floating-point operations a second, as measured with AVX-512 doubles. They
// only rank the engines; fixed numbers keep the choice, and so the bits, the same from run to run.
constexpr double kGemmRate = 45e9;
constexpr double kThinGemmRate = 28e9;
constexpr double kTransformRate = 3e9;
constexpr double kSparseRate = 6e9;

double scalar_bytes(Precision precision) {
    return precision == Precision::float64 ? 8 : 4;
}

double dense_bytes(const Recording& r, Precision precision) {
    return static_cast<double>(r.units()) * static_cast<double>(r.bins()) * scalar_bytes(precision);
}

// What a walk over all numbers finds.
class Surveyor {
  public:
    explicit Surveyor(const Recording& recording) {
        survey_.unit_power = Vector::Zero(recording.units());
        const std::array<Index, 2> shape{recording.units(), recording.bins()};
        digest_.add(shape.data(), sizeof shape);
        digest_.add(recording.segment_start.data(), recording.segment_start.size() * sizeof(Index));
    }
    void see(Index unit, Index bin, double x) {
        if (x == 0) return;
        if (!std::isfinite(x))
            throw Error(concat(std::isnan(x) ? "NaN" : "Inf", " at [", unit, ", ", bin,
                               "]; finite numbers are expected",
                               std::isnan(x) ? " (see --missing nan)" : ""));
        if (x < 0) {
            if (negatives_++ == 0) first_negative_ = {unit, bin};
            least_ = std::min(least_, x);
        }
        ++survey_.nonzeros;
        const struct {
            Index unit, bin;
            double value;
        } entry{unit, bin, x};
        digest_.add(&entry, sizeof entry);
        survey_.unit_power(unit) += x * x;
        survey_.largest = std::max(survey_.largest, x);
    }
    Survey finish() {
        if (negatives_ > 0)
            throw Error(concat(negatives_, " negative values (the least ", significant(least_, 4),
                               ", the first at [", first_negative_[0], ", ", first_negative_[1],
                               "]); nonnegative data are expected (see --negatives)"));
        survey_.digest = digest_.hex();
        survey_.squared_norm = survey_.unit_power.sum();
        if (!std::isfinite(survey_.squared_norm))
            throw Error(concat("values up to ", significant(survey_.largest, 3),
                               " overflow when squared; smaller units are expected"));
        if (survey_.largest > 0 && !(survey_.squared_norm > 0))
            throw Error(concat("values up to ", significant(survey_.largest, 3),
                               " vanish when squared; larger units are expected (see --scale)"));
        if (!(survey_.squared_norm > 0))
            throw Error("all values are zero; there is nothing to factorise");
        return survey_;
    }

  private:
    Survey survey_;
    Digest digest_;
    Index negatives_ = 0;
    std::array<Index, 2> first_negative_{};
    double least_ = 0;
};

Survey survey_of(const Recording& recording, const Execution& run) {
    const Phase phase(*run.monitor, "survey");
    Surveyor surveyor(recording);
    Index reads = 0;
    for (const auto& piece :
         TimeAxis(recording.bins(), recording.segment_start, 1).pieces(kBlockBins)) {
        run.monitor->stop_if_interrupted();
        if (recording.known_nonzeros()) {
            const SparseMatrix block = recording.read_sparse(piece.first_bin, piece.bins);
            for (Index t = 0; t < block.outerSize(); ++t)
                for (SparseMatrix::InnerIterator it(block, t); it; ++it)
                    surveyor.see(it.row(), piece.first_bin + t, it.value());
            continue;
        }
        const Matrix block = recording.read(piece.first_bin, piece.bins);
        for (Index t = 0; t < block.cols(); ++t)
            for (Index n = 0; n < block.rows(); ++n)
                surveyor.see(n, piece.first_bin + t, block(n, t));
        if (!recording.in_memory() && ++reads % kReadsPerRelease == 0) release_free_memory();
    }
    const Survey survey = surveyor.finish();
    if (const Index silent = (survey.unit_power.array() == 0).count(); silent > 0)
        run.monitor->warn(concat(silent, silent == 1 ? " unit is" : " units are",
                                 " zero throughout; kept, with zero weights"));
    return survey;
}

} // namespace

std::int64_t default_memory() {
    return static_cast<std::int64_t>(0.6 * physical_memory());
}

std::string engine_name(Engine engine) {
    switch (engine) {
    case Engine::gemm:
        return "gemm";
    case Engine::fft:
        return "fft";
    case Engine::sparse:
        return "sparse";
    default:
        return "auto";
    }
}

Data::Data(const Recording& recording, EngineChoice choice, const Execution& run)
    : recording_(&recording), choice_(choice), survey_(survey_of(recording, run)) {
    if (choice_.memory <= 0) choice_.memory = default_memory();
}

Data::~Data() = default;

bool Data::streams() const {
    return dense_bytes(*recording_, choice_.precision) > static_cast<double>(choice_.memory);
}

std::unique_ptr<DataProducts> Data::products(Index components, Index lags, const Execution& run,
                                             Engine preferred) const {
    const Recording& r = *recording_;
    const auto memory = static_cast<double>(choice_.memory);
    const auto bins = static_cast<double>(r.bins()), units = static_cast<double>(r.units());
    const double width = static_cast<double>(components) * static_cast<double>(lags);
    const auto nonzeros = static_cast<double>(survey_.nonzeros);
    const double sparse_bytes = nonzeros * (scalar_bytes(choice_.precision) + sizeof(int));
    const auto segments = static_cast<Index>(r.segment_start.size());
    const double spectrum_bytes =
        spectra_bytes(r.units(), r.bins(), segments, lags, choice_.precision);
    // 3 T K for activations and gradients, besides the data.
    const double room = memory - 24 * bins * static_cast<double>(components);
    const bool spectra_fit = spectrum_bytes < room;

    Engine engine = choice_.engine == Engine::automatic ? preferred : choice_.engine;
    if (engine == Engine::fft && !spectra_fit)
        throw Error("the spectra need " + human_bytes(spectrum_bytes) + " and --memory allows " +
                    human_bytes(room) + "; another --engine streams the recording");
    if (engine == Engine::automatic) {
        const auto transform = static_cast<double>(transform_size(lags));
        const double windows = spectrum_bytes / scalar_bytes(choice_.precision) / units / transform;
        const double transforms = 2 * static_cast<double>(components) * (units + windows) *
                                  transform * 2.5 * std::log2(transform);
        const double gemm = 4 * units * bins * width / kGemmRate;
        const double fft =
            8 * units * windows * transform * static_cast<double>(components) / kThinGemmRate +
            transforms / kTransformRate;
        const double sparse = 4 * nonzeros * width / kSparseRate;
        engine = Engine::gemm;
        double least = gemm;
        if (spectra_fit && fft < least) {
            engine = Engine::fft;
            least = fft;
        }
        if (sparse < least) engine = Engine::sparse;
        run.monitor->detail(concat("engine ", engine_name(engine),
                                   " (expected seconds an iteration: gemm ", significant(gemm, 2),
                                   ", fft ",
                                   spectra_fit ? significant(fft, 2) : std::string("too large"),
                                   ", sparse ", significant(sparse, 2), ")"));
    }
    if (engine == Engine::fft) {
        if (spectra_.lags != lags) {
            spectra_.spectra.reset(); // before the new ones are made
            spectra_ = {lags, transformed(r, choice_.precision, lags, run)};
        }
        return spectral_products(spectra_.spectra, r, choice_.precision, lags);
    }
    const bool dense = engine == Engine::gemm;
    auto& store = dense ? dense_ : sparse_;
    const bool cached = (dense ? dense_bytes(r, choice_.precision) : sparse_bytes) < room;
    if (!store) {
        if (!cached)
            run.monitor->detail(
                "the recording exceeds --memory and is read from its file in every half-step");
        store = std::make_shared<BlockStore>(r, dense ? BlockKind::dense : BlockKind::sparse,
                                             choice_.precision, cached);
    }
    return blocked_products(store, r, dense ? BlockKind::dense : BlockKind::sparse,
                            choice_.precision, lags);
}

} // namespace assay::cnmf

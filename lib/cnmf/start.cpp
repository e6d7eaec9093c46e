#include <assay/cnmf/start.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>

#include <algorithm>
#include <numeric>

namespace assay::cnmf {
namespace {

Matrix uniform_activations(Index components, Index bins, StartIndex index) {
    const Random random(index.seed, "cnmf/start/H");
    Matrix h(components, bins);
    for (Index t = 0; t < bins; ++t)
        for (Index k = 0; k < components; ++k)
            h(k, t) = random.uniform(static_cast<std::uint64_t>(t),
                                     {static_cast<std::uint64_t>(k), index.restart, 0});
    return h;
}

Matrix uniform_motifs(Index units, Index components, Index lags, StartIndex index) {
    const Random random(index.seed, "cnmf/start/W");
    Matrix w(units, components * lags);
    for (Index k = 0; k < components; ++k)
        for (Index l = 0; l < lags; ++l)
            for (Index n = 0; n < units; ++n)
                w(n, motif_column(k, l, components, lags)) =
                    random.uniform(static_cast<std::uint64_t>(n * lags + l),
                                   {static_cast<std::uint64_t>(k), index.restart, 0});
    return w;
}

// First bins of all whole windows of `lags` bins inside segments, and their energies.
struct Windows {
    std::vector<Index> first_bin;
    std::vector<double> energy;
};

Windows windows_of(const Vector& bin_energy, const Recording& data, Index lags) {
    Windows windows;
    const TimeAxis axis(data.bins(), data.segment_start, 1);
    for (const auto& segment : axis.segments())
        for (Index t = 0; t + lags <= segment.bins; ++t) {
            windows.first_bin.push_back(segment.first_bin + t);
            windows.energy.push_back(bin_energy.segment(segment.first_bin + t, lags).sum());
        }
    return windows;
}

Vector energies(const Recording& data) {
    Vector energy(data.bins());
    for (const auto& piece : TimeAxis(data.bins(), data.segment_start, 1).pieces(4096))
        energy.segment(piece.first_bin, piece.bins) =
            data.read(piece.first_bin, piece.bins).colwise().squaredNorm().transpose();
    return energy;
}

void forbid_overlap(Windows& windows, Index chosen, Index lags) {
    for (std::size_t i = 0; i < windows.first_bin.size(); ++i)
        if (std::abs(windows.first_bin[i] - chosen) < lags) windows.energy[i] = 0;
}

Matrix window_motifs(const Recording& recording, const Unseen& unseen, const StartSpec& spec,
                     DataProducts& products, Index components, Index lags, StartIndex index,
                     const Execution& run) {
    Model model{components, lags, Matrix::Zero(recording.units(), components * lags), {}};
    Windows windows = windows_of(energies(recording), recording, lags);
    if (windows.first_bin.empty())
        throw Error("no segment is as long as a motif; --init random can start from that");
    const Random random(index.seed, "cnmf/start/windows");
    Windows allowed = windows;
    std::vector<Matrix> basis; // orthonormal windows of spa, units x K L each with K = 1
    const TimeAxis& axis = products.axis();
    std::optional<Imputation> zeros; // held-out entries, as spa sees them
    if (spec.kind == StartKind::spa) {
        zeros.emplace(unseen, axis);
        zeros->evaluate(Matrix::Zero(recording.units(), lags), TimeMatrix::Zero(axis.rows(), 1),
                        run);
    }
    for (Index k = 0; k < components; ++k) {
        const double total = std::accumulate(allowed.energy.begin(), allowed.energy.end(), 0.0);
        if (!(total > 0)) break; // fewer windows than components: the rest stays at zero and dies
        std::size_t pick = 0;
        if (spec.kind == StartKind::data) {
            double left =
                random.uniform(static_cast<std::uint64_t>(k), {index.restart, 0, 0}) * total;
            while (pick + 1 < allowed.energy.size() && (left -= allowed.energy[pick]) > 0) ++pick;
        } else {
            pick = static_cast<std::size_t>(
                std::max_element(allowed.energy.begin(), allowed.energy.end()) -
                allowed.energy.begin());
        }
        const Index first = allowed.first_bin[pick];
        const Matrix image = recording.read(first, lags);
        set_motif_image(model, k, image);
        if (spec.kind == StartKind::spa) {
            // Project all windows away from this one: their inner products with it are one data
            // product.
            Matrix direction(recording.units(), lags);
            for (Index l = 0; l < lags; ++l)
                direction.col(motif_column(0, l, 1, lags)) = image.col(l);
            for (const Matrix& earlier : basis)
                direction -= earlier.cwiseProduct(direction).sum() * earlier;
            if (direction.norm() > 0) {
                direction /= direction.norm();
                TimeMatrix inner = products.with_motifs(direction, run);
                zeros->add_to(inner, direction, run);
                for (std::size_t i = 0; i < allowed.energy.size(); ++i) {
                    const double projection = inner(axis.row_of(allowed.first_bin[i]), 0);
                    allowed.energy[i] = std::max(0.0, allowed.energy[i] - projection * projection);
                }
                basis.push_back(std::move(direction));
            }
        }
        forbid_overlap(allowed, first, lags);
    }
    return model.motifs;
}

} // namespace

Model start_model(const Data& data, DataProducts& products, const Unseen& unseen,
                  const StartSpec& spec, Index components, Index lags, StartIndex index,
                  const Execution& run) {
    const MaskedRecording recording(data.recording(), unseen.mask);
    Model model;
    model.components = components;
    model.lags = lags;
    if (spec.motifs)
        model.motifs = *spec.motifs;
    else if (spec.kind == StartKind::random || spec.kind == StartKind::coarse)
        model.motifs = uniform_motifs(recording.units(), components, lags, index);
    else
        model.motifs =
            window_motifs(recording, unseen, spec, products, components, lags, index, run);
    model.activations = spec.activations ? *spec.activations
                                         : uniform_activations(components, recording.bins(), index);
    return model;
}

void reseed_component(Model& model, Index component, const Recording& data,
                      const Vector& bin_error) {
    const Windows windows = windows_of(bin_error, data, model.lags);
    if (windows.first_bin.empty()) return;
    const auto pick =
        std::max_element(windows.energy.begin(), windows.energy.end()) - windows.energy.begin();
    const Index first = windows.first_bin[static_cast<std::size_t>(pick)];
    const TimeAxis axis(data.bins(), data.segment_start, model.lags);
    set_motif_image(model, component, Matrix::Zero(model.units(), model.lags));
    model.activations.row(component).setZero();
    const Matrix explained =
        reconstruct(model, axis, axis.padded(model.activations), first, model.lags);
    set_motif_image(model, component, (data.read(first, model.lags) - explained).cwiseMax(0.0));
    model.activations(component, first) = 1;
}

} // namespace assay::cnmf

#include <assay/cnmf/model_io.hpp>

#include <assay/core/error.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace assay::cnmf {

void write_transform(hdf5::Group group, const Model& model, const TransformResult& r,
                     const std::vector<double>& warps, const ModelFacts& facts) {
    const auto count = static_cast<Index>(warps.size());
    write_arrays(group, model, count);
    write_facts(group, facts);
    group.write("warp", warps, {"warp", "", "factor by which motifs were stretched in time"});
    const RowMatrix shares =
        Eigen::Map<const RowMatrix>(r.loadings.data(), count, model.components / count);
    group.write("loadings", shares.data(), {count, model.components / count},
                {"warp,component", "", "share of the data's power explained"});
    write_unit_r2(group, r.evaluation);
    write_unit_order(group, order_units(model));
    group.set_attribute("relative_loss", r.evaluation.relative_loss());
    group.set_attribute("kkt", r.kkt);
    group.set_attribute("sweeps", static_cast<std::int64_t>(r.sweeps));
}

void write_unit_r2(hdf5::Group group, const Evaluation& e) {
    const Vector r2 = (e.unit_norm.array() > 0)
                          .select(1 - e.unit_error.array() / e.unit_norm.array(),
                                  std::numeric_limits<double>::quiet_NaN());
    write_unit_r2(group, r2);
}

void write_unit_r2(hdf5::Group group, const Vector& unit_r2) {
    group.write("unit_r2", unit_r2,
                {"unit", "", "power of each unit explained; NaN for a silent one"});
}

void write_unit_order(hdf5::Group group, const UnitOrder& order) {
    group.write("unit_component", order.component,
                {"unit", "", "component of largest weight; -1 where there is none"});
    group.write("unit_peak_lag", order.peak_lag,
                {"unit", "bin", "lag of the peak in that component"});
    group.write("unit_order", order.order,
                {"unit", "", "units sorted by component, then peak lag"});
}

void write_comparison(hdf5::Group group, const Comparison& c) {
    group.write("similarity", c.similarity,
                {"component,component", "", "cosine of component reconstructions"});
    group.write("match", c.match,
                {"component", "", "partner in the second model; -1 where there is none"});
    group.write(
        "shift", c.shift,
        {"component", "bin", "bins by which the partner's motif stands later in its window"});
    group.write_scalar("dissimilarity", c.dissimilarity,
                       {"", "", "0 for equal models, towards 1 for unrelated ones"});
}

void write_significance(hdf5::Group group, const Significance& s, double alpha) {
    group.write("skewness", s.skewness,
                {"component", "", "skewness of the overlap of motif and held-out data"});
    group.write("null", s.null,
                {"component,null", "", "the same for motifs with rows shifted at random"});
    group.write("p", s.p, {"component", "", "(1 + nulls that reach the skewness) / (1 + nulls)"});
    group.write("significant", flags(s.significant),
                {"component", "boolean", "p at most alpha / testable components"});
    group.write("degenerate", flags(s.degenerate),
                {"component", "boolean", "no weight, or a single unit: not testable"});
    group.set_attribute("alpha", alpha);
    group.set_attribute("testable", static_cast<std::int64_t>(s.testable));
}

Vector read_unit_r2(const hdf5::Group& group, const Model& model) {
    return vector_of(group, "unit_r2", model.units(), "W");
}

Significance read_significance(const hdf5::Group& group) {
    Significance s;
    s.null = group.dataset("null").expect_numeric().read_matrix();
    s.skewness = vector_of(group, "skewness", s.null.rows(), "null");
    s.p = vector_of(group, "p", s.null.rows(), "null");
    return s;
}

void write_events(hdf5::Group group, const Events& e, const ModelFacts& facts,
                  const std::optional<EventScore>& score) {
    group.write("component", e.component, {"event", "", "component that occurs"});
    group.write("bin", e.bin, {"event", "bin", "bin in which its motif starts"});
    if (facts.bin_seconds) {
        std::vector<double> seconds;
        for (const auto bin : e.bin) seconds.push_back(facts.seconds_of(bin));
        group.write("time", seconds, {"event", "s", "the same in the session's time"});
    }
    group.write("amplitude", e.amplitude, {"event", "", "height of the activation"});
    group.write("threshold", e.threshold,
                {"component", "", "height above which a peak is an event"});
    if (!score) return;
    group.set_attribute("precision", score->precision);
    group.set_attribute("recall", score->recall);
    group.set_attribute("jitter_bins", score->jitter);
    group.write("offset", score->offset,
                {"component", "bin", "bins from the true event to the found one"});
}

Events read_truth_events(const hdf5::Group& truth) {
    Events events;
    if (truth.has_dataset("event_bin") && truth.has_dataset("event_component")) {
        events.bin = truth.dataset("event_bin").read<std::int64_t>();
        events.component = truth.dataset("event_component").read<std::int64_t>();
    } else {
        const Matrix h = truth.dataset("H").read_matrix();
        for (Index t = 0; t < h.cols(); ++t)
            for (Index k = 0; k < h.rows(); ++k)
                if (h(k, t) > 0) {
                    events.bin.push_back(t);
                    events.component.push_back(k);
                }
    }
    if (events.bin.size() != events.component.size())
        throw Error(truth.where() + ": event_bin and event_component differ in length");
    events.amplitude.assign(events.bin.size(), 1.0);
    return events;
}

void write_extent(hdf5::Group group, const Extent& r, const RecordingFacts& facts) {
    const Index components = r.p.rows(), units = r.p.cols();
    const Index width = static_cast<Index>(r.correlation.size()) / (components * units);
    group.write("correlation", r.correlation.data(), {components, units, width},
                {"component,unit,lag", "", "correlation of a unit with the activation"});
    std::vector<std::int64_t> lags;
    for (Index l = 0; l < width; ++l) lags.push_back(r.first_lag + l);
    group.write("lag", lags, {"lag", "bin", "lags of the correlation"});
    write_unit_ids(group, facts);
    group.write("p", r.p,
                {"component,unit", "",
                 "(1 + nulls whose largest peak over units reaches it) / (1 + nulls)"});
    const RowMatrix participates = r.participates;
    const std::vector<std::uint8_t> part(participates.data(),
                                         participates.data() + participates.size());
    group.write("participates", part.data(), {components, units},
                {"component,unit", "boolean", "1 where p is at most alpha"});
    group.write("first_lag", r.first, {"component", "bin", "first lag at which a unit takes part"});
    group.write("last_lag", r.last,
                {"component", "bin", "last lag; before the first where no unit does"});
}

void write_sequenciness(hdf5::Group group, const Sequenciness& r) {
    group.write_scalar("sequenciness", r.value, {"", "", "(power - sync) / (power - noise)"});
    group.write_scalar("power", r.power, {"", "", "best power explained"});
    group.write("noise_power", r.noise_powers,
                {"shuffle", "", "power with every unit shuffled on its own"});
    group.write("sync_power", r.sync_powers,
                {"shuffle", "", "power with all units shuffled alike"});
}

} // namespace assay::cnmf

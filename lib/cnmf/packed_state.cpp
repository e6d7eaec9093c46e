#include <assay/cnmf/packed_state.hpp>

#include <assay/core/packing.hpp>

#include <cstdint>
#include <optional>

namespace assay::cnmf {
namespace {

// The starts that one rank has made; nothing where it has made none.
struct Starts {
    Work work;
    std::vector<double> losses;
    std::vector<std::int64_t> numbers;
    std::optional<Model> best;
    History history;
    Index restart = 0, fallbacks = 0;
    std::string stop;
};

} // namespace

template <class Archive>
void members(Archive& archive, Work& work) {
    archive(work.flops, work.bytes);
}
template <class Archive>
void members(Archive& archive, Model& model) {
    archive(model.components, model.lags, model.motifs, model.activations);
}
template <class Archive>
void members(Archive& archive, History& history) {
    archive(history.loss, history.test_loss, history.objective, history.kkt, history.seconds);
}
namespace {

template <class Archive>
void members(Archive& archive, Starts& starts) {
    archive(starts.work, starts.losses, starts.numbers, starts.best, starts.history, starts.restart,
            starts.fallbacks, starts.stop);
}

} // namespace

std::string packed_starts(const FitState& state) {
    const Bytes bytes = packed(Starts{state.work, state.restart_loss, state.restart_number,
                                      state.best, state.best_history, state.best_restart,
                                      state.best_fallbacks, state.best_stop});
    return {bytes.begin(), bytes.end()};
}

FitState joined_starts(const std::vector<std::string>& packed) {
    FitState joined;
    for (const std::string& text : packed) {
        auto one = unpacked<Starts>(Bytes(text.begin(), text.end()));
        if (!one.best) continue;
        joined.restart_loss.insert(joined.restart_loss.end(), one.losses.begin(), one.losses.end());
        joined.restart_number.insert(joined.restart_number.end(), one.numbers.begin(),
                                     one.numbers.end());
        joined.work = {joined.work.flops + one.work.flops, joined.work.bytes + one.work.bytes};
        const bool better =
            !joined.best || one.history.objective.back() < joined.best_history.objective.back();
        if (!better) continue;
        joined.best = std::move(one.best);
        joined.best_history = std::move(one.history);
        joined.best_restart = one.restart;
        joined.best_fallbacks = one.fallbacks;
        joined.best_stop = one.stop;
    }
    return joined;
}

} // namespace assay::cnmf

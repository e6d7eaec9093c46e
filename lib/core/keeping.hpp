// Long work kept safe: its state is saved now and then and before the work stops, so that it can go
// on to the same bits.
#pragma once

#include <assay/core/error.hpp>
#include <assay/core/monitor.hpp>

#include <chrono>
#include <functional>
#include <optional>

namespace assay {

template <class State>
struct Keeping {
    std::optional<State> resume;            // where to go on from
    std::function<void(const State&)> save; // empty: an interruption loses the work
    double save_every = 30;                 // seconds
    // The same for a part of that work, whose state `whole` completes to all.
    template <class Part, class Whole>
    [[nodiscard]] Keeping<Part> of_part(std::optional<Part> resume_part, Whole whole) const {
        Keeping<Part> part{std::move(resume_part), {}, save_every};
        if (save)
            part.save = [save = save, whole = std::move(whole)](const Part& state) {
                save(whole(state));
            };
        return part;
    }
};

// The places of a loop where its state can be saved. Both arguments must outlive this.
template <class State>
class SafePoints {
  public:
    SafePoints(const Keeping<State>& keeping, const Monitor& monitor)
        : keeping_(keeping), monitor_(monitor) {}

    // Saves what `state_now` returns where that is due. Throws Interrupted, the state saved, where
    // the program is to stop.
    template <class Make>
    void reached(const Make& state_now) {
        step(state_now, [] {});
    }

    // The same before `work`, which may be interrupted on its way: then the state before it is
    // saved.
    template <class Make, class Work>
    void step(const Make& state_now, const Work& work) {
        if (!keeping_.save) {
            monitor_.stop_if_interrupted();
            work();
            return;
        }
        const State& state = state_now();
        if (Clock::now() - saved_ >= std::chrono::duration<double>(keeping_.save_every)) {
            keeping_.save(state);
            saved_ = Clock::now();
        }
        try {
            monitor_.stop_if_interrupted();
            work();
        } catch (const Interrupted&) {
            keeping_.save(state);
            throw Interrupted("interrupted; --resume goes on");
        }
    }

  private:
    using Clock = std::chrono::steady_clock;
    const Keeping<State>& keeping_;
    const Monitor& monitor_;
    Clock::time_point saved_ = Clock::now();
};

} // namespace assay

#include "figures.hpp"

#include "fit_figures.hpp"
#include "sweep_figures.hpp"
#include "theory_figures.hpp"

namespace tensor_amp_app {

// What a step has just written before what it carried from the steps before.
const std::vector<FigureKind>& figures() {
    static const std::vector<FigureKind> all = [] {
        std::vector<FigureKind> list = theory_figures();
        for (const auto& more : {sweep_figures, fit_figures})
            for (FigureKind& kind : more()) list.push_back(std::move(kind));
        return list;
    }();
    return all;
}

} // namespace tensor_amp_app

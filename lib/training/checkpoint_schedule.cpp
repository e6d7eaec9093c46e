#include <assay/training/checkpoint_schedule.hpp>

#include <assay/core/error.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace assay::training {

std::vector<Index> checkpoint_steps(const CheckpointSettings& settings, Index total,
                                    Index horizon) {
    std::set<Index> steps{0, total};
    const auto last = static_cast<double>(total);
    const auto add = [&](double step) {
        const auto whole = static_cast<Index>(std::llround(step));
        if (whole > 0 && whole < total) steps.insert(whole);
    };
    const Index n = settings.number;
    const double span = std::log10(static_cast<double>(horizon > 0 ? horizon : total));
    if (settings.kind == "every")
        for (Index step = n; step < total; step += n) steps.insert(step);
    if (settings.kind == "log")
        for (Index i = 0; i < n || (n > 1 && span > 0); ++i) {
            const double step = std::pow(10.0, static_cast<double>(i) * span /
                                                   static_cast<double>(std::max<Index>(1, n - 1)));
            if (step > last) break;
            add(step);
        }
    if (settings.kind == "decade")
        for (Index i = 0;; ++i) {
            const double step = std::pow(10.0, static_cast<double>(i) / static_cast<double>(n));
            if (step >= last) break;
            add(step);
        }
    if (settings.kind == "pow2") {
        Index step = 1;
        for (; step < total && (n == 0 || step <= n); step *= 2) steps.insert(step);
        for (step = n; n > 0 && step < total; step += n)
            if (step > 0) steps.insert(step);
    }
    for (const Index step : settings.list)
        if (step <= total) steps.insert(step);
    return {steps.begin(), steps.end()};
}

CheckpointSettings parse_checkpoints(const std::string& text) {
    const auto parts = split(text, ':');
    CheckpointSettings settings;
    settings.kind = parts.empty() ? "" : parts[0];
    const auto refuse = [&] {
        throw UsageError("option '--checkpoints': found '" + printable(text, 40) +
                         "'; every:K, log:N, decade:N, pow2[:K] or list:a,b,c is expected");
    };
    settings.number = 0;
    if (settings.kind == "list" && parts.size() == 2) {
        for (const auto& one : split(parts[1], ',')) {
            const auto step = parse_integer(one);
            if (!step || *step < 0) refuse();
            settings.list.push_back(*step);
        }
        return settings;
    }
    const bool counted = settings.kind == "every" || settings.kind == "log" ||
                         settings.kind == "decade" || settings.kind == "pow2";
    if (!counted || parts.size() > 2 || (parts.size() == 1 && settings.kind != "pow2")) refuse();
    if (parts.size() == 2) {
        const auto number = parse_integer(parts[1]);
        if (!number || *number < 1) refuse();
        settings.number = *number;
    }
    return settings;
}

} // namespace assay::training

#include <assay/tensor_amp/shape_checks.hpp>

#include <assay/core/error.hpp>
#include <assay/core/memory.hpp>
#include <assay/core/text.hpp>

#include <algorithm>
#include <cmath>

namespace assay::tensor_amp {

std::string shape_text(const Shape& shape) {
    std::vector<std::string> parts;
    for (const Index length : shape) parts.push_back(std::to_string(length));
    return join(parts, " x ");
}

void check_shape(const Shape& shape, const std::string& where) {
    const auto order = static_cast<Index>(shape.size());
    if (order < kLeastOrder || order > kMostOrder)
        throw Error(concat(where, ": ", order, order == 1 ? " mode; " : " modes; ", kLeastOrder,
                           " to ", kMostOrder, " are expected"));
    for (Index a = 0; a < order; ++a)
        if (shape[at(a)] < 1) throw Error(concat(where, ": mode ", a, " is empty"));
}

void check_rank(const Shape& shape, Index rank) {
    if (rank < 1) throw Error(concat("rank ", rank, ": at least 1 is expected"));
    for (Index a = 0; a < static_cast<Index>(shape.size()); ++a) {
        const double others = entry_count(shape) / static_cast<double>(shape[at(a)]);
        if (static_cast<double>(rank) > others * (1 + 1e-12))
            throw Error(concat("rank ", rank, ": for a tensor of ", shape_text(shape), " at most ",
                               shortest(std::round(others)), " (the product of the modes but ", a,
                               ") is expected"));
    }
}

void check_cubic(const Shape& shape) {
    if (std::any_of(shape.begin(), shape.end(), [&](Index n) { return n != shape.front(); }))
        throw Error(concat("symmetric: a tensor of ", shape_text(shape),
                           "; equal dimensions are expected"));
}

double allowed_memory(std::int64_t option) {
    return option > 0 ? static_cast<double>(option) : 0.6 * physical_memory();
}

void check_memory(double bytes, double allowed, const std::string& what) {
    if (!(bytes <= allowed))
        throw Error(concat(what, " take ", human_bytes(bytes), ", more than the ",
                           human_bytes(allowed), " allowed (--memory)"));
}

} // namespace assay::tensor_amp

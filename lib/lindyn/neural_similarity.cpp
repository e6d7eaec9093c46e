#include <assay/lindyn/neural_similarity.hpp>

#include <assay/core/error.hpp>
#include <assay/lindyn/development.hpp>

namespace assay::lindyn {
namespace {

// Entries on and below the diagonal, or below it only.
Vector lower_part(const Matrix& square, Index below) {
    std::vector<double> entries;
    for (Index j = 0; j < square.cols(); ++j)
        for (Index i = j + below; i < square.rows(); ++i) entries.push_back(square(i, j));
    return Eigen::Map<const Vector>(entries.data(), static_cast<Index>(entries.size()));
}

// Pearson's; NaN where one does not vary.
double correlation(const Vector& x, const Vector& y) {
    const Vector a = x.array() - x.mean(), b = y.array() - y.mean();
    return a.dot(b) / (a.norm() * b.norm());
}

Matrix power_of(const Matrix& square, std::size_t exponent) {
    Matrix power = square;
    for (std::size_t i = 1; i < exponent; ++i) power = power * square;
    return power;
}

} // namespace

NeuralSimilarity compare_networks(const std::vector<Layers>& networks) {
    const auto count = static_cast<Index>(networks.size());
    if (count < 2) throw Error(concat(count, " network; two or more are expected"));
    const Index inputs = networks.front().front().cols(), outputs = networks.front().back().rows();
    std::vector<Matrix> grams, maps;
    std::vector<Vector> similarities, apart;
    NeuralSimilarity s;
    s.root_law.resize(count);
    for (Index k = 0; k < count; ++k) {
        const Layers& layers = networks[static_cast<std::size_t>(k)];
        check_layers(layers, inputs, outputs);
        const Matrix points = layers.front().transpose();
        grams.emplace_back(points * points.transpose());
        maps.push_back(whole_map(layers));
        similarities.push_back(lower_part(grams.back(), 0));
        apart.push_back(lower_part(distances(points), 1));
        const Matrix of_outputs = maps.back().transpose() * maps.back();
        s.root_law(k) =
            (power_of(grams.back(), layers.size()) - of_outputs).norm() / of_outputs.norm();
    }
    s.gram_correlation = s.distance_correlation = s.gram_difference = s.map_difference =
        Matrix(count, count);
    for (std::size_t i = 0; i < networks.size(); ++i)
        for (std::size_t j = 0; j < networks.size(); ++j) {
            const auto row = static_cast<Index>(i), col = static_cast<Index>(j);
            s.gram_correlation(row, col) = correlation(similarities[i], similarities[j]);
            s.distance_correlation(row, col) = correlation(apart[i], apart[j]);
            s.gram_difference(row, col) = (grams[i] - grams[j]).norm() / grams[i].norm();
            s.map_difference(row, col) = (maps[i] - maps[j]).norm() / maps[i].norm();
        }
    return s;
}

} // namespace assay::lindyn

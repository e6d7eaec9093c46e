#include <assay/network/initialise.hpp>

#include <assay/core/error.hpp>
#include <assay/core/random.hpp>
#include <assay/core/text.hpp>
#include <assay/linalg/orthonormal.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::network {
namespace {

constexpr std::array<const char*, 12> kLaws{"auto",           "he",    "he-uniform", "glorot",
                                            "glorot-uniform", "lecun", "orthogonal", "identity",
                                            "normal",         "zeros", "small",      "torch"};

// Layers behind which a rectification is still that of the layer before.
constexpr std::array<const char*, 11> kPasses{
    "batch_norm",      "layer_norm",   "add",
    "max_pool",        "average_pool", "global_average_pool",
    "global_max_pool", "dropout",      "gaussian_noise",
    "flatten",         "reshape"};

struct Law {
    std::string name;
    double parameter = 1;
};

Law parse_law(const std::string& text) {
    const auto parts = split(text, ':');
    Law law{parts.empty() ? "" : parts[0], 1};
    if (parts.size() == 2) {
        const auto value = parse_double(parts[1]);
        if (!value || !(*value > 0))
            throw Error("init: '" + printable(text, 40) +
                        "'; a number above 0 is expected after ':'");
        law.parameter = *value;
    }
    const bool known =
        law.name == "balanced" || std::find(kLaws.begin(), kLaws.end(), law.name) != kLaws.end();
    if (!known || parts.size() > 2)
        throw Error("init: unknown law '" + printable(text, 40) +
                    "'; expected auto, he, he-uniform, glorot, glorot-uniform, lecun, "
                    "orthogonal[:GAIN], identity, normal:S, zeros, small:S, balanced:S or "
                    "torch[:S]");
    return law;
}

// The numbers of one array.
class Draw {
  public:
    Draw(std::uint64_t seed, const std::string& place)
        : random_(seed, "init"), words_{purpose_key(place), 0, 0} {}
    double normal(Index i) const { return random_.normal(static_cast<std::uint64_t>(i), words_); }
    double uniform(Index i) const { return random_.uniform(static_cast<std::uint64_t>(i), words_); }

  private:
    Random random_;
    StreamWords words_;
};

// rows x cols with orthonormal rows or columns, whichever are fewer.
RowMatrix orthogonal(Index rows, Index cols, const Draw& draw, Index first) {
    const Index large = std::max(rows, cols), few = std::min(rows, cols);
    Matrix a(large, few);
    for (Index i = 0; i < a.size(); ++i) a.data()[i] = draw.normal(first + i);
    const Matrix q = linalg::orthonormalised(a);
    return rows >= cols ? RowMatrix(q) : RowMatrix(q.transpose());
}

template <class S>
class Initialiser {
  public:
    Initialiser(const Network<S>& network, Law law, std::uint64_t seed)
        : network_(network), law_(std::move(law)), seed_(seed) {}

    Weights<S> weights() const {
        Weights<S> made{Column<S>::Zero(network_.parameter_count()),
                        Column<S>::Zero(network_.statistics_count())};
        for (const auto& entry : network_.parameters())
            fill(entry, (entry.info.trained ? made.trained : made.statistics)
                            .segment(entry.offset, entry.info.size()));
        if (law_.name == "balanced") balance(made);
        return made;
    }

  private:
    // An array's place among the weights, of zeros.
    using Place = Eigen::Ref<Column<S>>;
    void fill(const ParameterEntry& entry, Place to) const {
        switch (entry.info.role) {
        case Role::scale:
        case Role::variance:
        case Role::shape:
            to.setOnes();
            return;
        case Role::offset:
        case Role::mean:
        case Role::state:
            return;
        case Role::embedding:
            return scaled(entry, embedding_deviation(), false, to);
        case Role::bias:
            return law_.name == "torch" ? torch(entry, to) : bias(entry, to);
        case Role::recurrent:
            return law_.name == "torch" ? torch(entry, to) : recurrent(entry, to);
        case Role::weight:
            return law_.name == "torch" ? torch(entry, to) : weight(entry, to);
        }
    }
    [[nodiscard]] double embedding_deviation() const {
        if (law_.name == "torch" || law_.name == "normal" || law_.name == "small")
            return law_.parameter; // an embedding is a weight of one input
        return law_.name == "zeros" ? 0.0 : 1.0;
    }
    // Weights and biases alike: uniform within 1 / sqrt(units) in recurrent cells, elsewhere within
    // 1 / sqrt(fan in).
    void torch(const ParameterEntry& entry, Place to) const {
        const auto size = is_cell(entry.layer) ? entry.info.fan_out : entry.info.fan_in;
        scaled(entry, 1 / std::sqrt(3.0 * static_cast<double>(size)), true, to);
    }
    [[nodiscard]] bool is_cell(const std::string& layer) const {
        const auto entries = network_.parameters();
        return std::any_of(entries.begin(), entries.end(), [&](const ParameterEntry& entry) {
            return entry.layer == layer && entry.info.role == Role::recurrent;
        });
    }
    // Zero, but 1 for gates that keep the state (Gers et al. 2000).
    void bias(const ParameterEntry& entry, Place to) const {
        const std::string& type = network_.node_type(*network_.find_node(entry.layer));
        if (entry.info.name != "bias" || law_.name == "zeros") return;
        const Index gate = type == "lstm" ? 1 : 0, gates = type == "lstm" ? 4 : 2;
        if (type == "lstm" || type == "janet")
            to.segment(gate * (to.size() / gates), to.size() / gates).setOnes();
    }
    void scaled(const ParameterEntry& entry, double deviation, bool uniform, Place to) const {
        const Draw draw(seed_, entry.layer + "/" + entry.info.name);
        for (Index i = 0; i < to.size(); ++i)
            to(i) = static_cast<S>(uniform ? deviation * std::sqrt(3.0) * (2 * draw.uniform(i) - 1)
                                           : deviation * draw.normal(i));
    }
    void weight(const ParameterEntry& entry, Place to) const {
        const auto fan_in = static_cast<double>(entry.info.fan_in);
        const auto fan_out = static_cast<double>(entry.info.fan_out);
        std::string name = law_.name;
        if (name == "auto" || name == "identity" || name == "balanced")
            name = rectified_after(entry.layer) ? "he" : "glorot";
        const bool uniform = ends_with(name, "-uniform");
        if (starts_with(name, "he")) return scaled(entry, std::sqrt(2 / fan_in), uniform, to);
        if (starts_with(name, "glorot"))
            return scaled(entry, std::sqrt(2 / (fan_in + fan_out)), uniform, to);
        if (name == "lecun") return scaled(entry, std::sqrt(1 / fan_in), false, to);
        if (name == "normal") return scaled(entry, law_.parameter, false, to);
        if (name == "small") return scaled(entry, law_.parameter / std::sqrt(fan_in), false, to);
        if (name == "zeros") return scaled(entry, 0, false, to);
        const Index rows = entry.info.shape[0];
        copy(orthogonal(rows, entry.info.size() / rows,
                        Draw(seed_, entry.layer + "/" + entry.info.name), 0),
             law_.parameter, to);
    }
    // Gate by gate.
    void recurrent(const ParameterEntry& entry, Place to) const {
        if (law_.name == "normal" || law_.name == "zeros" || law_.name == "small")
            return weight(entry, to);
        const Index units = entry.info.shape[1];
        const Draw draw(seed_, entry.layer + "/" + entry.info.name);
        for (Index first = 0; first < entry.info.shape[0]; first += units)
            copy(law_.name == "identity" ? RowMatrix(RowMatrix::Identity(units, units))
                                         : orthogonal(units, units, draw, first * units),
                 law_.name == "orthogonal" ? law_.parameter : 1.0,
                 to.segment(first * units, units * units));
    }
    static void copy(const RowMatrix& m, double gain, Place to) {
        to = (gain * Eigen::Map<const Vector>(m.data(), m.size())).template cast<S>();
    }
    // Whether what consumes the layer's output rectifies it; what keeps or picks numbers in between
    // passes.
    bool rectified_after(const std::string& layer) const {
        Index node = *network_.find_node(layer);
        for (Index next = node + 1; next < network_.nodes(); ++next) {
            const auto& inputs = network_.node_inputs(next);
            if (std::find(inputs.begin(), inputs.end(), node) == inputs.end()) continue;
            const std::string& type = network_.node_type(next);
            if (type == "activation") return network_.rectifies(next);
            if (std::find(kPasses.begin(), kPasses.end(), type) == kPasses.end()) return false;
            node = next;
        }
        return false;
    }
    // Dense layers in a row get singular values S on shared bases: W_l = S R_{l+1} R_l^T.
    void balance(Weights<S>& weights) const {
        const Draw draw(seed_, "balanced");
        RowMatrix basis;
        Index drawn = 0, width = 0;
        for (const auto& entry : network_.parameters())
            if (entry.info.role == Role::weight && entry.info.shape.size() == 2)
                width = width == 0 ? std::min(entry.info.shape[0], entry.info.shape[1])
                                   : std::min({width, entry.info.shape[0], entry.info.shape[1]});
        for (const auto& entry : network_.parameters()) {
            if (entry.info.role != Role::weight || entry.info.shape.size() != 2) continue;
            const Index rows = entry.info.shape[0], cols = entry.info.shape[1];
            if (basis.rows() != cols) {
                basis = orthogonal(cols, width, draw, drawn);
                drawn += cols * width;
            }
            const RowMatrix next = orthogonal(rows, width, draw, drawn);
            drawn += rows * width;
            Eigen::Map<Rows<S>>(weights.trained.data() + entry.offset, rows, cols) =
                (law_.parameter * next * basis.transpose()).template cast<S>();
            basis = next;
        }
    }

    const Network<S>& network_;
    Law law_;
    std::uint64_t seed_;
};

} // namespace

void check_law(const std::string& law) {
    static_cast<void>(parse_law(law));
}

template <class S>
Weights<S> initial_weights(const Network<S>& network, const std::string& law, std::uint64_t seed) {
    return Initialiser<S>(network, parse_law(law), seed).weights();
}

template ASSAY_API Weights<double> initial_weights(const Network<double>&, const std::string&,
                                                   std::uint64_t);
template ASSAY_API Weights<float> initial_weights(const Network<float>&, const std::string&,
                                                  std::uint64_t);

} // namespace assay::network

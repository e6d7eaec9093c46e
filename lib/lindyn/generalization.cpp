#include <assay/lindyn/generalization.hpp>

#include <assay/core/arithmetic.hpp>
#include <assay/core/error.hpp>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

// How the data of a setting scale those of P = N1: singular values are `unit` times the spiked
// matrix of `aspect` whose teacher is `snr` s*, and `reach` s* of the teacher is seen.
struct Scaling {
    double aspect = 1, unit = 1, snr = 1, reach = 1, d = 1;
    Index modes = 0;
};

Scaling scaling_of(const Setting& s) {
    const auto n1 = static_cast<double>(s.inputs), n3 = static_cast<double>(s.outputs);
    const auto p = static_cast<double>(s.sample_count());
    const double root = std::sqrt(p / n1);
    if (s.randomized) {
        const double unit = std::sqrt(s.teacher.squaredNorm() / n3 + 1);
        return {n3 / n1, unit, 0, 0, 1, std::min(s.inputs, s.outputs)};
    }
    if (p >= n1) return {n3 / n1, root, root, 1, p / n1, std::min(s.inputs, s.outputs)};
    return {n3 / p, root, 1, root, 1, std::min(s.sample_count(), s.outputs)};
}

// The modes that a hidden width leaves.
Index learned_of(Index modes, const Student& student) {
    return student.hidden > 0 ? std::min(modes, student.hidden) : modes;
}

ErrorModel empty_model(Index size, double d, const Student& student) {
    ErrorModel m;
    m.s = m.cross = Vector::Zero(size);
    m.count = m.square = Vector::Ones(size);
    m.d = d;
    m.start = student.start;
    m.depth = student.depth;
    return m;
}

struct Learned {
    Vector s, count;
};

// Modes of a data set that a student learns: those that are known, or the signals among the first
// ones and the upper part of the law of noise.
Learned learned_modes(const DataModes& data, Index signals, const Student& student, Index nodes) {
    const Index all = std::min(data.inputs, data.outputs), learned = learned_of(all, student);
    if (data.s.size() >= learned) return {data.s.head(learned), Vector::Ones(learned)};
    const Index known = std::min(signals, learned), noise = learned - known;
    if (noise == 0) return {data.s.head(known), Vector::Ones(known)};
    const double aspect = static_cast<double>(data.outputs) / static_cast<double>(data.inputs);
    const auto share = static_cast<double>(noise) / static_cast<double>(all - signals);
    const Rule bulk = noise_bulk(aspect, nodes, share);
    Learned list{Vector(known + nodes), Vector::Ones(known + nodes)};
    list.s << data.s.head(known), data.noise.unit * bulk.node;
    list.count.tail(nodes) = static_cast<double>(noise) * bulk.weight;
    return list;
}

} // namespace

void check_setting(const Setting& s) {
    if (s.inputs < 1 || s.outputs < 1 || s.samples < 0)
        throw Error(concat("sizes ", s.inputs, ", ", s.outputs, " and ", s.samples,
                           " samples: at least 1 each is expected"));
    const Index modes = std::min({s.inputs, s.outputs, s.sample_count()});
    if (s.teacher.size() < 1 || s.teacher.size() > modes)
        throw Error(concat("a teacher of ", s.teacher.size(), " singular values; 1 to ", modes,
                           " fit ", s.inputs, " inputs, ", s.outputs, " outputs and ",
                           s.sample_count(), " samples"));
    for (Index k = 0; k < s.teacher.size(); ++k)
        if (!(s.teacher(k) > 0) || !std::isfinite(s.teacher(k)) ||
            (k > 0 && s.teacher(k) > s.teacher(k - 1)))
            throw Error(concat("singular value ", k, " of the teacher is ", s.teacher(k),
                               "; descending numbers above 0 are expected"));
    if (!(s.student.start > 0) || !std::isfinite(s.student.start))
        throw Error(concat("initial strength ", s.student.start, "; a number above 0 is expected"));
    if (s.randomized && s.sample_count() != s.inputs)
        throw Error(concat("randomised targets have a theory for as many samples as inputs (",
                           s.inputs, "), not ", s.samples));
}

Theory theory_of(const Setting& s, Index nodes) {
    check_setting(s);
    const Scaling scale = scaling_of(s);
    const Index rank = s.teacher.size(), signals = s.randomized ? 0 : rank;
    const Index learned = learned_of(scale.modes, s.student);
    const Index known = std::min(signals, learned), noise = learned - known;
    const double rest = static_cast<double>(scale.modes - signals);
    Theory theory{empty_model(known + (noise > 0 ? nodes : 0), scale.d, s.student),
                  Vector::Zero(rank), Vector::Zero(rank)};
    ErrorModel& m = theory.model;
    m.teacher_power = s.teacher.squaredNorm();
    // Samples beyond the inputs hold noise that no map can learn.
    m.unlearned = static_cast<double>(s.outputs) *
                  std::max(0.0, static_cast<double>(s.sample_count() - s.inputs)) /
                  static_cast<double>(s.inputs);
    m.target_power = m.unlearned;
    for (Index k = 0; k < signals; ++k) {
        const double snr = scale.snr * s.teacher(k);
        const Overlaps o = squared_overlaps(snr, scale.aspect);
        theory.observed(k) = scale.unit * observed_value(snr, scale.aspect);
        theory.overlap(k) = std::sqrt(o.output * o.input);
        const double power = squared(theory.observed(k)) / scale.d;
        m.target_power += power;
        if (k >= known) {
            m.unlearned += power;
            continue;
        }
        m.s(k) = theory.observed(k);
        m.cross(k) = scale.reach * s.teacher(k) * theory.overlap(k);
    }
    const double noise_power = rest * std::max(scale.aspect, 1.0) * squared(scale.unit) / scale.d;
    m.target_power += noise_power;
    m.unlearned += noise_power;
    if (noise == 0) return theory;
    const auto learned_noise = static_cast<double>(noise);
    const Rule bulk = noise_bulk(scale.aspect, nodes, learned_noise / rest);
    m.s.tail(nodes) = scale.unit * bulk.node;
    m.count.tail(nodes) = learned_noise * bulk.weight;
    m.unlearned -= m.count.tail(nodes).dot(m.s.tail(nodes).cwiseAbs2()) / scale.d;
    m.unlearned = std::max(0.0, m.unlearned);
    return theory;
}

Theory theory_of_data(const DataModes& data, const Student& student, Index nodes) {
    const NoiseReport& noise = data.noise;
    const Index signals = noise.detections(); // the first ones: values descend
    if (!(noise.unit > 0) || signals == 0)
        throw Error(concat("no mode of ", data.s.size(), " stands out of the noise (unit ",
                           noise.unit, "); there is nothing to learn from these data"));
    const Learned learned = learned_modes(data, signals, student, nodes);
    Theory theory{empty_model(learned.s.size(), data.d, student), data.s.head(signals),
                  Vector(signals)};
    ErrorModel& m = theory.model;
    m.s = learned.s;
    m.count = learned.count;
    m.teacher_power = 0;
    for (Index k = 0; k < signals; ++k) {
        const double value = noise.unit * noise.snr(k) / data.d;
        theory.overlap(k) = std::sqrt(noise.overlap_output(k) * noise.overlap_input(k));
        m.teacher_power += squared(value);
        if (k < m.size()) m.cross(k) = value * theory.overlap(k);
    }
    if (signals == data.s.size() && signals < std::min(data.inputs, data.outputs))
        m.teacher_power +=
            missing_power(data.s, data.power, data.inputs, data.outputs, noise.unit) /
            squared(data.d);
    m.teacher_power /= data.seen;
    m.target_power = data.target_power;
    m.unlearned = std::max(0.0, data.target_power - m.count.dot(m.s.cwiseAbs2()) / data.d);
    return theory;
}

ErrorModel known_model(const KnownTeacher& known, const Student& student) {
    const Index learned = learned_of(known.s.size(), student);
    ErrorModel m = empty_model(learned, known.d, student);
    m.s = known.s.head(learned);
    m.cross = known.overlap.head(learned);
    m.square = known.square.head(learned);
    m.teacher_power = known.teacher_power;
    m.target_power = known.target_power;
    m.unlearned = std::max(0.0, known.target_power - m.s.squaredNorm() / known.d);
    return m;
}

} // namespace assay::lindyn

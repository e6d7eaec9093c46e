#include <assay/lindyn/transfer.hpp>

#include <assay/core/arithmetic.hpp>
#include <assay/core/constants.hpp>
#include <assay/core/error.hpp>
#include <assay/core/parallel.hpp>
#include <assay/core/phase.hpp>
#include <assay/linalg/svd.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

namespace assay::lindyn {
namespace {

constexpr double kZero = 1e-6; // share of the first joint singular value that is rounding
constexpr double kAlignmentRounding = 1e-9; // of alignments above 1
constexpr int kBisections = 30;

void check_values(const Vector& values, const char* task, Index most) {
    if (values.size() < 1 || values.size() > most)
        throw Error(concat("task ", task, ": ", values.size(), " singular values; 1 to ", most,
                           " are expected"));
    for (Index k = 0; k < values.size(); ++k)
        if (!(values(k) > 0) || !std::isfinite(values(k)) || (k > 0 && values(k) > values(k - 1)))
            throw Error(concat("task ", task, ": singular value ", k, " is ", values(k),
                               "; descending numbers above 0 are expected"));
}

Setting alone_setting(const TransferSetting& s) {
    return {s.inputs, s.outputs_a, 0, s.a, s.student, false};
}

// Strengths that the theory holds best, of the modes of one draw: its test error with them.
double error_with(const ErrorModel& draw, const ErrorModel& theory) {
    double sum = draw.teacher_power;
    for (Index i = 0; i < std::min(draw.size(), theory.size()); ++i) {
        if (!(theory.cross(i) > 0)) continue;
        const double a = theory.cross(i) / theory.square(i);
        sum += (draw.square(i) * a - 2 * draw.cross(i)) * a;
    }
    return sum / draw.teacher_power;
}

// The benefit as a function of the alignment.
class BenefitOfAlignment {
  public:
    BenefitOfAlignment(TransferSetting setting, double alone)
        : setting_(std::move(setting)), alone_(alone) {}
    double operator()(double q) {
        setting_.alignment = equal_alignment(setting_.a.size(), setting_.b.size(), q);
        return alone_ - optimal_stopping(head_model(setting_), {}, setting_.horizon).value;
    }

  private:
    TransferSetting setting_;
    double alone_;
};

double last_sign_change(BenefitOfAlignment& benefit, const Vector& q, const Vector& values) {
    for (Index i = q.size() - 1; i > 0; --i) {
        if ((values(i) > 0) == (values(i - 1) > 0)) continue;
        double low = q(i - 1), high = q(i);
        for (int bisection = 0; bisection < kBisections; ++bisection) {
            const double middle = (low + high) / 2;
            ((benefit(middle) > 0) == (values(i) > 0) ? high : low) = middle;
        }
        return (low + high) / 2;
    }
    return kNaN;
}

TransferSetting transfer_setting_at(const TransferSetting& base, const TransferGrid& g,
                                    Index point) {
    const Index pair = point / g.alignments();
    TransferSetting s = base;
    s.a *= g.a(pair / g.b.size()) / base.a(0);
    s.b *= g.b(pair % g.b.size()) / base.b(0);
    if (g.q.size() > 0)
        s.alignment = equal_alignment(s.a.size(), s.b.size(), g.q(point % g.q.size()));
    return s;
}

} // namespace

Matrix equal_alignment(Index rank_a, Index rank_b, double q) {
    return q * Matrix::Identity(rank_a, rank_b);
}

void check_transfer(const TransferSetting& s) {
    if (s.inputs < 1 || s.outputs_a < 1 || s.outputs_b < 1)
        throw Error(concat("sizes ", s.inputs, ", ", s.outputs_a, " and ", s.outputs_b,
                           ": at least 1 each is expected"));
    check_values(s.a, "A", std::min(s.inputs, s.outputs_a));
    check_values(s.b, "B", std::min(s.inputs, s.outputs_b));
    if (s.alignment.rows() != s.a.size() || s.alignment.cols() != s.b.size())
        throw Error(concat("alignment: ", s.alignment.rows(), " x ", s.alignment.cols(),
                           " numbers; ", s.a.size(), " x ", s.b.size(),
                           " (modes of A and of B) are expected"));
    if (!s.alignment.allFinite()) throw Error("alignment: not all numbers are finite");
    const double largest = linalg::thin_svd(s.alignment).s(0);
    if (largest > 1 + kAlignmentRounding)
        throw Error(concat("alignment: the largest singular value is ", largest,
                           "; overlaps of directions have none above 1"));
}

JointTeacher joint_teacher(const TransferSetting& s) {
    check_transfer(s);
    const Index ka = s.a.size(), kb = s.b.size();
    Matrix m(ka + kb, ka + kb);
    m.topLeftCorner(ka, ka) = s.a.cwiseAbs2().asDiagonal();
    m.bottomRightCorner(kb, kb) = s.b.cwiseAbs2().asDiagonal();
    m.topRightCorner(ka, kb) = s.a.asDiagonal() * s.alignment * s.b.asDiagonal();
    m.bottomLeftCorner(kb, ka) = m.topRightCorner(ka, kb).transpose();
    const Eigen::SelfAdjointEigenSolver<Matrix> eigen(m);
    const Vector squares = eigen.eigenvalues().reverse();
    const Index rank = (squares.array() > squared(kZero) * squares(0)).count();
    const Vector weights =
        eigen.eigenvectors().topRows(ka).colwise().squaredNorm().transpose().reverse();
    return {squares.head(rank).cwiseSqrt(), weights.head(rank)};
}

ErrorModel alone_model(const TransferSetting& s) {
    return theory_of(alone_setting(s)).model;
}

ErrorModel head_model(const TransferSetting& s) {
    const JointTeacher joint = joint_teacher(s);
    Setting both = alone_setting(s);
    both.outputs = s.outputs_a + s.outputs_b;
    both.teacher = joint.s;
    ErrorModel m = theory_of(both).model;
    const double share = static_cast<double>(s.outputs_a) / static_cast<double>(both.outputs);
    const double aspect = static_cast<double>(both.outputs) / static_cast<double>(s.inputs);
    const Index signals = std::min(joint.s.size(), m.size());
    m.square.setConstant(share);
    for (Index k = 0; k < signals; ++k) {
        const double own = squared_overlaps(joint.s(k), aspect).output;
        m.square(k) = own * joint.head_weight(k) + (1 - own) * share;
        m.cross(k) *= joint.head_weight(k);
    }
    m.teacher_power = s.a.squaredNorm();
    return m;
}

Transfer transfer(const TransferSetting& s) {
    const ErrorModel alone = alone_model(s), joint = head_model(s);
    return {optimal_stopping(alone, {}, s.horizon), optimal_stopping(joint, {}, s.horizon),
            non_gradient_error(alone), non_gradient_error(joint)};
}

TransferGrid transfer_grid(const TransferSetting& s, const Vector& q, const Vector& a,
                           const Vector& b, const Execution& run) {
    const Index pairs = a.size() * b.size(), swept = q.size() > 0 ? pairs : 0;
    TransferGrid grid{q, a, b, {}, Vector(swept), Vector(swept), Vector(swept)};
    const Index alignments = grid.alignments();
    grid.points.resize(static_cast<std::size_t>(pairs * alignments));
    parallel_blocks(pairs, run.threads, [&](Index pair) {
        run.monitor->stop_if_interrupted();
        const Index first = pair * alignments;
        Vector benefits(alignments);
        for (Index i = 0; i < alignments; ++i) {
            run.monitor->stop_if_interrupted();
            Transfer& point = grid.points[static_cast<std::size_t>(first + i)];
            point = transfer(transfer_setting_at(s, grid, first + i));
            benefits(i) = point.benefit();
        }
        if (swept == 0) return;
        BenefitOfAlignment benefit(transfer_setting_at(s, grid, first),
                                   grid.points[static_cast<std::size_t>(first)].alone.value);
        const Minimum best = least_minimum([&](double at) { return -benefit(at); }, q, -benefits);
        grid.best_q(pair) = best.at;
        grid.best_benefit(pair) = -best.value;
        grid.sign_change(pair) = last_sign_change(benefit, q, benefits);
    });
    return grid;
}

TransferSetting point_setting(const TransferStudy& study, Index point) {
    return study.grid ? transfer_setting_at(study.setting, *study.grid, point) : study.setting;
}

void draw_transfers(TransferStudy& study, const Execution& run) {
    const auto numbers = own_numbers(study.points() * study.repeats, study.part);
    const Phase phase(*run.monitor, "simulated pairs");
    std::vector<TransferDraw> draws(numbers.size());
    parallel_blocks(static_cast<Index>(numbers.size()), run.threads, [&](Index i) {
        run.monitor->stop_if_interrupted();
        const Index number = numbers[static_cast<std::size_t>(i)];
        const Transfer t = simulate_transfer(point_setting(study, number / study.repeats),
                                             study.seed, number % study.repeats);
        draws[static_cast<std::size_t>(i)] = {t.benefit(), t.alone.value, t.joint.value,
                                              t.shrunk_joint};
    });
    for (std::size_t i = 0; i < numbers.size(); ++i) study.draws[numbers[i]] = draws[i];
}

TransferStudy merge_transfers(std::vector<TransferStudy> parts) {
    std::vector<StudyPart> dealt;
    for (const TransferStudy& part : parts) dealt.push_back(part.part);
    check_parts(dealt);
    TransferStudy whole = std::move(parts.front());
    whole.part = {};
    for (std::size_t i = 1; i < parts.size(); ++i)
        take_records(whole.draws, parts[i].draws, "pair");
    check_complete(whole.draws, whole.points() * whole.repeats, "pair");
    return whole;
}

TransferSetting estimated_transfer(const DetectedModes& a, const DetectedModes& b) {
    if (a.v.rows() != b.v.rows())
        throw Error(concat("task A has ", a.v.rows(), " inputs, task B ", b.v.rows(),
                           "; tasks of the same inputs are expected"));
    TransferSetting s;
    s.a = a.snr;
    s.b = b.snr;
    s.inputs = a.v.rows();
    s.outputs_a = a.outputs;
    s.outputs_b = b.outputs;
    const Vector own_a = a.overlap_input.cwiseSqrt(), own_b = b.overlap_input.cwiseSqrt();
    const linalg::Svd svd =
        linalg::thin_svd((a.v.transpose() * b.v).cwiseQuotient(own_a * own_b.transpose()));
    s.alignment = svd.u * svd.s.cwiseMin(1).asDiagonal() * svd.v.transpose();
    return s;
}

TeacherPair draw_pair(const TransferSetting& s, std::uint64_t seed, Index repeat) {
    check_transfer(s);
    check_map_memory(s.outputs_a + s.outputs_b, s.inputs);
    const Index ka = s.a.size(), kb = s.b.size();
    if (ka + kb > s.inputs)
        throw Error(concat("check: ", s.inputs, " inputs have no room for ", ka, " and ", kb,
                           " directions"));
    const Matrix basis = random_directions(s.inputs, ka + kb, seed, repeat, "lindyn/pair/input");
    const Eigen::SelfAdjointEigenSolver<Matrix> rest(Matrix::Identity(kb, kb) -
                                                     s.alignment.transpose() * s.alignment);
    const Matrix root = rest.eigenvectors() *
                        rest.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal() *
                        rest.eigenvectors().transpose();
    const Matrix v_a = basis.leftCols(ka);
    const Matrix v_b = v_a * s.alignment + basis.rightCols(kb) * root;
    const double noise = 1 / std::sqrt(static_cast<double>(s.inputs));
    const auto draw = [&](const Matrix& v, const Vector& values, Index outputs,
                          const std::string& task) {
        TeacherData data;
        data.teacher =
            random_directions(outputs, values.size(), seed, repeat, "lindyn/pair/output/" + task) *
            values.asDiagonal() * v.transpose();
        data.teacher_power = values.squaredNorm();
        data.syx = data.teacher + random_noise(outputs, s.inputs, noise, seed, repeat,
                                               "lindyn/pair/noise/" + task);
        data.target_power = data.syx.squaredNorm();
        return data;
    };
    return {draw(v_a, s.a, s.outputs_a, "a"), draw(v_b, s.b, s.outputs_b, "b")};
}

ErrorModel joint_model(const TeacherPair& pair, const Student& student) {
    const Index n3 = pair.a.syx.rows();
    Matrix both(n3 + pair.b.syx.rows(), pair.a.syx.cols());
    both << pair.a.syx, pair.b.syx;
    const linalg::Svd svd = linalg::thin_svd(both);
    const Matrix head = svd.u.topRows(n3);
    KnownTeacher known;
    known.s = svd.s;
    known.overlap = (pair.a.teacher * svd.v).cwiseProduct(head).colwise().sum();
    known.square = head.colwise().squaredNorm();
    known.teacher_power = pair.a.teacher_power;
    known.target_power = both.squaredNorm();
    return known_model(known, student);
}

Transfer simulate_transfer(const TransferSetting& s, std::uint64_t seed, Index repeat) {
    const TeacherPair pair = draw_pair(s, seed, repeat);
    const ErrorModel alone = aligned_model(pair.a, s.student), joint = joint_model(pair, s.student);
    return {optimal_stopping(alone, {}, s.horizon), optimal_stopping(joint, {}, s.horizon),
            error_with(alone, alone_model(s)), error_with(joint, head_model(s))};
}

} // namespace assay::lindyn

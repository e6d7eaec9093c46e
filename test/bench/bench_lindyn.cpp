// Cost of what lindyn has in closed form: curves of modes, the exact solution of two layers,
// generalisation curves, optimal stopping and transfer grids; the best of several runs of one core,
// against the targets of specs/lindyn.md.
#include <assay/lindyn/exact_solution.hpp>
#include <assay/lindyn/generalization.hpp>
#include <assay/lindyn/mode_curve.hpp>
#include <assay/lindyn/students.hpp>
#include <assay/lindyn/transfer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

namespace {

using namespace assay;
using namespace assay::lindyn;

double best_ms(int runs, const std::function<double()>& work) {
    double best = 1e300, sum = 0;
    for (int i = 0; i < runs; ++i) {
        const auto start = std::chrono::steady_clock::now();
        sum += work();
        const std::chrono::duration<double, std::milli> taken =
            std::chrono::steady_clock::now() - start;
        best = std::min(best, taken.count());
    }
    // What was computed is looked at.
    return sum == sum ? best : -1;
}

void show(const char* what, double ms, const char* target) {
    std::printf("%-52s %10.3f ms   %s\n", what, ms, target);
}

// 1000 times of 1000 modes.
void show_modes(int depth, const char* what, const char* target) {
    const Vector times = Vector::LinSpaced(1000, 0, 30);
    std::vector<ModeLaw> laws;
    for (int k = 0; k < 1000; ++k) laws.push_back({0.5 + 0.01 * k, 1, 1e-4, depth});
    show(what, best_ms(depth > 2 ? 2 : 10, [&] { return mode_curves(laws, times, {})(999, 999); }),
         target);
}

// A map at each of 100 times of a random start.
void show_exact(Index size) {
    const Matrix syx = random_noise(size, size, 1 / std::sqrt(static_cast<double>(size)), 1, 0,
                                    "bench/data"),
                 first = random_noise(size, size, 1e-3, 1, 1, "bench/start"),
                 second = random_noise(size, size, 1e-3, 1, 2, "bench/start");
    const double per_point = best_ms(3,
                                     [&] {
                                         ExactSolution solution(syx, 1, first, second);
                                         double sum = 0;
                                         for (int i = 1; i <= 100; ++i) {
                                             solution.advance(0.3 * i);
                                             sum += solution.map()(0, 0);
                                         }
                                         return sum;
                                     }) /
                             100;
    show("exact solution, 100 x 100 x 100, a time and map", per_point, "target: 1 ms");
}

} // namespace

int main() {
    show_modes(1, "one layer, 10^6 values", "target: 3 ms");
    show_modes(2, "two layers, 10^6 values", "target: 3 ms");
    show_modes(4, "four layers, 10^6 values", "");
    show_exact(100);
    Setting setting;
    setting.teacher = (Vector(3) << 6, 4, 2).finished();
    const Vector times = Vector::LinSpaced(1000, 0, 10);
    show("two layers, 1000 times, 128 nodes",
         best_ms(20, [&] { return error_curves(theory_of(setting).model, times, {}).test(999); }),
         "target: 1 ms");
    show("optimal stopping, two layers",
         best_ms(20, [&] { return optimal_stopping(theory_of(setting).model, {}).value; }), "");
    setting.student.depth = 4;
    show("optimal stopping, four layers, 1024 nodes",
         best_ms(2, [&] { return optimal_stopping(theory_of(setting, 1024).model, {}).value; }),
         "");
    TransferSetting pair;
    pair.a = pair.b = Vector::Constant(1, 3.0);
    pair.alignment = Matrix::Zero(1, 1);
    const Vector q = Vector::LinSpaced(11, 0, 1), strengths = Vector::LinSpaced(25, 0.5, 12);
    show("transfer grid of 25 x 11",
         best_ms(2,
                 [&] { return transfer_grid(pair, q, pair.a, strengths, {}).best_benefit.sum(); }),
         "target: 1000 ms");
}

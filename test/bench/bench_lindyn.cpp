// Cost of generalisation curves, optimal stopping and transfer grids of lindyn: the best of several
// runs of one core, against the targets of specs/lindyn.md.
#include <assay/lindyn/generalization.hpp>
#include <assay/lindyn/transfer.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>

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

} // namespace

int main() {
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

#!/usr/bin/python3
"""Steps a second of gradient descent on a two-layer linear network, `lindyn simulate` beside numpy, one thread each.

usage: compare_lindyn.py --bin build/bin [--sizes 100,100,100 100,50,50 8,32,1000] [--steps 20000] [--rounds 3]

Both run the same descent from the same start on white inputs (three products a step); their last maps are compared.
CPU seconds are those of the steps alone: of two runs of unequal length the difference. The target of the specification is
9,000 steps/s at 100 x 100 x 100 on a core with 70 GFLOP/s double GEMM, and five times numpy. Five times is what numpy loses
where its OpenBLAS does not know the core; told its type, it runs at three quarters of the core's peak, and no program that
does the same products can be more than a third faster. Where one side of the data is much wider than the rest, as tables of
few items with many features are, lindyn does fewer.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time


def core_type():
    flags = open("/proc/cpuinfo").read()
    return "SkylakeX" if "avx512f" in flags else "Haswell" if "avx2" in flags else ""


if core_type() and "OPENBLAS_CORETYPE" not in os.environ:
    os.environ.update(OPENBLAS_CORETYPE=core_type(), OPENBLAS_NUM_THREADS="1")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import h5py
import numpy as np


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ours(tool, data, hidden, steps, out):
    before = children_cpu()
    subprocess.run([tool, "simulate", data, "--hidden", str(hidden), "--init-scale", "0.01", "--learning-rate", "0.01", "--steps", str(steps),
                    "--checkpoints", "list:0,%d" % steps, "--threads", "1", "--force", "--quiet", "-o", out], check=True)
    return children_cpu() - before


def numpy_descent(syx, w1, w2, steps, rate):
    before = time.process_time()
    for _ in range(steps):
        error = syx - w2 @ w1
        w1, w2 = w1 + rate * (w2.T @ error), w2 + rate * (error @ w1.T)
    return time.process_time() - before, w1, w2


def gemm_rate(n=600):
    a = np.random.default_rng(0).normal(size=(n, n))
    a @ a
    before = time.process_time()
    for _ in range(20):
        a @ a
    return 20 * 2 * n ** 3 / (time.process_time() - before) / 1e9


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--sizes", nargs="+", default=["100,100,100", "100,50,50", "8,32,1000"])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--rounds", type=int, default=3)
    o = parser.parse_args()
    tool = os.path.join(o.bin, "lindyn")
    print("numpy's double GEMM: %.0f GFLOP/s" % gemm_rate())
    with tempfile.TemporaryDirectory() as folder:
        for sizes in o.sizes:
            inputs, hidden, outputs = map(int, sizes.split(","))
            data, out = os.path.join(folder, "data.h5"), os.path.join(folder, "run.h5")
            rng = np.random.default_rng(1)
            with h5py.File(data, "w") as f:  # the identity as inputs' covariance
                f["data/sigma_yx"] = rng.normal(size=(outputs, inputs)) / np.sqrt(inputs)
            best, peer = 1e9, 1e9
            for _ in range(o.rounds):
                short = ours(tool, data, hidden, 1000, out)
                best = min(best, (ours(tool, data, hidden, 1000 + o.steps, out) - short) / o.steps)
                with h5py.File(out, "r") as f:
                    syx = h5py.File(data, "r")["data/sigma_yx"][:]
                    w1, w2 = (f["run/checkpoints/000000000/weights/%s/weight" % layer][:] for layer in ("layer1", "layer2"))
                    last = f["model/weights/layer2/weight"][:] @ f["model/weights/layer1/weight"][:]
                seconds, w1, w2 = numpy_descent(syx, w1, w2, o.steps, .01)
                peer = min(peer, seconds / o.steps)
            _, w1, w2 = numpy_descent(syx, w1, w2, 1000, .01)
            gap = np.abs(w2 @ w1 - last).max()
            flops = 6 * inputs * hidden * outputs
            print("%s: lindyn %.0f steps/s (%.0f GFLOP/s), numpy %.0f steps/s, ratio %.1f; largest difference of the maps %.1e"
                  % (sizes, 1 / best, flops / best / 1e9, 1 / peer, peer / best, gap))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Sweeps over a tensor, tensor-amp's kernels beside numpy, one thread each, in one run.

usage: compare_tensor_amp.py --bench build/bench/assay-bench-tensor-amp [--shape 300,300,300] [--rounds 3] [--slow]

A sweep is the product of the unfolded tensor with the Khatri-Rao product of the other factors (MTTKRP) for every mode.
CPU milliseconds, the least of so many rounds; ratios say how many times ours is faster than numpy's fastest. Both work on
the same numbers, and the sums of absolute values of their results are compared.

Ours: `one-pass` gives all modes from one set of factors, `sequential` lets factors change between modes (two passes), `als`
is a whole sweep of alternating least squares, of `columns` / 5 replicates where there are 50. numpy's ways:
  partial   the matrix (all modes but the last) x last times the last factor, then small contractions: what an expert writes
  unfold    each mode's unfolding (a copy) times the Khatri-Rao product, formed in full: what the common libraries do
  einsum    numpy.einsum with its optimised path
  columns   one contraction after the other for each column; --slow
The stream rate is that of numpy's dot product of the tensor with itself.
"""
import argparse
import os
import subprocess
import sys
import time


def core_type():
    flags = open("/proc/cpuinfo").read()
    return "SkylakeX" if "avx512f" in flags else "Haswell" if "avx2" in flags else ""


if core_type() and "OPENBLAS_CORETYPE" not in os.environ:
    os.environ.update(OPENBLAS_CORETYPE=core_type(), OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import numpy as np

A, B = 0.6180339887498949, 0.3247179572447461


def centred_fraction(x):
    return x - np.floor(x) - 0.5


def make_tensor(shape, dtype):
    return centred_fraction(np.arange(np.prod(shape)) * A).reshape(shape).astype(dtype)


def make_factors(shape, columns, dtype):
    return [centred_fraction((np.arange(n)[:, None] + 1) * A + (np.arange(columns)[None, :] + mode) * B).astype(dtype)
            for mode, n in enumerate(shape)]


def khatri_rao(factors):
    product = factors[0]
    for factor in factors[1:]:
        product = (product[:, None, :] * factor[None, :, :]).reshape(-1, factor.shape[1])
    return product


def partial(y, factors):
    last, order = factors[-1], y.ndim
    rows = y.reshape(-1, y.shape[-1])
    inner = (rows @ last).reshape(y.shape[:-1] + (-1,))
    letters = "abcdefgh"[:order - 1]
    results = []
    for mode in range(order - 1):
        others = [m for m in range(order - 1) if m != mode]
        terms = ",".join([letters + "r"] + [letters[m] + "r" for m in others])
        results.append(np.einsum(terms + "->" + letters[mode] + "r", inner, *[factors[m] for m in others], optimize=True))
    return results + [rows.T @ khatri_rao(factors[:-1])]


def unfold(y, factors):
    return [np.moveaxis(y, mode, 0).reshape(y.shape[mode], -1) @ khatri_rao(factors[:mode] + factors[mode + 1:])
            for mode in range(y.ndim)]


def einsum(y, factors):
    letters = "abcdefgh"[:y.ndim]
    results = []
    for mode in range(y.ndim):
        others = [m for m in range(y.ndim) if m != mode]
        terms = ",".join([letters] + [letters[m] + "r" for m in others])
        results.append(np.einsum(terms + "->" + letters[mode] + "r", y, *[factors[m] for m in others], optimize=True))
    return results


def by_columns(y, factors):
    results = [np.empty((n, factors[0].shape[1]), y.dtype) for n in y.shape]
    for mode in range(y.ndim):
        for c in range(factors[0].shape[1]):
            inner = y
            for other in reversed(range(y.ndim)):
                if other != mode:
                    inner = np.tensordot(inner, factors[other][:, c], axes=(other, 0))
            results[mode][:, c] = inner
    return results


def cpu_ms(work, rounds):
    best, result = 1e300, None
    for _ in range(rounds):
        before = time.process_time()
        result = work()
        best = min(best, (time.process_time() - before) * 1e3)
    return best, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--shape", default="300,300,300")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true")
    o = parser.parse_args()
    shape = tuple(map(int, o.shape.split(",")))
    lines = subprocess.run([o.bench] + [str(n) for n in shape], check=True, stdout=subprocess.PIPE, text=True).stdout
    ours, checks = {}, {}
    for line in lines.splitlines():
        what, storage, columns, ms, check = line.split("\t")
        ours[what, storage, int(columns)] = float(ms)
        checks[what, storage, int(columns)] = float(check)
    for storage, dtype in (("double", np.float64), ("float", np.float32)):
        y = make_tensor(shape, dtype)
        flat = y.reshape(-1)
        stream, _ = cpu_ms(lambda: flat @ flat, o.rounds + 2)
        print("%s, %s: stream pass %.1f ms ours, %.1f numpy (%.0f GB/s); spectral start of rank 5 %.0f ms" % (
            o.shape, storage, ours["stream", storage, 1], stream, y.nbytes / stream / 1e6, ours["spectral", storage, 5]))
        peers = [("partial", partial), ("unfold", unfold), ("einsum", einsum)] + [("columns", by_columns)] * o.slow
        print("  columns  one-pass sequential       als | " + " ".join("%9s" % name for name, _ in peers) + " | ratio to fastest")
        for columns in (5, 20, 50):
            factors = make_factors(shape, columns, dtype)
            times = []
            for name, work in peers:
                ms, results = cpu_ms(lambda: work(y, factors), o.rounds)
                times.append(ms)
                expected = sum(np.abs(np.asarray(r, np.float64)).sum() for r in results)
                gap = max(abs(checks[w, storage, columns] / expected - 1) for w in ("one-pass", "sequential"))
                if gap > (1e-8 if storage == "double" else 1e-4):
                    sys.exit("%s, %s, %d columns: results differ by %.1e" % (name, storage, columns, gap))
            mine = [ours[w, storage, columns] for w in ("one-pass", "sequential", "als")]
            print("  %7d %9.1f %10.1f %9.1f | " % (columns, *mine) + " ".join("%9.1f" % t for t in times)
                  + " | %.1f (one-pass), %.1f (sequential)" % (min(times) / mine[0], min(times) / mine[1]))


if __name__ == "__main__":
    main()

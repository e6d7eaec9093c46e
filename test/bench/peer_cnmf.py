#!/usr/bin/env python3
"""The peers of `cnmf fit`: convolutive nonnegative matrix factorisation as numpy users run it today.

    peer_cnmf.py FILE.h5[:/dataset] --algorithm mult|hals -k K -l L --iterations N --start START.h5[:/group]
                 [--stop-loss X] [--json OUT]
    peer_cnmf.py --check cnmf_oracle.h5

Both algorithms are literal: they hold an N x T array (the reconstruction, the residual) and touch all of it.

mult    Multiplicative updates. The reconstruction is a sum of L shifted matrix products,
        Xhat[:, l:] += W_l H[:, :T-l]; the numerators and denominators of W and of H are L shifted products each.
hals    One coordinate block at a time, the residual R = X - Xhat kept up to date. Column (k, l) of W for all units
        at once: R against H_k shifted by l, then a rank-one change of R. H entry by entry, k outer, t inner:
        the N x L piece of R that starts at bin t against W_k, then a change of that piece.

They are written to be fast within that plan: double precision, one BLAS thread, products on strided views without
copies, scratch arrays allocated once, nothing done for a coordinate that does not change. Code that allocates a
temporary array for every lag, as is usual, is slower; a ratio against these peers understates one against such code.

The dataset (default /data/X) is units x time. The start group (default /start) holds W (K, N, L) and H (K, T).
Losses are ||X - Xhat|| / ||X||; entry 0 belongs to the start. CPU seconds are those of this process, one number an
iteration, evaluation of the loss included; imports, reading the file and the first reconstruction are not counted.
`cpu_to_loss` is their sum up to the first iteration whose loss is at most --stop-loss, where the run ends.

The speed of numpy is that of its BLAS, so the run states which one it is, the kernels in use and their rate. An
OpenBLAS older than the CPU may fall back to SSE kernels: the core type is chosen here. numpy may also be linked to the
reference BLAS, ten times slower than OpenBLAS. `apt install libopenblas0-pthread` makes OpenBLAS the default on
Debian; LD_LIBRARY_PATH=FOLDER, with its libblas.so.3 in FOLDER, selects it for one run.
"""

import os
import sys


def prepare_blas(environment):
    """One thread, and kernels that fit the CPU. Only has an effect before numpy is imported."""
    flags = set()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    flags.update(line.split(":", 1)[1].split())
                    break
    except OSError:
        pass
    environment.pop("OPENBLAS_L2_SIZE", None)
    environment.pop("OPENBLAS_CORETYPE", None)
    if "avx512f" in flags:
        environment["OPENBLAS_CORETYPE"] = "SkylakeX"
    elif "avx2" in flags:
        environment["OPENBLAS_CORETYPE"] = "Haswell"
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"


prepare_blas(os.environ)

import argparse
import ctypes
import json
import time

import h5py
import numpy as np

EPS = np.finfo(np.float64).eps


# ----------------------------------------------------------------------------------------------------------- BLAS

def blas_in_use():
    """(library and version, core type); the core type is "" unless the library is OpenBLAS."""
    loaded = []
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                path = line.split(None, 5)[-1].strip()
                name = os.path.basename(path)
                if ".so" in name and ("blas" in name or "mkl_rt" in name or "blis" in name) and path not in loaded:
                    loaded.append(path)
    except OSError:
        pass
    for path in loaded:
        library = ctypes.CDLL(path)
        for prefix, suffix in (("", ""), ("", "64_"), ("scipy_", ""), ("scipy_", "64_")):
            try:
                config = getattr(library, f"{prefix}openblas_get_config{suffix}")
                core = getattr(library, f"{prefix}openblas_get_corename{suffix}")
            except AttributeError:
                continue
            config.restype = core.restype = ctypes.c_char_p
            return " ".join(config().decode().split()[:2]), core().decode()
    return (os.path.basename(loaded[0]) if loaded else "unknown"), ""


def gemm_rate(size=1024, repeats=8):
    """GFLOP/s of a double product of two square matrices: the best of several. The product is checked."""
    rng = np.random.default_rng(1)
    a, b, v = rng.random((size, size)), rng.random((size, size)), rng.random(size)
    c = a @ b
    if not np.allclose(c @ v, a @ (b @ v), rtol=1e-12):
        raise SystemExit("error: this BLAS returns a wrong matrix product")
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        np.matmul(a, b, out=c)
        best = min(best, time.process_time() - begin)
    return 2e-9 * size ** 3 / best


# ---------------------------------------------------------------------------------------------------------- model

def reconstruct(W, H, out, scratch):
    """out = Xhat for W (L, N, K), H (K, T). out and scratch are (N, T)."""
    T = H.shape[1]
    out.fill(0.0)
    for l in range(min(len(W), T)):
        term = scratch[:, :T - l]
        np.matmul(W[l], H[:, :T - l], out=term)
        shifted = out[:, l:]
        np.add(shifted, term, out=shifted)
    return out


def correlate_with_activations(X, H, L):
    """(L, N, K): entry l is sum_t X[:, t] H[:, t - l]."""
    T = H.shape[1]
    out = np.zeros((L, X.shape[0], H.shape[0]))
    for l in range(min(L, T)):
        out[l] = (H[:, :T - l] @ X[:, l:].T).T      # twice as fast as X[:, l:] @ H[:, :T - l].T
    return out


def correlate_with_motifs(W, X):
    """(K, T): sum_l W_l^T X[:, t + l] for W (L, N, K)."""
    T = X.shape[1]
    out = np.zeros((W.shape[2], T))
    for l in range(min(len(W), T)):
        out[:, :T - l] += W[l].T @ X[:, l:]
    return out


class Mult:
    """Multiplicative updates, W and then H. Motifs are stored lag by lag, (L, N, K)."""

    def __init__(self, X, W, H):
        self.X = X
        self.lagged = np.ascontiguousarray(W.transpose(2, 1, 0))
        self.H = H.copy()
        self.Xhat = np.empty_like(X)
        self.scratch = np.empty_like(X)
        reconstruct(self.lagged, self.H, self.Xhat, self.scratch)

    @property
    def W(self):
        return self.lagged.transpose(2, 1, 0)

    def iterate(self):
        L = len(self.lagged)
        above = correlate_with_activations(self.X, self.H, L)
        below = correlate_with_activations(self.Xhat, self.H, L)
        self.lagged *= above / (below + EPS)
        reconstruct(self.lagged, self.H, self.Xhat, self.scratch)

        above = correlate_with_motifs(self.lagged, self.X)
        below = correlate_with_motifs(self.lagged, self.Xhat)
        self.H *= above / (below + EPS)
        reconstruct(self.lagged, self.H, self.Xhat, self.scratch)

    def error(self):
        return np.linalg.norm(np.subtract(self.X, self.Xhat, out=self.scratch))


class Hals:
    """Coordinate descent on the residual. W: k outer, l inner, all units together. H: k outer, t inner."""

    def __init__(self, X, W, H):
        self.W = W.copy()
        self.H = H.copy()
        self.scratch = np.empty_like(X)
        self.residual = np.empty_like(X)
        reconstruct(np.ascontiguousarray(W.transpose(2, 1, 0)), self.H, self.residual, self.scratch)
        np.subtract(X, self.residual, out=self.residual)

    def iterate(self):
        self.sweep_motifs()
        self.sweep_activations()

    def sweep_motifs(self):
        K, N, L = self.W.shape
        T = self.H.shape[1]
        for k in range(K):
            for l in range(min(L, T)):
                activation = self.H[k, :T - l]
                touched = self.residual[:, l:]
                old = self.W[k, :, l]
                new = np.maximum(0.0, old + touched @ activation / (activation @ activation + EPS))
                change = new - old
                if change.any():
                    term = self.scratch[:, :T - l]
                    np.multiply(change[:, None], activation, out=term)
                    np.subtract(touched, term, out=touched)
                    self.W[k, :, l] = new

    def sweep_activations(self):
        K, N, L = self.W.shape
        T = self.H.shape[1]
        block = np.empty((N, L))
        for k in range(K):
            motif, row = self.W[k], self.H[k]
            # What lies beyond the last bin is cut off: entry m is the squared norm of lags 0..m.
            curvature = np.cumsum(np.sum(motif ** 2, axis=0))
            for t in range(T):
                length = min(L, T - t)
                shape = motif if length == L else motif[:, :length]
                touched = self.residual[:, t:t + length]
                c, old = curvature[length - 1], row[t]
                new = max(0.0, (old * c + np.einsum("nl,nl->", touched, shape)) / (c + EPS))
                if new != old:
                    term = block[:, :length]
                    np.multiply(shape, new - old, out=term)
                    np.subtract(touched, term, out=touched)
                    row[t] = new

    def error(self):
        return np.linalg.norm(self.residual)


ALGORITHMS = {"mult": Mult, "hals": Hals}


def run(X, W, H, algorithm, iterations, stop_loss=None, report=lambda iteration, loss, seconds: None):
    """(state with W and H, losses, CPU seconds an iteration)."""
    norm = np.linalg.norm(X)
    state = ALGORITHMS[algorithm](X, W, H)
    losses, seconds = [float(state.error() / norm)], []
    report(0, losses[0], 0.0)
    while len(seconds) < iterations and not (stop_loss is not None and losses[-1] <= stop_loss):
        begin = time.process_time()
        state.iterate()
        losses.append(float(state.error() / norm))
        seconds.append(time.process_time() - begin)
        report(len(seconds), losses[-1], seconds[-1])
    return state, losses, seconds


# ----------------------------------------------------------------------------------------------------------- files

def split_path(text, default):
    """FILE[:/path] -> (FILE, /path)."""
    file, colon, inner = text.rpartition(":/")
    return (file, "/" + inner) if colon else (text, default)


def open_file(name):
    try:
        return h5py.File(name, "r")
    except OSError as error:
        raise SystemExit(f"error: {name}: {os.strerror(error.errno) if error.errno else error}")


def read_array(file, path, dimensions):
    if path not in file or not isinstance(file[path], h5py.Dataset):
        raise SystemExit(f"error: {file.filename}: no dataset {path}")
    data = file[path]
    if data.ndim != dimensions or data.dtype.kind not in "fiu":
        raise SystemExit(f"error: {file.filename}: {path} is {data.dtype} {data.shape}, "
                         f"expected numbers in {dimensions} dimensions")
    array = np.ascontiguousarray(data[()], dtype=np.float64)
    if not np.all(np.isfinite(array)) or np.any(array < 0):
        raise SystemExit(f"error: {file.filename}: {path} has values that are negative or not finite")
    return array


def read_problem(options):
    name, path = split_path(options.file, "/data/X")
    with open_file(name) as file:
        X = read_array(file, path, 2)
    name, group = split_path(options.start, "/start")
    with open_file(name) as file:
        W, H = read_array(file, group.rstrip("/") + "/W", 3), read_array(file, group.rstrip("/") + "/H", 2)
    expected = (options.components, X.shape[0], options.lags), (options.components, X.shape[1])
    if (W.shape, H.shape) != expected:
        raise SystemExit(f"error: {name}: W {W.shape} and H {H.shape}, expected {expected[0]} and {expected[1]}")
    return X, W, H


def check(oracle, tolerance=1e-9):
    """Both peers against stored trajectories. True if every number agrees."""
    agree = True
    with open_file(oracle) as file:
        for algorithm, name in (("mult", "mult"), ("hals", "hals_component")):
            group = file["trajectories/" + name]
            if list(group["segment_start"]) != [0]:
                raise SystemExit(f"error: {oracle}: {name} has segments")
            state, losses, _ = run(group["X"][()], group["W0"][()], group["H0"][()], algorithm,
                                   int(group.attrs["iterations"]))
            for what, found in (("loss", np.array(losses)), ("W", state.W), ("H", state.H)):
                expected = group[what][()]
                same = found.shape == expected.shape
                error = np.abs(found - expected).max() / max(1.0, np.abs(expected).max()) if same else np.inf
                agree &= bool(error <= tolerance)
                print(f"{algorithm:5s} {what:5s} largest difference {error:.2g}"
                      + ("" if error <= tolerance else "   WRONG"))
    return agree


def main():
    parser = argparse.ArgumentParser(description="Literal numpy algorithms that `cnmf fit` is compared with.")
    parser.add_argument("file", nargs="?", metavar="FILE.h5[:/dataset]", help="recording, units x time (/data/X)")
    parser.add_argument("--algorithm", choices=sorted(ALGORITHMS))
    parser.add_argument("-k", "--components", type=int, metavar="K")
    parser.add_argument("-l", "--lags", type=int, metavar="L")
    parser.add_argument("--iterations", type=int, metavar="N")
    parser.add_argument("--start", metavar="START.h5[:/group]", help="group with W (K, N, L) and H (K, T) (/start)")
    parser.add_argument("--stop-loss", type=float, metavar="X", help="end at the first relative loss of at most X")
    parser.add_argument("--json", metavar="OUT", help="write the result as JSON")
    parser.add_argument("--check", metavar="ORACLE", help="reproduce the trajectories of cnmf_oracle.h5, then end")
    options = parser.parse_args()

    if options.check:
        return 0 if check(options.check) else 1
    missing = [name for name in ("file", "algorithm", "components", "lags", "iterations", "start")
               if getattr(options, name) is None]
    if missing:
        parser.error("missing: " + ", ".join(missing))
    if min(options.components, options.lags) < 1 or options.iterations < 0:
        parser.error("-k and -l must be at least 1, --iterations at least 0")

    blas, core = blas_in_use()
    rate = gemm_rate()
    print(f"BLAS {blas}, core type {core or 'none: OPENBLAS_CORETYPE has no effect'}, one thread, "
          f"double GEMM {rate:.1f} GFLOP/s", flush=True)
    if not core:
        print("warning: numpy is not linked to OpenBLAS; its speed may not be what this machine can do",
              file=sys.stderr)

    X, W, H = read_problem(options)
    _, losses, seconds = run(X, W, H, options.algorithm, options.iterations, options.stop_loss,
                             lambda i, loss, s: print(f"{i:5d}  loss {loss:.6f}  cpu {s:.4f} s", flush=True))

    reached = None
    if options.stop_loss is not None:
        reached = next((i for i, loss in enumerate(losses) if loss <= options.stop_loss), None)
    result = {
        "algorithm": options.algorithm, "units": X.shape[0], "bins": X.shape[1],
        "components": options.components, "lags": options.lags,
        "loss": losses, "cpu_s": seconds,
        "stop_loss": options.stop_loss, "iterations_to_loss": reached,
        "cpu_to_loss": None if reached is None else float(sum(seconds[:reached])),
        "blas": blas, "core_type": core, "gemm_gflops": rate, "numpy": np.__version__,
    }
    if seconds:
        print(f"{options.algorithm}: median {np.median(seconds):.4f} CPU s an iteration")
    if reached is not None:
        print(f"loss {options.stop_loss:g} after {reached} iterations, {result['cpu_to_loss']:.3f} CPU s")
    elif options.stop_loss is not None:
        print(f"loss {options.stop_loss:g} not reached in {len(seconds)} iterations, {sum(seconds):.3f} CPU s")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""`cnmf fit` beside the literal numpy algorithms of peer_cnmf.py: one run, alternately, one thread against one.

    compare_cnmf.py --bin FOLDER [--pairs N] [--rows 1,2,3,4|none] [--skip-peer] [--folder FOLDER]

FOLDER holds the built tools. The data are those of `cnmf synth`; every program starts from the same W and H.

First table, 250 units x 10000 bins, K = 5, L = 20. In turn a peer and then ours, --pairs times for each peer. CPU
seconds an outer iteration are the median over the run. Seconds to relative loss .15, with three sweeps a half-step
(--inner 3, which needs the fewest iterations from a random start): of a peer, the sum over its iterations and nothing
else; of ours the same (`descent`, from the recorded history), and beside it those of the whole process, with start-up,
reading, the spectra of the data, and writing. A ratio above 1 says that ours needs less.

Second table: ours alone, at the sizes with a stated demand. `history` is the median difference of the seconds that
the fit records; `CPU` is the difference in CPU seconds of two whole processes, one of them with a single iteration,
divided by the difference in iterations. On an idle machine they agree. Demands are stated for a core with a double
GEMM of 60 GFLOP/s and scaled by 60 / the rate of this core, measured in this run just before the row. `two GEMMs` is
what the two products with the data take at that rate if made as matrix products of full length.

The rate, and the speed of the peers, are those of numpy's BLAS. If that is not OpenBLAS nothing is compared, unless
--any-blas says so (peer_cnmf.py tells how to select it); --gemm-rate states a rate that was measured otherwise.
"""

import peer_cnmf    # first: it prepares the environment for numpy, here and in every program started from here

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import h5py
import numpy as np

# The command lines of our tool. Words are split before they are filled in, so paths may hold spaces.
SYNTH = ("{cnmf} synth --kind paper --units {N} --bins {T} -k {K} -l {L} --event-rate {rate} --seed {seed} "
         "--compress none -o {data} --force")
FIT = ("{cnmf} fit {data} -k {K} -l {L} --algorithm hals --init {start}:/start --threads 1 "
       "--max-iterations {iterations} --tolerance 0 -o {out} --force --json {summary}")
FEW_SWEEPS = "--inner 3"
LOSS, SECONDS, FIT_GROUP = "/cnmf/fit/loss", "/cnmf/fit/timing/seconds", "/cnmf/fit"

EVENT_RATE, SEED, STOP_LOSS = 0.1, 0, 0.15
DEMAND_RATE = 60.0      # GFLOP/s of the core for which the demands are stated


@dataclass(frozen=True)
class Size:
    N: int
    T: int
    K: int
    L: int

    def __str__(self):
        return f"{self.N} {self.T:6d} {self.K:3d} {self.L:4d}"


@dataclass(frozen=True)
class Row:
    size: Size
    demand: float       # CPU seconds an outer iteration
    iterations: int


PAIR = Size(250, 10000, 5, 20)
PAIR_ITERATIONS = 200
MOST_TO_LOSS = 60
ROWS = [
    Row(Size(250, 10000, 5, 20), 0.015, 200),
    Row(Size(250, 50000, 5, 20), 0.070, 60),
    Row(Size(250, 50000, 5, 50), 0.10, 40),
    Row(Size(250, 50000, 10, 100), 0.50, 15),
]


# ------------------------------------------------------------------------------------------------------- programs

def words(template, **values):
    return [word.format(**values) for word in shlex.split(template)]


def execute(command):
    """(exit status, CPU seconds, wall seconds). A failure ends the run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              text=True, errors="replace", check=False)
    except OSError as error:
        raise SystemExit(f"error: {command[0]}: {error.strerror}")
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"error: exit status {done.returncode} of {shlex.join(command)}\n{done.stderr.strip()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, cpu, wall


class Bench:
    """One folder of files, one tool."""

    def __init__(self, tools, folder, seed):
        self.cnmf = os.path.join(os.path.abspath(tools), "cnmf")
        self.folder = folder
        self.seed = seed
        self.prepared = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def prepare(self, size):
        """The names of the recording and of the start, made when first asked for."""
        if size not in self.prepared:
            label = f"{size.N}-{size.T}-{size.K}-{size.L}.h5"
            data, start = self.path("data-" + label), self.path("start-" + label)
            execute(words(SYNTH, cnmf=self.cnmf, N=size.N, T=size.T, K=size.K, L=size.L, rate=EVENT_RATE,
                          seed=self.seed, data=data))
            write_start(data, start, size, self.seed)
            self.prepared[size] = data, start
        return self.prepared[size]

    def fit(self, size, iterations, more=""):
        """(losses, seconds since the start, CPU seconds and wall seconds of the process, attributes)."""
        data, start = self.prepare(size)
        out = self.path("fit.h5")
        values = dict(cnmf=self.cnmf, data=data, start=start, K=size.K, L=size.L, iterations=iterations, out=out,
                      summary=self.path("fit.json"))
        _, cpu, wall = execute(words(FIT, **values) + words(more))
        with peer_cnmf.open_file(out) as file:
            for name in (LOSS, SECONDS):
                if name not in file:
                    raise SystemExit(f"error: {out}: no dataset {name}")
            return file[LOSS][()], file[SECONDS][()], cpu, wall, dict(file[FIT_GROUP].attrs)

    def ours_to_loss(self, size, stop_loss):
        """(seconds of the descent, CPU seconds of the whole process, iterations), or three None if not reached."""
        losses = self.fit(size, MOST_TO_LOSS, FEW_SWEEPS)[0]
        below = np.flatnonzero(losses <= stop_loss)
        if not len(below):
            return None, None, None
        iterations = int(below[0])
        _, seconds, cpu, _, _ = self.fit(size, iterations, FEW_SWEEPS)
        return seconds[-1], cpu, iterations

    def peer(self, size, algorithm, iterations, stop_loss):
        data, start = self.prepare(size)
        result = self.path("peer.json")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer_cnmf.py")
        execute([sys.executable, script, data, "--algorithm", algorithm, "-k", str(size.K), "-l", str(size.L),
                 "--iterations", str(iterations), "--start", start + ":/start", "--stop-loss", str(stop_loss),
                 "--json", result])
        with open(result, encoding="utf-8") as file:
            return json.load(file)


def write_start(data, start, size, seed):
    """Uniform W and H in [0, 1), both times sqrt(<X, Xhat> / <Xhat, Xhat>)."""
    with peer_cnmf.open_file(data) as file:
        X = peer_cnmf.read_array(file, "/data/X", 2)
    if X.shape != (size.N, size.T):
        raise SystemExit(f"error: {data}: /data/X is {X.shape}, expected {(size.N, size.T)}")
    rng = np.random.default_rng(seed)
    W, H = rng.random((size.K, size.N, size.L)), rng.random((size.K, size.T))
    Xhat, scratch = np.empty_like(X), np.empty_like(X)
    peer_cnmf.reconstruct(np.ascontiguousarray(W.transpose(2, 1, 0)), H, Xhat, scratch)
    scale = np.sqrt(np.vdot(X, Xhat) / np.vdot(Xhat, Xhat))
    with h5py.File(start, "w") as file:
        file["start/W"] = W * scale
        file["start/H"] = H * scale


# --------------------------------------------------------------------------------------------------------- tables

def median_step(seconds):
    return float(np.median(np.diff(seconds))) if len(seconds) > 1 else float("nan")


def number(value, width, form):
    return f"{'-' if value is None else format(value, form):>{width}s}"


def quotient(a, b):
    return None if a is None or not b else a / b


def compare_with_peers(bench, pairs, peer_iterations):
    print(f"\n{PAIR.N} units x {PAIR.T} bins, K = {PAIR.K}, L = {PAIR.L}, seed {bench.seed}; "
          f"CPU seconds, to relative loss {STOP_LOSS:g}")
    print("pair peer  | peer s/iter  to loss  iterations | ours s/iter  descent  process  iterations "
          "| ratio s/iter  descent  process")
    ratios = {}
    for pair in range(1, pairs + 1):
        for algorithm in ("mult", "hals"):
            peer = bench.peer(PAIR, algorithm, peer_iterations, STOP_LOSS)
            full = bench.fit(PAIR, PAIR_ITERATIONS)
            descent, process, iterations = bench.ours_to_loss(PAIR, STOP_LOSS)
            if abs(peer["loss"][0] - full[0][0]) > 1e-6:
                raise SystemExit(f"error: the peer starts at loss {peer['loss'][0]:.8f}, ours at {full[0][0]:.8f}")
            theirs, ours = float(np.median(peer["cpu_s"])), median_step(full[1])
            ratio = theirs / ours, quotient(peer["cpu_to_loss"], descent), quotient(peer["cpu_to_loss"], process)
            ratios.setdefault(algorithm, []).append(ratio)
            print(f"{pair:4d} {algorithm:5s} |"
                  f"{theirs:12.4f} {number(peer['cpu_to_loss'], 8, '.2f')} "
                  f"{number(peer['iterations_to_loss'], 11, 'd')} |"
                  f"{ours:12.5f} {number(descent, 8, '.4f')} {number(process, 8, '.3f')} "
                  f"{number(iterations, 11, 'd')} |"
                  f"{ratio[0]:13.1f} {number(ratio[1], 8, '.1f')} {number(ratio[2], 8, '.1f')}", flush=True)
            if peer["cpu_to_loss"] is None:
                print(f"          | loss {peer['loss'][-1]:.4f} after {len(peer['cpu_s'])} iterations and "
                      f"{sum(peer['cpu_s']):.1f} s")
    for algorithm, found in ratios.items():
        each = np.median([r[0] for r in found])
        reached = [r[1:] for r in found if r[1] is not None]
        print(f"median ratio to {algorithm}: {each:.1f} an iteration, "
              + ("{:.1f} to the loss, {:.1f} with all of our process".format(*np.median(reached, axis=0))
                 if len(reached) == len(found) else "loss not reached by both"))


def compare_with_demands(bench, rows, stated_rate):
    print("\nours, HALS; CPU seconds an outer iteration")
    print("row   N      T   K    L |  history      CPU | GFLOP/s  two GEMMs |  demand   scaled | history / scaled")
    for index in rows:
        row = ROWS[index - 1]
        size = row.size
        bench.prepare(size)
        rate = stated_rate or peer_cnmf.gemm_rate()
        one = bench.fit(size, 1)
        full = bench.fit(size, row.iterations)
        done = len(full[0]) - 1
        step = median_step(full[1])
        cpu = (full[2] - one[2]) / (done - 1) if done > 1 else float("nan")
        products = 4e-9 * size.N * size.T * size.K * size.L / rate
        scaled = row.demand * DEMAND_RATE / rate
        engine = full[4].get("engine", "")
        engine = engine.decode() if isinstance(engine, bytes) else engine
        print(f"{index:3d} {size} |{step:9.4f} {cpu:8.4f} |{rate:8.1f} {products:10.4f} |"
              f"{row.demand:8.3f} {scaled:8.4f} |{step / scaled:6.2f} {'met' if step <= scaled else 'missed'}"
              + (f", {engine}" if engine else ""), flush=True)
        if full[3] > 1.15 * full[2]:
            print(f"    (the machine was busy: {full[3]:.2f} s passed for {full[2]:.2f} CPU s; trust the column CPU)")


def parse_rows(text):
    if text == "none":
        return []
    try:
        rows = [int(part) for part in text.split(",")]
    except ValueError:
        rows = [0]
    if not all(1 <= row <= len(ROWS) for row in rows):
        raise argparse.ArgumentTypeError(f"'{text}': expected none or numbers from 1 to {len(ROWS)}, as in 1,2")
    return rows


def positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise argparse.ArgumentTypeError(f"'{text}': expected a number above 0")
        return value
    return parse


def main():
    parser = argparse.ArgumentParser(description="Compare `cnmf fit` with literal numpy algorithms and with demands.")
    parser.add_argument("--bin", required=True, metavar="FOLDER", help="where the built tools are")
    parser.add_argument("--pairs", type=positive(int), default=2, metavar="N", help="turns a peer (2)")
    parser.add_argument("--peer-iterations", type=positive(int), default=100, metavar="N",
                        help="a peer gives up after so many iterations (100)")
    parser.add_argument("--skip-peer", action="store_true", help="second table only")
    parser.add_argument("--rows", type=parse_rows, default="1,2,3,4", metavar="LIST",
                        help="rows of the second table, or none (1,2,3,4)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the data and of the start ({SEED})")
    parser.add_argument("--gemm-rate", type=positive(float), metavar="G", help="GFLOP/s, instead of measuring it")
    parser.add_argument("--any-blas", action="store_true", help="compare even if numpy has no OpenBLAS")
    parser.add_argument("--folder", metavar="FOLDER", help="keep the files there (a temporary folder)")
    options = parser.parse_args()

    blas, core = peer_cnmf.blas_in_use()
    rate = peer_cnmf.gemm_rate()
    print(f"numpy {np.__version__}, BLAS {blas}, core type {core or 'none'}, one thread, "
          f"double GEMM {rate:.1f} GFLOP/s", flush=True)
    needs_blas = not options.skip_peer or (options.rows and options.gemm_rate is None)
    if needs_blas and not core:
        if not options.any_blas:
            raise SystemExit("error: numpy is not linked to OpenBLAS: the peers would be slow, and the demands lax, "
                             "for no fault of the algorithm.\nInstall it, or name the folder of its libblas.so.3 "
                             "in LD_LIBRARY_PATH; --any-blas compares all the same.")
        print("NOT A FAIR COMPARISON: numpy is not linked to OpenBLAS; peers are slow and scaled demands lax")

    with tempfile.TemporaryDirectory(prefix="compare-cnmf-") as temporary:
        folder = options.folder or temporary
        os.makedirs(folder, exist_ok=True)
        bench = Bench(options.bin, folder, options.seed)
        if not options.skip_peer:
            compare_with_peers(bench, options.pairs, options.peer_iterations)
        if options.rows:
            compare_with_demands(bench, options.rows, options.gemm_rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())

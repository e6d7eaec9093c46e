#!/usr/bin/python3
"""Fixed points of a GRU: `fixedpoints find` against an Adam search in PyTorch, side by side in one run, one thread each.

usage: compare_fixedpoints.py --bin build/bin RUN.h5... [--seeds 1] [--iterations 5000]

Each RUN.h5 is a run of `checkpoint train` with one gru layer (reset after) and its /data/test; ours is run on all of them with
so many seeds each, PyTorch on the first. Prints CPU seconds (user + system, of the whole process of ours; of the search alone of
PyTorch's), and how many distinct points each found."""
import argparse, os, resource, subprocess, tempfile, time

cpu = open("/proc/cpuinfo").read()
os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX" if "avx512f" in cpu else "Haswell")
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
import h5py
import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("runs", nargs="+")
parser.add_argument("--bin", required=True)
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--iterations", type=int, default=5000)
parser.add_argument("--rates", type=float, nargs="*", default=[0.01])
arguments = parser.parse_args()
torch.set_num_threads(1)


def ours(run, seed):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "points.h5")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([os.path.join(arguments.bin, "fixedpoints"), "find", run, "--mode", "exact", "--starts", "1024",
                        "--noise", "0.5", "--seed", str(seed), "--threads", "1", "--quiet", "-o", out], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        points = h5py.File(out)["fixedpoints/find/points"]
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, points["state"][:],
                int((points["kappa"][:] <= 0.5).sum()))


def gru(h, weights):
    gates = h @ weights["recurrent"].T + weights["recurrent_bias"]
    n = h.shape[1]
    drive = weights["bias"]
    r = torch.sigmoid(drive[:n] + gates[:, :n])
    z = torch.sigmoid(drive[n:2 * n] + gates[:, n:2 * n])
    c = torch.tanh(drive[2 * n:] + r * gates[:, 2 * n:])
    return (1 - z) * c + z * h


def load_weights():
    cells = h5py.File(arguments.runs[0])["model/weights"]
    cell = next(c for c in cells.values() if "recurrent" in c)
    weights = {k: torch.tensor(cell[k][()], dtype=torch.float32) for k in ("recurrent", "bias")}
    weights["recurrent_bias"] = (torch.tensor(cell["recurrent_bias"][()], dtype=torch.float32) if "recurrent_bias" in cell
                                 else torch.zeros_like(weights["bias"]))
    return weights


def adam(starts, weights, rate):
    h = torch.tensor(starts, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([h], lr=rate)
    before = time.process_time()
    for _ in range(arguments.iterations):
        optimizer.zero_grad()
        q = 0.5 * (gru(h, weights) - h).pow(2).sum(1)
        q.mean().backward()
        optimizer.step()
        if q.max() < 1e-12:
            break
    return time.process_time() - before, h.detach().double().numpy(), q.detach().numpy()


def main():
    times, counts, certified, reference = [], [], [], None
    for run in arguments.runs:
        for seed in range(arguments.seeds):
            seconds, points, proofs = ours(run, seed)
            times.append(seconds)
            counts.append(len(points))
            certified.append(proofs)
            reference = points if reference is None else reference
    print("ours: %d runs, points %d to %d, certified %d to %d; CPU s median %.3f, least %.3f, most %.3f" %
          (len(times), min(counts), max(counts), min(certified), max(certified), np.median(times), min(times), max(times)))
    weights = load_weights()
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "starts.h5")
        subprocess.run([os.path.join(arguments.bin, "fixedpoints"), "find", arguments.runs[0], "--mode", "exact", "--starts", "1024",
                        "--noise", "0.5", "--quiet", "-o", out], check=True)
        starts = h5py.File(out)["fixedpoints/find/starts/state"][:]
    for rate in arguments.rates:
        seconds, ends, q = adam(starts, weights, rate)
        # Only ends that rest count, each at the nearest true point.
        rest = ends[q < 1e-8]
        hit = {int(np.linalg.norm(reference - p, axis=1).argmin()) for p in rest
               if np.linalg.norm(reference - p, axis=1).min() < 0.05}
        print("PyTorch Adam, rate %g: CPU s %.1f, %d of %d ends with q < 1e-8, %d of the %d points; ratio %.0f" %
              (rate, seconds, len(rest), len(ends), len(hit), len(reference), seconds / np.median(times)))


main()

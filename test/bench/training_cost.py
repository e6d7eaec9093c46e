#!/usr/bin/python3
"""What checkpoints cost a run of `checkpoint train`, and the memory that a run takes, beside their targets.

    training_cost.py BIN_FOLDER [--rounds N] [--folder FOLDER]      (python3 with h5py and numpy)

Checkpoints. What one costs, from runs that differ in nothing else, alternately: one with a checkpoint after every step, and
one with the 2 that every run has; by the clock (every one is flushed to the disk, and copied to the run file in the end)
and in CPU seconds, medians over the rounds. The share is that of 32 in the time of a run as long as given. Target: below 5 %.

Memory. The peak of a run less that of a run whose network is next to nothing, on the same data, beside
4 bytes x (parameters x (2 + states of the optimiser) + activations and their cotangents of one batch), the target, to which a
logged step adds the change before (parameters x 4 bytes), with which it compares its own. Of a run with the ordinary settings,
of one that logs, looks at held-out samples, keeps a checkpoint and saves its state at every step, and of that one resumed.

Exit status 1 where a target is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

MOST_SHARE = 0.05
SHORT = 200 # steps of the runs that tell what a checkpoint costs
# Of the estimate: what every run has beside it (batches, metrics, buffers of files).
MOST_OVER = 0.2


def measured(command):
    """Seconds by the clock, CPU seconds, and peak memory (bytes) of a process of its own."""
    begun = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} ended with status {process.returncode}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def write_data(name, shape, samples):
    random = np.random.default_rng(0)
    with h5py.File(name, "w") as f:
        f["data/train/inputs"] = random.standard_normal((samples, *shape), dtype=np.float32)
        f["data/train/targets"] = random.integers(0, 10, samples)
        f["data/test/inputs"] = f["data/train/inputs"][:256]
        f["data/test/targets"] = f["data/train/targets"][:256]


def share_of_checkpoints(tool, folder, name, words, steps, rounds):
    def run(steps, checkpoints):
        out = f"{folder}/run.h5"
        found = measured([tool, "train", *words, "--steps", str(steps), "--checkpoints", checkpoints, "--threads", "1",
                          "--no-provenance", "--quiet", "--force", "-o", out])[:2]
        with h5py.File(out) as f:
            return np.array(found), len(f["run/steps"])
    costs = []
    for _ in range(rounds):
        few, many = run(SHORT, "list:0"), run(SHORT, "every:1")
        costs.append((many[0] - few[0]) / (many[1] - few[1]))
    whole, cost = run(steps, "list:0")[0], np.median(costs, axis=0)
    shares = 32 * cost / whole
    print(f"{name:34s} {1e3 * cost[0]:7.2f} {1e3 * cost[1]:7.2f} {whole[0]:8.1f} {shares[0]:8.1%} {shares[1]:8.1%}   < {MOST_SHARE:.0%}")
    return shares[0] < MOST_SHARE


def activations(file):
    """Numbers of one sample's tensors, of a network of dense layers."""
    with h5py.File(file) as f:
        architecture = json.loads(f["model"].attrs["architecture"])
    sizes = [int(np.prod(architecture["input"]["shape"]))]
    for layer in architecture["layers"]:
        sizes.append(layer.get("units", sizes[-1]))
    return sum(sizes)


BUSY = ["--metrics-every", "1", "--eval-every", "1", "--checkpoints", "every:1", "--save-every", "0"]


def memory(tool, folder, data, name, words, batch, states):
    out = f"{folder}/memory.h5"
    def peak(model, more, steps=6):
        return measured([tool, "train", data, "--model", model, "--batch-size", str(batch), "--steps", str(steps), "--threads", "1",
                         "--no-provenance", "--quiet", "--force", "-o", out, *more])[2]
    least = peak("mlp:2", [])
    found = [peak(name, words) - least, peak(name, words + BUSY) - least, peak(name, words + BUSY + ["--resume"], 9) - least]
    with h5py.File(out) as f:
        parameters = int(f["run"].attrs["parameters"])
    numbers = parameters * (2 + states) + 2 * batch * activations(out)
    overs = [one / (4 * numbers) - 1 for one in found]
    most = (1 + MOST_OVER) * (numbers + parameters) / numbers - 1
    print(f"{name + ' ' + ' '.join(words[1:]).replace('--', ''):34s} {parameters / 1e6:7.2f} {4 * numbers / 2**20:7.0f}"
          + "".join(f" {one / 2**20:6.0f} {over:+6.0%}" for one, over in zip(found, overs)) + f"   < {most:+.0%}")
    return max(overs) < most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="for the files of the runs; a temporary one, where it is left out")
    arguments = parser.parse_args()
    tool = os.path.join(arguments.bin, "checkpoint")
    fine = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        digits, images = f"{folder}/digits.h5", f"{folder}/images.h5"
        write_data(digits, (784,), 4096)
        write_data(images, (1, 28, 28), 1024)
        print(f"{'checkpoints':34s} {'ms':>7s} {'CPU ms':>7s} {'run: s':>8s} {'clock':>8s} {'CPU':>8s}   target")
        for name, words, steps in (("mlp 784-256-256-10, 4000 x 128", [digits, "--model", "mlp:256,256", "--batch-size", "128"], 4000),
                                   ("mlp 784-64-64-10, 8000 x 64", [digits, "--model", "mlp:64,64", "--batch-size", "64"], 8000),
                                   ("conv 16-32, 400 x 64", [images, "--model", "conv:16,32", "--batch-size", "64"], 400),
                                   ("gru 64, flipflop, 300 x 64", ["--task", "flipflop", "--model", "gru:64", "--batch-size", "64"], 300)):
            fine.append(share_of_checkpoints(tool, folder, name, words + ["--momentum", "0.9", "--eval-every", "0"], steps, arguments.rounds))
        print(f"\n{'memory, MiB':34s} {'M par.':>7s} {'target':>7s} {'found':>6s} {'over':>6s} {'busy':>6s} {'over':>6s} {'again':>6s} {'over':>6s}   bound")
        for words, states in ((["--optimizer", "sgd"], 0), (["--optimizer", "sgd", "--momentum", "0.9"], 1), (["--optimizer", "adam"], 2)):
            fine.append(memory(tool, folder, digits, "mlp:4000,4000", words, 128, states))
        fine.append(memory(tool, folder, digits, "mlp:200,200", ["--optimizer", "sgd"], 4096, 0))
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()

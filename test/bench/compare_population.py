#!/usr/bin/python3
"""Times `fixedpoints compare` on a population of many networks, whose activations are made here.

usage: compare_population.py --bin build/bin [--networks 1000] [--samples 6400] [--dimensions 20] [--metric svcca] [--threads 1]

Each network's activations are a random mixture of 30 slow signals that all networks share and of signals of its own, as
left singular basis (T x k, float32), singular values and right basis: the form in which `fixedpoints population` stores
them. The target of the specification is 1000 networks of T = 6400, k <= 20 in 180 s on one core.
"""
import argparse
import os
import subprocess
import tempfile
import time

import h5py
import numpy as np

NONE = "0" * 32


def write(file, networks, samples, dimensions):
    """One population file. The layout is that of lib/fixedpoints/population_io.hpp."""
    rng = np.random.default_rng(0)
    time_ = np.arange(samples)[:, None]
    shared = np.sin(time_ * rng.uniform(.002, .1, 30) + rng.uniform(0, 6, 30))
    with h5py.File(file, "w", libver="latest") as f:
        p = f.create_group("fixedpoints/population")
        p.attrs.update(options="{}", options_digest=NONE, data_digest=NONE, manifest_digest=NONE, networks=networks, shard=1, shards=1)
        for i in range(networks):
            own = np.sin(time_ * rng.uniform(.002, .1, dimensions) + rng.uniform(0, 6, dimensions))
            x = shared @ rng.normal(size=(30, dimensions)) + 2 * own
            left, s, right = np.linalg.svd(x - x.mean(0), full_matrices=False)
            g = p.create_group("networks/net-%04d" % i)
            units = (64, 128, 256)[i % 3]
            arch = ("gru", "lstm", "rnn", "ugrnn")[i % 4]
            labels = '{"activation":"%s","arch":"%s","units":"%d"}' % (("relu", "tanh")[i // 4 % 2], arch, units)
            g.attrs.update(index=i, labels=labels, file="net-%04d.h5" % i, step="last", status="done", message="", loss=1e-3,
                           accuracy=1.0, model_digest=NONE)
            a = g.create_group("activations")
            a["left"], a["singular_values"] = left.astype("f4"), s
            a["right"] = np.linalg.qr(rng.normal(size=(units, dimensions)))[0].astype("f4")
            a["mean"] = np.zeros(units)
            a.attrs.update(threshold=.999, samples=samples, units=units)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=6400)
    parser.add_argument("--dimensions", type=int, default=20)
    parser.add_argument("--metric", default="svcca")
    parser.add_argument("--threads", type=int, default=1)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        population = os.path.join(folder, "population.h5")
        write(population, o.networks, o.samples, o.dimensions)
        print("population of %d networks: %.0f MB" % (o.networks, os.path.getsize(population) / 1e6))
        for what in [], ["--mds", "none", "--permutations", "0"]:
            command = [os.path.join(o.bin, "fixedpoints"), "compare", population, "--metric", o.metric, "--threads", str(o.threads),
                       *what, "-o", os.path.join(folder, "compare.h5"), "--force", "--quiet"]
            start = time.perf_counter()
            subprocess.run(command, check=True)
            print("%-45s %.1f s" % (" ".join([o.metric, *what]), time.perf_counter() - start))


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""CPU seconds of `fixedpoints` beside its targets, one thread each, whole processes.

usage: targets_fixedpoints.py --bin build/bin --source . [--rounds 3] [--only WORD]

Networks of the reproduction are trained first (GRU-64, tanh-16: minutes); the larger ones are drawn. Prints the least of all
rounds beside its target and exits with 1 where one is missed by more than the share --allow (a target holds for an AVX-512 core
with nothing else to do)."""
import argparse
import os
import resource
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("--bin", required=True)
parser.add_argument("--source", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--only", default="")
parser.add_argument("--allow", type=float, default=0.4)
arguments = parser.parse_args()
TOOLS, SOURCE = os.path.abspath(arguments.bin), os.path.abspath(arguments.source)

EXACT = "--mode exact --starts 1024 --noise 0.5"
DRAWN = "--mode exact --init-mode uniform"
# What is timed: name, target in CPU seconds, command (its output is out.h5), what must stand before.
ROWS = [
    ("find, GRU-64, 1024 starts", 0.1, f"find gru-64.h5 {EXACT}", ["gru-64.h5"]),
    ("find, tanh-16, 1024 starts", 0.02, f"find tanh-16.h5 {EXACT}", ["tanh-16.h5"]),
    ("find, LSTM-128, 1024 starts", 2, f"find lstm-128.h5 {DRAWN} --starts 1024", ["lstm-128.h5"]),
    ("find, GRU-256, 256 starts", 2.5, f"find gru-256.h5 {DRAWN} --starts 256", ["gru-256.h5"]),
    ("linearize, 27 points, GRU-64", 0.1, "linearize points.h5", ["points.h5"]),
    ("topology, 27 points, GRU-64", 2, "topology modes.h5", ["modes.h5"]),
    ("find, slow, GRU-64, 500 starts", 1.5, "find gru-64.h5 --mode slow --starts 500 --slow-tol inf", ["gru-64.h5"]),
]
MADE = {
    "gru-64.h5": f"checkpoint train {SOURCE}/share/reproduce/1907.08549/flipflop-gru-64.json --checkpoints list:0",
    "tanh-16.h5": f"checkpoint train {SOURCE}/share/reproduce/1907.08549/flipflop-tanh-16.json --checkpoints list:0",
    "lstm-128.h5": "fixedpoints synth random --cell lstm --n 128 --inputs 3 --outputs 3 --gain 1.5",
    "gru-256.h5": "fixedpoints synth random --cell gru --n 256 --inputs 3 --outputs 3 --gain 1.5",
    "points.h5": f"fixedpoints find gru-64.h5 {EXACT}",
    "modes.h5": "fixedpoints linearize points.h5",
}
NEEDS = {"points.h5": "gru-64.h5", "modes.h5": "points.h5"}


def run(words, out):
    words = words.split()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([os.path.join(TOOLS, words[0]), *words[1:], "--threads", "1", "--quiet", "--force", "-o", out], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make(name):
    if name in NEEDS:
        make(NEEDS[name])
    if not os.path.exists(name):
        run(MADE[name], name)


def main():
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, target, command, needs in ROWS:
            if arguments.only not in name:
                continue
            for need in needs:
                make(need)
            seconds = min(run("fixedpoints " + command, "out.h5") for _ in range(arguments.rounds))
            met = seconds <= target * (1 + arguments.allow)
            missed += not met
            print(f"{name:34s} {seconds:8.3f} s   target {target:g} s   {'met' if seconds <= target else 'near' if met else 'missed'}",
                  flush=True)
    return 1 if missed else 0


sys.exit(main())

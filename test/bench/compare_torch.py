#!/usr/bin/env python3
"""Training steps and Hessian-vector products beside PyTorch: one run, alternately, one thread against one.

    compare_torch.py --bench build/bench/assay-bench-network [--bin FOLDER] [--cases LIST] [--rounds N] [--seconds S]
                     [--threads N] [--json OUT]

Needs a build with -DASSAY_BENCH=ON, and Debian's python3-torch. --bin names the folder of the built tools: then whole
runs of `checkpoint train` are measured too. --cases: step, hessian, run, all, or names such as step/gru, separated by
commas.

BLAS. An OpenBLAS that does not know the CPU falls back to SSE kernels and makes PyTorch 3 to 5 times slower. The core
type is therefore set (OPENBLAS_CORETYPE, by peer_cnmf.py) before anything is imported, and the run states which one
OpenBLAS took and the rate of a float32 product of two 1024^2 matrices. The run is refused if PyTorch's BLAS is not
OpenBLAS or did not take the core type it was told, since such a comparison means nothing.

Steps. Float32, random data in memory: forward, gradient, update by SGD with momentum 0.9. PyTorch: eager modules,
nn.RNN, nn.GRU and nn.LSTM as they are, zero_grad(set_to_none=True); ugrnn is a loop over time, with the input's product
taken for all steps before. Ours: the trainer's step without the making of batches. Both networks must have the same
number of parameters. Samples a second are samples a CPU second of one thread; with --threads 2 or more, a second of
the clock, which asks for an idle machine. A ratio above 1 says that ours is faster; targets are those of the
specification. Each round measures one and then the other for --seconds; the table shows medians over the rounds.

Products. Seconds a vector on the whole set. PyTorch: gradient with create_graph, then the gradient of its product with
the vector: `fresh` does both for every vector (best of several batch sizes that sum to the set), `kept` keeps the graph
and does the second half only. Ours likewise: `fresh` has no memory for activations, `kept` keeps them; 1, 4, 16
vectors at once. The ratios compare fresh with fresh and kept with kept. `share` is the rate of ours, all arithmetic
counted, over that of a float32 matrix product of 1024^2 in the same executable, measured just after.

Runs. `checkpoint train` on the data of step/mlp: CPU seconds of two whole processes that differ in steps, beside
step/mlp; the difference is the making of batches, metrics, evaluation and checkpoints.
"""

import peer_cnmf    # first: it prepares the environment for BLAS, here and in every program started from here

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError as error:
    raise SystemExit(f"error: {error} (apt install python3-torch)")

# ---------------------------------------------------------------------------------------------------------- models


def perceptron(inputs, hidden, outputs):
    layers = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def small_convolutional(extent, first, second, kernel):
    left = ((extent - kernel + 1) // 2 - kernel + 1) // 2
    return nn.Sequential(nn.Conv2d(1, first, kernel), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(first, second, kernel), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(second * left * left, 10))


class Residual(nn.Module):
    def __init__(self, before, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, filters, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Identity() if before == filters else nn.Sequential(
            nn.Conv2d(before, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet8():
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Sequence(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(3, 64, batch_first=True)
        self.readout = nn.Linear(64, 3)

    def forward(self, x):
        return self.readout(self.cell(x)[0])


class Ugrnn(nn.Module):
    """u = sigmoid, c = tanh of x K + h R + b; h' = u h + (1 - u) c."""

    def __init__(self, inputs, units, batch_first=True):
        super().__init__()
        assert batch_first
        self.kernel = nn.Linear(inputs, 2 * units)
        self.recurrent = nn.Linear(units, 2 * units, bias=False)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], self.recurrent.in_features)
        states = []
        for a in self.kernel(x).unbind(1):
            gate, candidate = (a + self.recurrent(h)).chunk(2, 1)
            u = torch.sigmoid(gate)
            h = u * h + (1 - u) * torch.tanh(candidate)
            states.append(h)
        return torch.stack(states, 1), h


def retina():
    return nn.Sequential(nn.Conv2d(40, 8, 15), nn.Softplus(), nn.Conv2d(8, 8, 11), nn.Softplus(),
                         nn.Flatten(), nn.Linear(8 * 26 * 26, 5))


# name: (model, shape of an input, shape of a target or None for 10 classes, samples, target ratio)
STEPS = {
    "mlp": (lambda: perceptron(784, [256, 256], 10), (784,), None, 128, 90 / 74),
    "mlp-narrow": (lambda: perceptron(64, [64, 64, 64], 10), (64,), None, 64, 700 / 275),
    "mlp-wide": (lambda: perceptron(784, [1000, 1000, 1000], 10), (784,), None, 256, 1.2),
    "conv": (lambda: small_convolutional(28, 16, 32, 5), (1, 28, 28), None, 64, 1.3),
    "resnet8": (resnet8, (3, 32, 32), None, 64, 1.2),
    "rnn": (lambda: Sequence(nn.RNN), (64, 3), (64, 3), 128, 1.5),
    "gru": (lambda: Sequence(nn.GRU), (64, 3), (64, 3), 128, 1.5),
    "lstm": (lambda: Sequence(nn.LSTM), (64, 3), (64, 3), 128, 1.5),
    "ugrnn": (lambda: Sequence(Ugrnn), (64, 3), (64, 3), 128, 6),
    "retina": (retina, (40, 50, 50), (5,), 50, 1.3),
}
# name: (model, shape of an input, samples, target ratio, batch sizes to try)
HESSIANS = {
    "mlp": (lambda: perceptron(784, [200, 200], 10), (784,), 10000, 1.7, (10000, 2500, 1000, 500)),
    "mlp-batch": (lambda: perceptron(784, [200, 200], 10), (784,), 64, 3, (64,)),
    "conv": (lambda: small_convolutional(28, 8, 16, 3), (1, 28, 28), 1000, 5, (1000, 250, 100)),
}

# ---------------------------------------------------------------------------------------------------- measurements


def measure(seconds, body):
    """(CPU seconds, wall seconds) a call, after one or two to warm up."""
    begin = time.perf_counter()
    body()
    if time.perf_counter() - begin < 0.2:
        body()
    calls, cpu, wall = 0, time.process_time(), time.perf_counter()
    while calls < 3 or time.perf_counter() - wall < seconds:
        body()
        calls += 1
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


def parameters(model):
    return sum(p.numel() for p in model.parameters())


class TorchStep:
    BATCHES = 4

    def __init__(self, name):
        make, inputs, targets, self.samples, _ = STEPS[name]
        torch.manual_seed(0)
        self.model = make().train()
        self.x = [torch.randn(self.samples, *inputs) for _ in range(self.BATCHES)]
        self.y = [torch.randint(10, (self.samples,)) if targets is None else torch.randn(self.samples, *targets)
                  for _ in range(self.BATCHES)]
        self.loss = F.cross_entropy if targets is None else F.mse_loss
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-6, momentum=0.9)
        self.number = 0

    def step(self):
        at = self.number % self.BATCHES
        self.number += 1
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(self.model(self.x[at]), self.y[at]).backward()
        self.optimizer.step()


class TorchHessian:
    def __init__(self, name):
        make, inputs, samples, _, self.sizes = HESSIANS[name]
        torch.manual_seed(0)
        self.model = make()
        self.weights = list(self.model.parameters())
        self.x, self.y = torch.randn(samples, *inputs), torch.randint(10, (samples,))
        self.v = [torch.randn_like(p) for p in self.weights]

    def graph(self, x, y):
        """<gradient, v> of a part's share of the mean loss."""
        loss = F.cross_entropy(self.model(x), y, reduction="sum") / len(self.x)
        gradients = torch.autograd.grad(loss, self.weights, create_graph=True)
        return sum((g * v).sum() for g, v in zip(gradients, self.v))

    def fresh(self, size):
        total = None
        for x, y in zip(self.x.split(size), self.y.split(size)):
            parts = torch.autograd.grad(self.graph(x, y), self.weights)
            total = parts if total is None else [a.add_(b) for a, b in zip(total, parts)]
        return total

    def measure_kept(self, seconds):
        loss = F.cross_entropy(self.model(self.x), self.y)
        gradients = torch.autograd.grad(loss, self.weights, create_graph=True)
        return measure(seconds, lambda: torch.autograd.grad(gradients, self.weights, self.v, retain_graph=True))


def execute(command):
    """(output, CPU seconds). A failure ends the run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
                              check=False)
    except OSError as error:
        raise SystemExit(f"error: {command[0]}: {error.strerror}")
    if done.returncode != 0:
        raise SystemExit(f"error: exit status {done.returncode} of {' '.join(command)}\n{done.stderr.strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(options, *words):
    text, _ = execute([options.bench, *words, "--seconds", str(options.seconds), "--threads", str(options.threads)])
    return json.loads(text)


def pick(options, cpu, wall):
    return cpu if options.threads == 1 else wall


# ---------------------------------------------------------------------------------------------------------- tables


def compare_steps(options, names):
    unit = "CPU s" if options.threads == 1 else f"s, {options.threads} threads"
    print(f"\ntraining steps; samples/{unit}")
    print("case        batch parameters |    torch      ours   GFLOP/s |  ratio  target")
    found = {}
    for name in names:
        peer = TorchStep(name)
        theirs, own, ratios, rates = [], [], [], []
        for _ in range(options.rounds):
            result = ours(options, "step", name)
            if result["parameters"] != parameters(peer.model) or result["batch"] != peer.samples:
                raise SystemExit(f"error: step/{name}: PyTorch has {parameters(peer.model)} parameters and a batch of "
                                 f"{peer.samples}, ours {result['parameters']} and {result['batch']}")
            a, b = pick(options, *measure(options.seconds, peer.step)), pick(options, result["cpu"], result["wall"])
            theirs.append(peer.samples / a)
            own.append(peer.samples / b)
            ratios.append(a / b)
            rates.append(1e-9 * result["flops"] / b)
        ratio, target = statistics.median(ratios), STEPS[name][4]
        found[name] = {"torch": theirs, "ours": own, "ratio": ratio, "target": target}
        print(f"{name:11s} {peer.samples:5d} {parameters(peer.model):10d} |{statistics.median(theirs):9.0f} "
              f"{statistics.median(own):9.0f} {statistics.median(rates):9.1f} |{ratio:7.2f} {target:7.2f} "
              f"{'met' if ratio >= target else 'missed'}", flush=True)
    return found


def compare_hessians(options, names):
    unit = "CPU ms" if options.threads == 1 else f"ms, {options.threads} threads"
    print(f"\nHessian-vector products; {unit} a vector")
    print("case      samples        |    torch | vectors    ours   GFLOP/s  share |  ratio  target")
    found = {}
    for name in names:
        peer = TorchHessian(name)
        target = HESSIANS[name][3]
        for kind in ("fresh", "kept"):
            theirs, rows = [], {}
            for _ in range(options.rounds):
                if kind == "fresh":
                    tried = {size: pick(options, *measure(options.seconds, lambda: peer.fresh(size)))
                             for size in peer.sizes}
                    best = min(tried, key=tried.get)
                    theirs.append(tried[best])
                    found.setdefault(f"{name}/batch sizes", []).append(tried)
                else:
                    theirs.append(pick(options, *peer.measure_kept(options.seconds)))
                for k in (1, 4, 16):
                    words = ["hessian", name, "--directions", str(k)] + (["--keep"] if kind == "kept" else [])
                    result = ours(options, *words)
                    if result["parameters"] != parameters(peer.model) or result["samples"] != len(peer.x):
                        raise SystemExit(f"error: hessian/{name}: the networks or sets differ")
                    result["seconds"] = pick(options, result["cpu_per_product"], result["wall_per_product"])
                    rows.setdefault(k, []).append(result)
            label = f"{kind}" + (f", {best}" if kind == "fresh" else "")
            for k, results in rows.items():
                own = statistics.median(r["seconds"] for r in results)
                ratio = statistics.median(a / r["seconds"] for a, r in zip(theirs, results))
                rate = statistics.median(r["gflops"] for r in results)
                share = statistics.median(r["gflops"] / r["gemm_gflops"] for r in results)
                found[f"{name}/{kind}/{k}"] = {"torch": theirs, "ours": own, "gflops": rate, "share": share,
                                               "ratio": ratio, "target": target}
                print(f"{name:10s}{len(peer.x):6d} {label:12s} |{1e3 * statistics.median(theirs):9.3f} |{k:8d}"
                      f"{1e3 * own:9.3f} {rate:8.1f} {100 * share:6.0f} % |{ratio:7.2f} {target:7.2f} "
                      f"{'met' if ratio >= target else 'missed'}", flush=True)
    return found


def compare_runs(options):
    steps = (200, 1200)
    print("\nwhole runs of checkpoint train, mlp, batch 128; samples/CPU s")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        data, out = os.path.join(folder, "data.h5"), os.path.join(folder, "run.h5")
        with h5py.File(data, "w") as file:
            for split, count in (("train", 5120), ("test", 512)):
                file[f"data/{split}/inputs"] = rng.standard_normal((count, 784), dtype=np.float32)
                file[f"data/{split}/targets"] = rng.integers(0, 10, count)
        cpu = []
        for number in steps:
            cpu.append(execute([os.path.join(options.bin, "checkpoint"), "train", data, "--model", "mlp:256,256",
                                "--batch-size", "128", "--momentum", "0.9", "--learning-rate", "0.001", "--steps",
                                str(number), "--threads", str(options.threads), "-o", out, "--force"])[1])
    bare = ours(options, "step", "mlp")["cpu"]
    step = (cpu[1] - cpu[0]) / (steps[1] - steps[0])
    print(f"run {128 / step:9.0f}, bare step {128 / bare:9.0f}: {100 * (step / bare - 1):.0f} % on top; "
          f"process of {steps[1]} steps {cpu[1]:.2f} CPU s")
    return {"cpu": cpu, "steps": steps, "bare": bare}


def prepare_torch(threads):
    """One thread or as many as asked for, and an OpenBLAS that knows the CPU; else the run ends."""
    torch.set_num_threads(threads)
    torch.mm(torch.ones(8, 8), torch.ones(8, 8))
    blas, core = peer_cnmf.blas_in_use()
    told = os.environ.get("OPENBLAS_CORETYPE")
    if not core:
        raise SystemExit(f"error: BLAS {blas}: not OpenBLAS, so PyTorch is slower than it need be "
                         "(apt install libopenblas0-pthread)")
    if not told or core.lower() != told.lower():
        raise SystemExit(f"error: OpenBLAS took core type {core}, told {told or 'nothing'}: PyTorch is slower than it "
                         "need be")
    if threads > 1:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            paths = {line.split(None, 5)[-1].strip() for line in file if "blas" in line}
        for path in paths:
            setter = getattr(ctypes.CDLL(path), "openblas_set_num_threads", None)
            if setter:
                setter(threads)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = min(measure(0, lambda: torch.mm(a, b))[0] for _ in range(4))
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread(s), BLAS {blas}, core type {core}, "
          f"float32 GEMM {2e-9 * 1024 ** 3 / best:.1f} GFLOP/s; "
          f"load of the machine {os.getloadavg()[0]:.1f}", flush=True)


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


def chosen(text, kind, cases):
    words = text.split(",")
    return [name for name in cases if {"all", kind, f"{kind}/{name}"} & set(words)]


def main():
    parser = argparse.ArgumentParser(description="Training steps and Hessian-vector products beside PyTorch.")
    parser.add_argument("--bench", required=True, metavar="FILE", help="assay-bench-network")
    parser.add_argument("--bin", metavar="FOLDER", help="where the built tools are: whole runs too")
    parser.add_argument("--cases", default="all", metavar="LIST", help="step, hessian, run, all, step/gru, ... (all)")
    parser.add_argument("--rounds", type=positive(int), default=3, metavar="N", help="turns a case (3)")
    parser.add_argument("--seconds", type=positive(float), default=2, metavar="S", help="each turn (2)")
    parser.add_argument("--threads", type=positive(int), default=1, metavar="N", help="of both (1)")
    parser.add_argument("--json", metavar="OUT", help="write the numbers as JSON")
    options = parser.parse_args()
    options.bench = os.path.abspath(options.bench)

    known = {"all", "step", "hessian", "run", "run/mlp"} | {f"step/{n}" for n in STEPS} | {
        f"hessian/{n}" for n in HESSIANS}
    unknown = [word for word in options.cases.split(",") if word not in known]
    if unknown:
        parser.error(f"--cases: unknown '{unknown[0]}'; known: {', '.join(sorted(known))}")
    prepare_torch(options.threads)
    rate = json.loads(execute([options.bench, "gemm"])[0])["gemm_gflops"]
    print(f"ours: float32 GEMM {rate:.1f} GFLOP/s")
    found = {"gemm_gflops": rate}
    if names := chosen(options.cases, "step", STEPS):
        found["step"] = compare_steps(options, names)
    if names := chosen(options.cases, "hessian", HESSIANS):
        found["hessian"] = compare_hessians(options, names)
    if options.bin and chosen(options.cases, "run", ["mlp"]):
        found["run"] = compare_runs(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

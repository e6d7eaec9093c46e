#!/usr/bin/python3
"""Writes network_oracle.h5: small networks with their outputs, losses and exact derivatives in double precision.

Every number comes from torch's double autograd. Before anything is written each case must pass, in this script:
  forward pass and loss       against a second implementation in plain numpy (loops over positions and steps)
  Jv, input Jv                against central differences (relative error < 1e-6)
  gradient, input gradient    against central differences of the loss
  Hv, d(input gradient)[v]    against central differences of gradients (relative error < 1e-6)
  GGNv                        against J^T S (J v) with the loss Hessian S in closed form
  <u, Jv> = <J^T u, v>  to 1e-12,  <w, Hv> = <v, Hw>  to 1e-10
  H = sum of its columns, gradient = mean of per-sample gradients
Recurrent cells are further held against torch.nn's cells and against the closed forms of their Jacobians.
Any failure ends the script with no file left behind.

Usage: make_network_oracle.py [network_oracle.h5]
"""
import itertools
import json
import math
import os
import sys
import warnings
import zlib

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import h5py
import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import erf

torch.set_num_threads(1)
warnings.filterwarnings("ignore", message="Using padding=.same.")
torch.set_default_dtype(torch.float64)

GATES = {"rnn": "", "gru": "r,z,n", "lstm": "i,f,g,o", "ugrnn": "u,c", "janet": "f,g", "ctrnn": "", "linear": ""}
NOT_TRAINED = {"moving_mean", "moving_variance"}
# Keys that the specification spells, or names in words for that layer; all others are this file's choice.
ATTESTED = {
    "": {"name", "type", "inputs"}, "dense": {"units", "bias"}, "conv": {"filters", "kernel", "stride", "padding", "bias", "dilation", "groups"},
    "max_pool": {"kernel", "stride", "padding"}, "reverse": set(), "average_pool": {"kernel", "stride", "padding"},
    "activation": {"function", "beta"}, "flatten": {"order"}, "embedding": {"vocabulary"},
    "cell": {"units", "activation", "recurrent_activation", "reset_after", "form", "alpha", "return_sequences"},
}



# ---------------------------------------------------------------- architectures

def architecture(shape, axes, layers, output=None):
    layers = [dict(l) for l in layers]
    return {"format": "assay-architecture/1", "input": {"shape": list(shape), "axes": list(axes)}, "layers": layers,
            "output": output or [layers[-1]["name"]]}


def unattested(arch):
    found = set()
    for l in arch["layers"]:
        t = l["type"]
        known = ATTESTED[""] | ATTESTED.get("conv" if t.startswith("conv") else "cell" if t in GATES else t, set())
        found |= {f"{t}.{k}" for k in l if k not in known}
    return ",".join(sorted(found))


def pads(layer, shape, kernel, stride, dilation):
    """[before, after] per spatial axis."""
    p = layer.get("padding", "valid")
    if p == "valid":
        return [(0, 0)] * len(kernel)
    if p == "same":
        result = []
        for n, k, s, d in zip(shape, kernel, stride, dilation):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            result.append((total // 2, total - total // 2))
        return result
    return [tuple(x) for x in p]


def window(layer, shape):
    kernel = layer["kernel"]
    default = kernel if layer["type"].endswith("pool") else [1] * len(kernel)
    stride = layer.get("stride", default)
    dilation = layer.get("dilation", [1] * len(kernel))
    return kernel, stride, dilation, pads(layer, shape, kernel, stride, dilation)


def transposed(layer, shape):
    """Of a transposed convolution: kernel, stride, dilation, cells of the output, and where it begins in all that the kernels reach."""
    kernel = layer["kernel"]
    stride, dilation = layer.get("stride", [1] * len(kernel)), layer.get("dilation", [1] * len(kernel))
    more = layer.get("output_padding", [0] * len(kernel))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    if layer.get("padding") == "same":  # TensorFlow: stride times as many cells; what is beyond goes, the smaller half in front
        cells = [n * s for n, s in zip(shape, stride)]
        begin = [max(r - s, 0) // 2 for r, s in zip(reach, stride)]
    else:
        cut = layer["padding"] if isinstance(layer.get("padding"), list) else [[0, 0]] * len(kernel)
        cells = [(n - 1) * s + r + m - a - b for n, s, r, m, (a, b) in zip(shape, stride, reach, more, cut)]
        begin = [a for a, _ in cut]
    return kernel, stride, dilation, cells, begin


def initialise(arch, rng, scale):
    """Random parameters of the right shapes; shapes are found by running the network on one zero sample."""
    params = {}

    def make(layer, parameter, shape, how="normal"):
        values = {"normal": lambda: scale * rng.standard_normal(shape) / math.sqrt(max(1, np.prod(shape[1:]) if len(shape) > 1 else 4)) * 1.5,
                  "positive": lambda: 0.5 + rng.random(shape), "around_one": lambda: 1 + 0.4 * rng.standard_normal(shape)}[how]()
        params.setdefault(layer["name"], {})[parameter] = np.asarray(values, dtype=float)

    previous = "input"
    in_shape = tuple(arch["input"]["shape"])
    tensors = {"input": (torch.zeros((2,) + in_shape, dtype=torch.int64 if arch["layers"][0]["type"] == "embedding" else torch.float64))}
    for l in arch["layers"]:
        sources = [tensors[s] for s in l.get("inputs", [previous])]
        x = sources[0]
        t = l["type"]
        if t == "dense":
            make(l, "weight", (l["units"], x.shape[-1]))
            if l.get("bias", True):
                make(l, "bias", (l["units"],))
        elif t.startswith("conv"):
            groups = l.get("groups", 1)
            make(l, "weight", ((x.shape[1], l["filters"] // groups) if t.endswith("_transpose") else (l["filters"], x.shape[1] // groups)) + (*l["kernel"],))
            if l.get("bias", True):
                make(l, "bias", (l["filters"],))
        elif t == "batch_norm":
            n = x.shape[feature_axis(x, l)]
            make(l, "gamma", (n,), "around_one"); make(l, "beta", (n,))
            make(l, "moving_mean", (n,)); make(l, "moving_variance", (n,), "positive")
        elif t == "layer_norm":
            make(l, "gamma", tuple(x.shape[1:]) if l.get("axes") == "all" else (x.shape[-1],), "around_one")
            make(l, "beta", params[l["name"]]["gamma"].shape)
        elif t == "activation" and l["function"] == "parametric_softplus":
            make(l, "alpha", tuple(x.shape[1:]), "positive"); make(l, "beta", tuple(x.shape[1:]), "positive")
        elif t == "embedding":
            make(l, "weight", (l["vocabulary"], l["units"]))
            params[l["name"]]["weight"] *= 1.5
        elif t in GATES:
            n, g = l["units"], max(1, len([c for c in GATES[t].split(",") if c]))
            make(l, "kernel", (g * n, x.shape[-1]))
            make(l, "recurrent", (g * n, n))
            if l.get("bias", True):
                make(l, "bias", (g * n,))
            if l.get("recurrent_bias", False):
                make(l, "recurrent_bias", (g * n,))
            if l.get("initial_state", False):
                make(l, "initial_state", (2 * n if t == "lstm" else n,))
        p = {k: torch.tensor(v) for k, v in params.get(l["name"], {}).items()}
        with torch.no_grad():
            tensors[l["name"]] = apply_torch(l, p, sources, None, False, {})
        previous = l["name"]
    return params


def feature_axis(x, layer):
    return x.dim() - 1 if layer.get("axis") == "feature" or x.dim() == 2 else 1


# ---------------------------------------------------------------- forward pass in torch

def phi_torch(name, x, l=None):
    l = l or {}
    if name == "identity": return x + 0  # a tensor of its own, so that its gradient is too
    if name == "relu": return torch.relu(x)
    if name == "leaky_relu": return F.leaky_relu(x, l["slope"])
    if name == "elu": return torch.relu(x) + l.get("alpha", 1.0) * torch.expm1(torch.clamp(x, max=0))
    if name == "softplus":
        b = l.get("beta", 1.0)
        return (torch.relu(b * x) + torch.log1p(torch.exp(-torch.abs(b * x)))) / b
    if name == "sigmoid": return torch.sigmoid(x)
    if name == "hard_sigmoid": return torch.clamp(0.2 * x + 0.5, 0, 1)
    if name == "tanh": return torch.tanh(x)
    if name == "softsign": return x / (1 + torch.abs(x))
    if name == "gelu":
        if l.get("form", "exact") == "exact":
            return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    if name == "silu": return x * torch.sigmoid(x)
    if name == "exponential": return torch.exp(x)
    if name == "rectified_quadratic": return torch.relu(x) ** 2
    if name == "gaussian": return torch.exp(-x ** 2)
    if name == "softmax": return torch.softmax(x, l.get("dim", -1))
    if name == "log_softmax": return torch.log_softmax(x, l.get("dim", -1))
    raise ValueError(name)


def per_gate(l, p, names, order):
    """Weights of each gate by name, rows in the order `order`."""
    n = l["units"]
    result = {}
    for i, g in enumerate(order):
        rows = slice(i * n, (i + 1) * n)
        zero = p["kernel"].new_zeros(n) if torch.is_tensor(p["kernel"]) else np.zeros(n)
        result[g] = (p["kernel"][rows], p["recurrent"][rows], p["bias"][rows] if "bias" in p else zero,
                     p["recurrent_bias"][rows] if "recurrent_bias" in p else zero)
    return [result[g] for g in names]


def step_torch(l, p, x, h):
    """x (B, I), h (B, S) -> new state (B, S)."""
    t, n = l["type"], l["units"]
    order = [g for g in l.get("_gates", GATES[t]).split(",") if g] or ["all"]
    names = [g for g in GATES[t].split(",") if g] or ["all"]
    w = per_gate(l, p, names, order)
    act = lambda a: phi_torch(l.get("activation", "tanh"), a)
    gate = lambda a: phi_torch(l.get("recurrent_activation", "sigmoid"), a)
    both = lambda k, hh: x @ w[k][0].T + w[k][2] + hh @ w[k][1].T + w[k][3]
    if t == "rnn":
        return act(both(0, h))
    if t == "linear":
        return both(0, h)
    if t == "ctrnn":
        a = torch.as_tensor(l["alpha"], dtype=torch.float64)
        if l.get("form", "rate") == "rate":
            return (1 - a) * h + a * act(both(0, h))
        return (1 - a) * h + a * both(0, act(h))
    if t == "gru":
        r, z = gate(both(0, h)), gate(both(1, h))
        if l.get("reset_after", True):
            m = h @ w[2][1].T + w[2][3]
            c = act(x @ w[2][0].T + w[2][2] + r * m)
        else:
            c = act(both(2, r * h))
        return (1 - z) * c + z * h
    if t in ("ugrnn", "janet"):
        u = gate(both(0, h))
        return u * h + (1 - u) * act(both(1, h))
    if t == "lstm":
        hh, cc = h[:, :n], h[:, n:]
        i, f, g, o = gate(both(0, hh)), gate(both(1, hh)), act(both(2, hh)), gate(both(3, hh))
        c = f * cc + i * g
        return torch.cat([o * act(c), c], 1)
    raise ValueError(t)


def visible_torch(l, h):
    if l["type"] == "lstm":
        return h[:, :l["units"]]
    if l["type"] == "ctrnn" and l.get("form", "rate") == "current":
        return phi_torch(l.get("activation", "tanh"), h)
    return h


def apply_torch(l, p, sources, lengths, training, updates):
    x, t = sources[0], l["type"]
    if t == "dense":
        y = x @ p["weight"].T
        return y + p["bias"] if "bias" in p else y
    if t.endswith("_transpose"):
        kernel, stride, dilation, cells, begin = transposed(l, x.shape[2:])
        f = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[len(kernel)]
        y = f(x, p["weight"], stride=stride, dilation=dilation, groups=l.get("groups", 1))
        for axis, (b, n) in enumerate(zip(begin, cells)):
            y = F.pad(y.movedim(axis + 2, -1), (0, max(b + n - y.shape[axis + 2], 0)))[..., b:b + n].movedim(-1, axis + 2)
        return y + p["bias"].reshape(-1, *[1] * len(kernel)) if "bias" in p else y
    if t.startswith("conv"):
        kernel, stride, dilation, pad = window(l, x.shape[2:])
        x = F.pad(x, [v for pr in reversed(pad) for v in pr])
        f = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(kernel)]
        return f(x, p["weight"], p.get("bias"), stride=stride, dilation=dilation, groups=l.get("groups", 1))
    if t == "max_pool":
        kernel, stride, _, pad = window(l, x.shape[2:])
        x = F.pad(x, [v for pr in reversed(pad) for v in pr], value=-math.inf)
        return {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[len(kernel)](x, kernel, stride)
    if t == "average_pool":
        kernel, stride, _, pad = window(l, x.shape[2:])
        flat = [v for pr in reversed(pad) for v in pr]
        f = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[len(kernel)]
        y = f(F.pad(x, flat), kernel, stride)
        if not l.get("count_include_pad", False):
            y = y / f(F.pad(torch.ones_like(x), flat), kernel, stride)
        return y
    if t == "global_average_pool": return x.flatten(2).mean(2)
    if t == "global_max_pool":
        return F.max_pool1d(x.flatten(2), int(np.prod(x.shape[2:])))[:, :, 0]
    if t == "batch_norm":
        axis = feature_axis(x, l)
        dims = [d for d in range(x.dim()) if d != axis]
        shape = [1] * x.dim(); shape[axis] = -1
        eps = l["epsilon"]
        if training:
            mean, var = x.mean(dims), x.var(dims, unbiased=False)
            m = l["momentum"]
            updates[l["name"]] = {
                "moving_mean": ((1 - m) * p["moving_mean"] + m * mean).detach().numpy(),
                "moving_variance": ((1 - m) * p["moving_variance"] + m * x.var(dims, unbiased=True)).detach().numpy()}
        else:
            mean, var = p["moving_mean"], p["moving_variance"]
        return (x - mean.reshape(shape)) / torch.sqrt(var.reshape(shape) + eps) * p["gamma"].reshape(shape) + p["beta"].reshape(shape)
    if t == "layer_norm":
        dims = list(range(1, x.dim())) if l.get("axes") == "all" else [x.dim() - 1]
        mean = x.mean(dims, keepdim=True)
        var = ((x - mean) ** 2).mean(dims, keepdim=True)
        return (x - mean) / torch.sqrt(var + l["epsilon"]) * p["gamma"] + p["beta"]
    if t == "activation":
        if l["function"] == "parametric_softplus":
            return p["alpha"] * phi_torch("softplus", p["beta"] * x)
        return phi_torch(l["function"], x, l)
    if t == "flatten":
        if l.get("order", "channels_first") == "channels_last" and x.dim() > 2:
            x = x.movedim(1, -1)
        return x.reshape(x.shape[0], -1)
    if t == "reshape": return x.reshape(x.shape[0], *l["shape"])
    if t == "reverse":
        return torch.stack([torch.cat([s[:n].flip(0), s[n:]]) for s, n in zip(x, lengths if lengths is not None else [x.shape[1]] * len(x))])
    if t == "permute": return x.permute(0, *[a + 1 for a in l["axes"]])
    if t == "zero_padding": return F.pad(x, [v for pr in reversed(l["padding"]) for v in pr])
    if t == "cropping":
        for i, (a, b) in enumerate(l["cropping"]):
            x = x.narrow(i + 2, a, x.shape[i + 2] - a - b)
        return x
    if t == "slice":
        index = [slice(None)] * x.dim()
        index[l["axis"] + 1] = slice(l["start"], l["stop"], l.get("step", 1))
        return x[tuple(index)]
    if t == "upsample":
        for i, f in enumerate(l["factor"]):
            x = x.repeat_interleave(f, i + 2)
        return x
    if t == "add": return sum(sources[1:], sources[0])
    if t == "subtract": return sources[0] - sources[1]
    if t == "multiply":
        y = sources[0]
        for s in sources[1:]:
            y = y * s
        return y
    if t == "average": return sum(sources[1:], sources[0]) / len(sources)
    if t == "maximum":
        y = sources[0]
        for s in sources[1:]:
            y = torch.where(s > y, s, y)  # ties: the first input
        return y
    if t == "concatenate": return torch.cat(sources, l.get("axis", 0) + 1)
    if t == "embedding": return p["weight"][x.long()]
    if t in ("dropout", "gaussian_noise"): return x
    if t in GATES:
        state = 2 * l["units"] if t == "lstm" else l["units"]
        h = p["initial_state"].expand(x.shape[0], state) if "initial_state" in p else x.new_zeros(x.shape[0], state)
        ys = []
        for k in range(x.shape[1]):
            h = step_torch(l, p, x[:, k], h)
            ys.append(visible_torch(l, h))
        y = torch.stack(ys, 1)
        if l.get("return_sequences", False):
            return y
        last = torch.full((x.shape[0],), x.shape[1] - 1) if lengths is None else torch.as_tensor(lengths).long() - 1
        return y[torch.arange(x.shape[0]), last]
    raise ValueError(t)


def run_torch(arch, params, x, lengths=None, training=False, updates=None, replace=None, keep=None):
    tensors, previous = {"input": x}, "input"
    for l in arch["layers"]:
        y = apply_torch(l, params.get(l["name"], {}), [tensors[s] for s in l.get("inputs", [previous])], lengths, training,
                        updates if updates is not None else {})
        if replace and l["name"] in replace:
            y = y + replace[l["name"]]
        tensors[l["name"]] = y
        previous = l["name"]
    if keep is not None:
        keep.update(tensors)
    return tensors[arch["output"][0]]


# ---------------------------------------------------------------- the same in plain numpy

def sigma(a):
    return np.exp(-np.logaddexp(0, -a))


def phi_numpy(name, x, l=None):
    l = l or {}
    e = np.exp(-np.abs(x))
    table = {
        "identity": lambda: x, "relu": lambda: np.maximum(x, 0), "leaky_relu": lambda: np.where(x > 0, x, l["slope"] * x),
        "elu": lambda: np.where(x > 0, x, l.get("alpha", 1.0) * np.expm1(np.minimum(x, 0))),
        "softplus": lambda: np.logaddexp(0, l.get("beta", 1.0) * x) / l.get("beta", 1.0), "sigmoid": lambda: sigma(x),
        "hard_sigmoid": lambda: np.clip(0.2 * x + 0.5, 0, 1), "tanh": lambda: np.tanh(x), "softsign": lambda: x / (1 + np.abs(x)),
        "silu": lambda: x * sigma(x), "exponential": lambda: np.exp(x), "rectified_quadratic": lambda: np.where(x > 0, x * x, 0),
        "gaussian": lambda: np.exp(-x * x),
        "gelu": lambda: x * 0.5 * (1 + erf(x / math.sqrt(2))) if l.get("form", "exact") == "exact"
        else x * sigma(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)),
        "log_softmax": lambda: x - np.logaddexp.reduce(x, axis=-1, keepdims=True),
        "softmax": lambda: np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))}
    return table[name]()


def step_numpy(l, p, x, h):
    """One sample at a time, straight from the table of cells."""
    t, n = l["type"], l["units"]
    order = [g for g in l.get("_gates", GATES[t]).split(",") if g] or ["all"]
    W, U, b, c = {}, {}, {}, {}
    for k, g in enumerate(order):
        W[g], U[g] = p["kernel"][k * n:(k + 1) * n], p["recurrent"][k * n:(k + 1) * n]
        b[g] = p["bias"][k * n:(k + 1) * n] if "bias" in p else np.zeros(n)
        c[g] = p["recurrent_bias"][k * n:(k + 1) * n] if "recurrent_bias" in p else np.zeros(n)
    act = lambda a: phi_numpy(l.get("activation", "tanh"), a)
    gate = lambda a: phi_numpy(l.get("recurrent_activation", "sigmoid"), a)
    if t in ("rnn", "linear"):
        a = W["all"] @ x + b["all"] + U["all"] @ h + c["all"]
        return act(a) if t == "rnn" else a
    if t == "ctrnn":
        alpha = np.asarray(l["alpha"])
        if l.get("form", "rate") == "rate":
            return (1 - alpha) * h + alpha * act(U["all"] @ h + c["all"] + W["all"] @ x + b["all"])
        return (1 - alpha) * h + alpha * (U["all"] @ act(h) + c["all"] + W["all"] @ x + b["all"])
    if t == "gru":
        r = gate(W["r"] @ x + b["r"] + U["r"] @ h + c["r"])
        z = gate(W["z"] @ x + b["z"] + U["z"] @ h + c["z"])
        if l.get("reset_after", True):
            new = act(W["n"] @ x + b["n"] + r * (U["n"] @ h + c["n"]))
        else:
            new = act(W["n"] @ x + b["n"] + U["n"] @ (r * h) + c["n"])
        return (1 - z) * new + z * h
    if t == "ugrnn":
        u = gate(W["u"] @ x + U["u"] @ h + b["u"] + c["u"])
        return u * h + (1 - u) * act(W["c"] @ x + U["c"] @ h + b["c"] + c["c"])
    if t == "janet":
        f = gate(W["f"] @ x + U["f"] @ h + b["f"] + c["f"])
        return f * h + (1 - f) * act(W["g"] @ x + U["g"] @ h + b["g"] + c["g"])
    if t == "lstm":
        v, cell = h[:n], h[n:]
        a = {g: W[g] @ x + U[g] @ v + b[g] + c[g] for g in "ifgo"}
        cell = gate(a["f"]) * cell + gate(a["i"]) * act(a["g"])
        return np.concatenate([gate(a["o"]) * act(cell), cell])
    raise ValueError(t)


def apply_numpy(l, p, sources, lengths, training):
    x, t = sources[0], l["type"]
    B = x.shape[0]
    if t == "dense":
        return np.einsum("...i,oi->...o", x, p["weight"]) + p.get("bias", 0)
    if t.endswith("_transpose"):
        kernel, stride, dilation, cells, begin = transposed(l, x.shape[2:])
        groups = l.get("groups", 1)
        cin, cout = x.shape[1] // groups, l["filters"] // groups
        y = np.zeros((B, l["filters"], *cells)) + p.get("bias", np.zeros(l["filters"])).reshape(-1, *[1] * len(kernel))
        for q in np.ndindex(*x.shape[2:]):
            for k in np.ndindex(*kernel):
                at = tuple(i * s + j * d - b for i, s, j, d, b in zip(q, stride, k, dilation, begin))
                if all(0 <= v < n for v, n in zip(at, cells)):
                    for c in range(x.shape[1]):
                        first = c // cin * cout
                        y[(slice(None), slice(first, first + cout), *at)] += np.outer(x[(slice(None), c, *q)], p["weight"][(c, slice(None), *k)])
        return y
    if t.startswith("conv") or t in ("max_pool", "average_pool"):
        kernel, stride, dilation, pad = window(l, x.shape[2:])
        out = [(n + a + b - (k - 1) * d - 1) // s + 1 for n, (a, b), k, s, d in zip(x.shape[2:], pad, kernel, stride, dilation)]
        channels = l.get("filters", x.shape[1])
        y = np.zeros((B, channels, *out))
        groups = l.get("groups", 1)
        cin, cout = x.shape[1] // groups, channels // groups
        for place in itertools.product(*[range(o) for o in out]):
            taps = []
            for offset in itertools.product(*[range(k) for k in kernel]):
                at = tuple(q * s + o * d - a for q, s, o, d, (a, _) in zip(place, stride, offset, dilation, pad))
                if all(0 <= v < n for v, n in zip(at, x.shape[2:])):
                    taps.append((offset, x[(slice(None), slice(None), *at)]))
            where = (slice(None), slice(None), *place)
            if t == "max_pool":
                y[where] = np.max([v for _, v in taps], axis=0)
            elif t == "average_pool":
                y[where] = np.sum([v for _, v in taps], axis=0) / (np.prod(kernel) if l.get("count_include_pad", False) else len(taps))
            else:
                for g in range(groups):
                    for offset, v in taps:
                        w = p["weight"][(slice(g * cout, (g + 1) * cout), slice(None), *offset)]
                        y[(slice(None), slice(g * cout, (g + 1) * cout), *place)] += v[:, g * cin:(g + 1) * cin] @ w.T
                if "bias" in p:
                    y[where] += p["bias"]
        return y
    if t == "global_average_pool": return x.reshape(B, x.shape[1], -1).mean(-1)
    if t == "global_max_pool": return x.reshape(B, x.shape[1], -1).max(-1)
    if t == "batch_norm":
        axis = x.ndim - 1 if l.get("axis") == "feature" or x.ndim == 2 else 1
        y = np.empty_like(x)
        for c in range(x.shape[axis]):
            at = tuple(c if d == axis else slice(None) for d in range(x.ndim))
            mean, var = (x[at].mean(), ((x[at] - x[at].mean()) ** 2).mean()) if training else (p["moving_mean"][c], p["moving_variance"][c])
            y[at] = p["gamma"][c] * (x[at] - mean) / math.sqrt(var + l["epsilon"]) + p["beta"][c]
        return y
    if t == "layer_norm":
        rows = x.reshape(B, -1) if l.get("axes") == "all" else x.reshape(-1, x.shape[-1])
        y = np.array([(r - r.mean()) / math.sqrt(r.var() + l["epsilon"]) for r in rows]).reshape(x.shape)
        return y * p["gamma"] + p["beta"]
    if t == "activation":
        if l["function"] == "parametric_softplus":
            return p["alpha"] * np.logaddexp(0, p["beta"] * x)
        return phi_numpy(l["function"], x, l)
    if t == "flatten":
        if l.get("order", "channels_first") == "channels_last":
            return np.array([[s[(c, *q)] for q in np.ndindex(*s.shape[1:]) for c in range(s.shape[0])] for s in x])
        return np.array([[v for v in s.ravel()] for s in x])
    if t == "reshape": return x.reshape(B, *l["shape"])
    if t == "reverse":
        y = x.copy()
        for s in range(B):
            n = x.shape[1] if lengths is None else lengths[s]
            for k in range(n):
                y[s, k] = x[s, n - 1 - k]
        return y
    if t == "permute": return np.array([np.transpose(s, l["axes"]) for s in x])
    if t == "zero_padding": return np.pad(x, [(0, 0), (0, 0)] + [tuple(q) for q in l["padding"]])
    if t == "cropping":
        return x[(slice(None), slice(None), *[slice(a, n - b) for (a, b), n in zip(l["cropping"], x.shape[2:])])]
    if t == "slice": return np.take(x, range(l["start"], l["stop"], l.get("step", 1)), axis=l["axis"] + 1)
    if t == "upsample":
        out = [n * f for n, f in zip(x.shape[2:], l["factor"])]
        y = np.empty((B, x.shape[1], *out))
        for q in np.ndindex(*out):
            y[(slice(None), slice(None), *q)] = x[(slice(None), slice(None), *[v // f for v, f in zip(q, l["factor"])])]
        return y
    if t == "add": return np.sum(sources, axis=0)
    if t == "subtract": return sources[0] - sources[1]
    if t == "multiply": return np.prod(sources, axis=0)
    if t == "average": return np.mean(sources, axis=0)
    if t == "maximum": return np.max(sources, axis=0)
    if t == "concatenate": return np.concatenate(sources, axis=l.get("axis", 0) + 1)
    if t == "embedding": return np.array([[p["weight"][i] for i in s] for s in x])
    if t in ("dropout", "gaussian_noise"): return x
    if t in GATES:
        n, T = l["units"], x.shape[1]
        y = np.zeros((B, T, n))
        for s in range(B):
            h = p.get("initial_state", np.zeros(2 * n if t == "lstm" else n))
            for k in range(T):
                h = step_numpy(l, p, x[s, k], h)
                y[s, k] = phi_numpy(l.get("activation", "tanh"), h) if t == "ctrnn" and l.get("form") == "current" else h[:n]
        if l.get("return_sequences", False):
            return y
        return np.array([y[s, (T if lengths is None else lengths[s]) - 1] for s in range(B)])
    raise ValueError(t)


def run_numpy(arch, params, x, lengths, training):
    tensors, previous = {"input": x}, "input"
    for l in arch["layers"]:
        tensors[l["name"]] = apply_numpy(l, params.get(l["name"], {}), [tensors[s] for s in l.get("inputs", [previous])], lengths, training)
        previous = l["name"]
    return tensors[arch["output"][0]]


# ---------------------------------------------------------------- losses

def terms_torch(loss, options, z, y):
    """One term per sample, or per sample and time step; z (..., O)."""
    if loss == "softmax_cross_entropy":
        logp = torch.log_softmax(z, -1)
        if not y.is_floating_point():
            return -logp.gather(-1, y.long().unsqueeze(-1)).squeeze(-1)
        return -(y * logp).sum(-1)
    if loss == "sigmoid_cross_entropy":
        return (torch.relu(z) - z * y + torch.log1p(torch.exp(-torch.abs(z)))).mean(-1)
    if loss == "mse": return ((z - y) ** 2).mean(-1)
    if loss == "half_squared_error": return 0.5 * ((z - y) ** 2).sum(-1)
    if loss == "poisson": return (z - y * torch.log(z + options["epsilon"])).mean(-1)
    raise ValueError(loss)


def terms_numpy(loss, options, z, y):
    O = z.shape[-1]
    if loss == "softmax_cross_entropy":
        lse = np.logaddexp.reduce(z, axis=-1)
        onehot = y if y.dtype.kind == "f" else np.eye(O)[y]
        return onehot.sum(-1) * lse - (onehot * z).sum(-1)
    if loss == "sigmoid_cross_entropy": return (y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)).sum(-1) / O
    if loss == "mse": return np.square(z - y).sum(-1) / O
    if loss == "half_squared_error": return np.square(z - y).sum(-1) / 2
    return (z - y * np.log(z + options["epsilon"])).sum(-1) / O


def loss_hessian(loss, options, z, y, u):
    """S u per term in closed form."""
    O = z.shape[-1]
    if loss == "softmax_cross_entropy":
        p = np.exp(z - np.logaddexp.reduce(z, axis=-1, keepdims=True))
        total = 1.0 if y.dtype.kind != "f" else y.sum(-1, keepdims=True)
        return total * (p * u - p * (p * u).sum(-1, keepdims=True))
    if loss == "sigmoid_cross_entropy": return sigma(z) * sigma(-z) * u / O
    if loss == "mse": return 2 * u / O
    if loss == "half_squared_error": return u
    return y / (z + options["epsilon"]) ** 2 * u / O


# ---------------------------------------------------------------- one case

def relative(a, b, floor=1e-30):
    a, b = np.asarray(a, float).ravel(), np.asarray(b, float).ravel()
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b), floor))


class Failure(Exception):
    pass


def need(ok, text):
    if not ok:
        raise Failure(text)


def flat(d, keys):
    return np.concatenate([np.asarray(d[l][p]).ravel() for l, p in keys]) if keys else np.zeros(0)


def compute(case, seed):
    rng = np.random.default_rng(seed)
    arch, loss, options = case["architecture"], case["loss"], case.get("options", {})
    training = case.get("mode", "inference") == "training"
    lengths, mask = case.get("lengths"), case.get("mask")
    sequence = case.get("sequence", False)
    B = case.get("batch", 3)
    for l in arch["layers"]:  # the order of gates is stored beside the weights, not in the architecture
        if l["type"] in GATES and l["name"] in case.get("gates", {}):
            l["_gates"] = case["gates"][l["name"]]
    raw = initialise(arch, rng, case.get("scale", 1.0))
    for (layer, parameter), values in case.get("set", {}).items():
        raw[layer][parameter] = np.broadcast_to(np.asarray(values, float), raw[layer][parameter].shape).copy()
    in_shape = tuple(arch["input"]["shape"])
    integer = arch["layers"][0]["type"] == "embedding"
    if "inputs" in case:
        inputs = np.asarray(case["inputs"])
    elif integer:
        inputs = rng.integers(0, arch["layers"][0]["vocabulary"], (B, *in_shape)).astype(np.int32)
    else:
        inputs = case.get("input_scale", 1.0) * rng.standard_normal((B, *in_shape))
    B = inputs.shape[0]
    keys = [(l["name"], p) for l in arch["layers"] for p in raw.get(l["name"], {}) if p not in NOT_TRAINED]

    def tensors(values, grad=True):
        out = {}
        for layer, ps in values.items():
            out[layer] = {p: torch.tensor(np.asarray(v), requires_grad=grad and (layer, p) in keys) for p, v in ps.items()}
        return out

    def shifted(direction, eps):
        return {l: {p: raw[l][p] + (eps * direction[l][p] if (l, p) in keys else 0) for p in raw[l]} for l in raw}

    with torch.no_grad():
        z0 = run_torch(arch, tensors(raw, False), torch.tensor(inputs), lengths, training)
    O = z0.shape[-1]
    lead = tuple(z0.shape[:2]) if sequence else (B,)
    multi = tuple(z0.shape[len(lead):])
    # targets
    if "targets" in case:
        targets = np.asarray(case["targets"])
    elif loss == "softmax_cross_entropy" and case.get("target_kind", "class") == "class":
        targets = rng.integers(0, O, lead).astype(np.int32)
    elif loss == "softmax_cross_entropy":
        targets = np.eye(O)[rng.integers(0, O, lead)] if case["target_kind"] == "one_hot" else rng.dirichlet(np.ones(O), lead)
    elif loss == "sigmoid_cross_entropy":
        targets = rng.integers(0, 2, lead + multi).astype(float)
    elif loss == "poisson":
        targets = rng.poisson(1.5, lead + multi).astype(float)
    else:
        targets = rng.standard_normal(lead + multi)
    weight = np.ones(lead)
    if sequence and lengths is not None:
        weight = (np.arange(lead[1])[None] < np.asarray(lengths)[:, None]).astype(float)
    if sequence and mask is not None:
        weight = np.asarray(mask, float)
    visible = np.ones(lead)
    if sequence and lengths is not None:
        visible = weight
    visible = visible.reshape(lead + (1,) * len(multi)) * np.ones(lead + multi)

    def last_axis(a, m):  # outputs with several axes per sample count as one long vector of outputs
        return a.reshape(lead + (-1,)) if len(m) > 1 else a

    y_t, w_t = torch.tensor(targets), torch.tensor(weight)
    penalty = options.get("l2", {})

    def objective(params, z, subset=None):
        if y_t.is_floating_point():
            yy = last_axis(y_t, multi)
        else:
            yy = y_t
        terms = terms_torch(loss, options, last_axis(z, multi), yy) * w_t
        value = terms.sum() / w_t.sum() if subset is None else terms[subset].sum() * B / w_t.sum()
        if subset is None:
            for path, c in penalty.items():
                layer, parameter = path.split("/")
                value = value + 0.5 * c * (params[layer][parameter] ** 2).sum()
        return value

    def evaluate(values, x=inputs, what="loss"):
        """Loss, or (gradient, input gradient), at other parameters or inputs: for the differences below."""
        params = tensors(values)
        xt = torch.tensor(x, requires_grad=not integer)
        z = run_torch(arch, params, xt, lengths, training)
        if what == "outputs":
            return z.detach().numpy() * visible
        L = objective(params, z)
        if what == "loss":
            return L.item()
        leaves = [params[l][p] for l, p in keys] + ([] if integer else [xt])
        g = torch.autograd.grad(L, leaves, allow_unused=True)
        g = [np.zeros(tuple(v.shape)) if q is None else q.numpy() for q, v in zip(g, leaves)]
        return np.concatenate([v.ravel() for v in g[:len(keys)]] + [np.zeros(0)]), (None if integer else g[-1])

    params = tensors(raw)
    leaves = [params[l][p] for l, p in keys]
    xt = torch.tensor(inputs, requires_grad=not integer)
    updates, kept = {}, {}
    z = run_torch(arch, params, xt, lengths, training, updates, keep=kept)
    L = objective(params, z)
    vis = torch.tensor(visible)
    result = {"inputs": inputs, "targets": targets, "outputs": np.where(visible > 0, z.detach().numpy(), 0.0), "loss": np.float64(L.item())}
    if lengths is not None:
        result["lengths"] = np.asarray(lengths, np.int32)
    if mask is not None:
        result["mask"] = np.asarray(mask, np.uint8)

    def fill(gs, like):
        return [torch.zeros_like(v) if g is None else g for g, v in zip(gs, like)]

    def tree(gs):
        out = {}
        for (l, p), g in zip(keys, gs):
            out.setdefault(l, {})[p] = g.detach().numpy().copy()
        return out

    inner = [] if integer else [xt]
    grads = torch.autograd.grad(L, leaves + inner, create_graph=True, allow_unused=True)
    grads = fill(grads, leaves + inner)
    g_par = grads[:len(leaves)]
    result["gradient"] = tree(g_par)
    if not integer:
        result["input_gradient"] = grads[-1].detach().numpy().copy()

    # directions
    direction = {}
    for l, p in keys:
        direction.setdefault(l, {})[p] = rng.standard_normal(raw[l][p].shape)
    other = [torch.tensor(rng.standard_normal(raw[l][p].shape)) for l, p in keys]
    v = [torch.tensor(direction[l][p]) for l, p in keys]
    cotangent = np.where(visible > 0, rng.standard_normal(z.shape), 0.0)
    result["direction"], result["cotangent"] = direction, cotangent

    def dot(a, b):
        return sum((x * y).sum() for x, y in zip(a, b))

    def jvp(out, wrt, tangent):
        u = torch.zeros_like(out, requires_grad=True)
        g = fill(torch.autograd.grad(out, wrt, u, create_graph=True, allow_unused=True), wrt)
        s = dot(g, tangent)
        return torch.autograd.grad(s, u, retain_graph=True)[0] if s.requires_grad else torch.zeros_like(out)

    def hvp(vector):
        s = dot(g_par, vector)
        if not s.requires_grad:
            return fill([None] * len(leaves + inner), leaves + inner)
        return fill(torch.autograd.grad(s, leaves + inner, retain_graph=True, allow_unused=True), leaves + inner)

    def vjp(u):
        return fill(torch.autograd.grad(z, leaves, u, retain_graph=True, allow_unused=True), leaves)

    Jv = jvp(z, leaves, v) * vis
    vJ = vjp(torch.tensor(cotangent))
    Hv = hvp(v)
    result["Jv"], result["vJ"], result["Hv"] = np.where(visible > 0, Jv.numpy(), 0.0), tree(vJ), tree(Hv[:len(leaves)])
    if not integer:
        result["input_gradient_tangent"] = Hv[-1].detach().numpy().copy()
        extra = {} if not case.get("input_directions") else result
        extra["input_direction"] = rng.standard_normal(inputs.shape)
        extra["input_Jv"] = (jvp(z, [xt], [torch.tensor(extra["input_direction"])]) * vis).numpy()
        extra["input_vJ"] = fill(torch.autograd.grad(z, [xt], torch.tensor(cotangent), retain_graph=True, allow_unused=True), [xt])[0].numpy()
    # Gauss-Newton: the loss Hessian at the outputs by autograd, then J^T
    zz = z.detach().requires_grad_(True)
    LL = objective({l: {p: t.detach() for p, t in ps.items()} for l, ps in params.items()}, zz)
    gz = torch.autograd.grad(LL, zz, create_graph=True)[0]
    s = (gz * Jv).sum()
    SJv = torch.autograd.grad(s, zz)[0] if s.requires_grad else torch.zeros_like(zz)
    GGNv = vjp(SJv)
    reg = []
    for (l, p), t, d in zip(keys, leaves, v):
        reg.append(penalty.get(f"{l}/{p}", 0.0) * d)
    GGNv = [a + b for a, b in zip(GGNv, reg)]
    result["GGNv"] = tree(GGNv)
    if not training and not penalty:
        norms, total = [], 0
        for n in range(B):
            g = fill(torch.autograd.grad(objective(params, z, n), leaves, retain_graph=True, allow_unused=True), leaves)
            norms.append(math.sqrt(sum((q ** 2).sum().item() for q in g)))
            total = total + np.concatenate([q.numpy().ravel() for q in g])
        result["per_sample_gradient_norms"] = np.array(norms)
        need(relative(total / B, flat(result["gradient"], keys), 1e-12) < 1e-12, "mean of per-sample gradients")
    if updates:
        result["updated"] = updates
    if case.get("inner"):
        acts = [kept[n] for n in case["inner"]]
        result["activation"] = {n: a.detach().numpy() for n, a in zip(case["inner"], acts)}
        result["activation_gradient"] = {n: g.detach().numpy() for n, g in
                                         zip(case["inner"], torch.autograd.grad(L, acts, retain_graph=True))}
        result["activation_direction"], result["activation_Jv"] = {}, {}
        for n, a in zip(case["inner"], acts):
            d = rng.standard_normal(a.shape)
            result["activation_direction"][n] = d
            result["activation_Jv"][n] = (jvp(z, [a], [torch.tensor(d)]) * vis).numpy()
            if not case.get("kink"):
                eps = 1e-6
                with torch.no_grad():
                    zs = [run_torch(arch, tensors(raw, False), torch.tensor(inputs), lengths, training, replace={n: s * eps * torch.tensor(d)})
                          for s in (1, -1)]
                need(relative(((zs[0] - zs[1]) / (2 * eps)).numpy() * visible, result["activation_Jv"][n], 1e-8) < 1e-6, f"activation Jv at {n}")

    # ---- the identities
    fp, fd = flat(result["gradient"], keys), flat(direction, keys)
    z_np = run_numpy(arch, raw, inputs, lengths, training)
    need(relative(z_np * visible, result["outputs"], 1e-12) < 1e-12, f"outputs against numpy: {relative(z_np * visible, result['outputs']):.2e}")
    y_np = last_axis(targets, multi) if targets.dtype.kind == "f" else targets
    zl = last_axis(z_np, multi)
    L_np = (terms_numpy(loss, options, zl, y_np) * weight).sum() / weight.sum()
    L_np += sum(0.5 * c * np.square(raw[k.split("/")[0]][k.split("/")[1]]).sum() for k, c in penalty.items())
    need(abs(L_np - result["loss"]) < 1e-12 * max(1, abs(L_np)), f"loss against numpy: {L_np} {result['loss']}")
    S = loss_hessian(loss, options, zl, y_np, last_axis(result["Jv"], multi)) * (weight / weight.sum())[..., None]
    ref = np.concatenate([q.numpy().ravel() for q in [a + b for a, b in zip(vjp(torch.tensor(S.reshape(z.shape))), reg)]])
    need(relative(ref, flat(result["GGNv"], keys), 1e-9) < 1e-10, f"GGNv against the closed form: {relative(ref, flat(result['GGNv'], keys)):.2e}")
    a, b = float((cotangent * result["Jv"]).sum()), float(flat(result["vJ"], keys) @ fd)
    need(abs(a - b) <= 1e-12 * max(abs(a), np.linalg.norm(cotangent) * np.linalg.norm(result["Jv"]), 1e-8), f"<u,Jv> = <J^T u,v>: {a} {b}")
    Hw = hvp(other)[:len(leaves)]
    a, b = dot(other, [q.detach() for q in Hv[:len(leaves)]]).item(), dot(v, Hw).item()
    need(abs(a - b) <= 1e-10 * max(abs(a), np.linalg.norm(flat(result["Hv"], keys)) * math.sqrt(dot(other, other).item()), 1e-8), f"<w,Hv> = <v,Hw>: {a} {b}")
    if case.get("dense_hessian"):
        columns = np.zeros((fd.size, fd.size))
        for k in range(fd.size):
            e, unit, at = np.zeros(fd.size), [], 0
            e[k] = 1
            for q in leaves:
                unit.append(torch.tensor(e[at:at + q.numel()].reshape(tuple(q.shape)))); at += q.numel()
            columns[:, k] = np.concatenate([q.detach().numpy().ravel() for q in hvp(unit)[:len(leaves)]])
        need(relative(columns, columns.T) < 1e-12 and relative(columns @ fd, flat(result["Hv"], keys)) < 1e-12, "dense Hessian")
        result["hessian"] = columns
    if not case.get("kink"):
        eps = case.get("step", 1e-5) / max(1, np.abs(fd).max())
        plus, minus = shifted(direction, eps), shifted(direction, -eps)
        d = (evaluate(plus, what="outputs") - evaluate(minus, what="outputs")) / (2 * eps)
        need(relative(d, result["Jv"], 1e-7) < 1e-6, f"Jv against differences: {relative(d, result['Jv']):.2e}")
        d = (evaluate(plus) - evaluate(minus)) / (2 * eps)
        scale = np.linalg.norm(fp) * np.linalg.norm(fd)
        need(abs(d - fp @ fd) < 1e-7 * max(scale, 1e-7) + 1e-9 * abs(result["loss"]), f"gradient against differences: {d} {fp @ fd}")
        (gp, ip), (gm, im) = evaluate(plus, what="gradient"), evaluate(minus, what="gradient")
        d = (gp - gm) / (2 * eps)
        need(relative(d, flat(result["Hv"], keys), 1e-7 + 1e-6 * np.linalg.norm(fp)) < 1e-6, f"Hv against differences: {relative(d, flat(result['Hv'], keys)):.2e}")
        if not integer:
            d = (ip - im) / (2 * eps)
            need(relative(d, result["input_gradient_tangent"], 1e-7 + 1e-6 * np.linalg.norm(ip)) < 1e-6, "tangent of the input gradient")
            xd = extra["input_direction"]
            d = (evaluate(raw, inputs + eps * xd, "outputs") - evaluate(raw, inputs - eps * xd, "outputs")) / (2 * eps)
            need(relative(d, extra["input_Jv"], 1e-7) < 1e-6, f"input Jv against differences: {relative(d, extra['input_Jv']):.2e}")
            d = (evaluate(raw, inputs + eps * xd) - evaluate(raw, inputs - eps * xd)) / (2 * eps)
            a = float((result["input_gradient"] * xd).sum())
            need(abs(a - d) < 1e-7 * max(np.linalg.norm(result["input_gradient"]) * np.linalg.norm(xd), 1e-7) + 1e-9 * abs(result["loss"]), f"input gradient: {a} {d}")
    for name, value in result.items():
        if isinstance(value, np.ndarray):
            need(np.isfinite(value).all(), f"{name} is not finite")
    result["weights"] = raw
    for l in arch["layers"]:
        l.pop("_gates", None)
    return result


# ---------------------------------------------------------------- the list of cases

def cases():
    D = lambda name, units, **k: {"name": name, "type": "dense", "units": units, **k}
    A = lambda name, function, **k: {"name": name, "type": "activation", "function": function, **k}
    L = lambda name, type_, **k: {"name": name, "type": type_, **k}
    out = []

    def case(name, shape, axes, layers, loss="half_squared_error", output=None, **k):
        out.append({"name": name, "architecture": architecture(shape, axes, layers, output), "loss": loss, **k})

    def vector(name, layers, loss="half_squared_error", width=3, **k):
        case(name, [width], ["feature"], layers, loss, **k)

    # -- activations: dense -> activation, the loss straight on it
    plain = ["identity", "relu", ("leaky_relu", {"slope": 0.1}), ("elu", {"alpha": 1.3}), "softplus", "sigmoid", "hard_sigmoid", "tanh",
             "softsign", "gelu", "silu", "exponential", "rectified_quadratic", "gaussian", "softmax", "log_softmax", "parametric_softplus"]
    special = [("softplus_beta", "softplus", {"beta": 3.0}), ("gelu_tanh", "gelu", {"form": "tanh"})]
    everything = [(f, f, {}) if isinstance(f, str) else (f[0], *f) for f in plain] + special
    loop = itertools.cycle(["half_squared_error", "softmax_cross_entropy", "mse", "sigmoid_cross_entropy"])
    for name, f, extra in everything:
        loss = next(loop)
        vector(f"activation_{name}", [D("hidden", 3), A("act", f, **extra)], loss, width=2, batch=4,
               scale=1.5 if f == "hard_sigmoid" else 1.0)
    # -- two different nonlinear layers in a row (composition of second derivatives)
    vector("pair_silu_softmax", [D("one", 3, bias=False), A("first", "silu"), D("two", 3), A("second", "softmax")], "mse", width=2, batch=2)
    # -- losses
    hidden = [D("hidden", 2, bias=False), A("act", "tanh")]
    vector("loss_softmax_cross_entropy_class", hidden + [D("readout", 4)], "softmax_cross_entropy", batch=5, inner=["act"])
    vector("loss_softmax_cross_entropy_one_hot", [D("hidden", 3), A("act", "gelu")], "softmax_cross_entropy", target_kind="one_hot")
    vector("loss_softmax_cross_entropy_soft", hidden + [D("readout", 3)], "softmax_cross_entropy", target_kind="soft")
    vector("loss_sigmoid_cross_entropy_one", hidden + [D("readout", 1)], "sigmoid_cross_entropy", batch=4)
    vector("loss_poisson_exponential", [D("hidden", 2), A("rate", "exponential")], "poisson", options={"epsilon": 1e-8})
    vector("loss_poisson_epsilon", [D("hidden", 2), A("rate", "softplus")], "poisson", options={"epsilon": 0.01})
    vector("loss_l2", hidden + [D("readout", 2)], "softmax_cross_entropy", options={"l2": {"hidden/weight": 0.3, "readout/weight": 0.05}})
    vector("deep_softplus", [D("a", 3), A("a_act", "softplus"), D("b", 3, bias=False), A("b_act", "softplus"), D("c", 2, bias=False)], "softmax_cross_entropy", batch=4, input_directions=True)
    vector("single_dense", [D("readout", 3)], "softmax_cross_entropy", dense_hessian=True)
    vector("small_hessian", [D("hidden", 2), A("act", "tanh"), D("readout", 2)], "softmax_cross_entropy", width=2, dense_hessian=True)
    vector("no_bias_relu", [D("a", 3, bias=False), A("a_act", "relu"), D("b", 3, bias=False), A("b_act", "relu"), D("c", 2, bias=False)], "softmax_cross_entropy", batch=4)
    # -- far out: nothing may overflow
    vector("extreme_softplus", [D("hidden", 3), A("act", "softplus", beta=2.0)], "mse", batch=3, input_scale=300.0, step=1e-4)
    vector("extreme_softmax_cross_entropy", [D("readout", 3)], "softmax_cross_entropy", batch=3, input_scale=600.0)
    vector("extreme_sigmoid_cross_entropy", [D("readout", 2)], "sigmoid_cross_entropy", batch=3, input_scale=600.0)
    # -- exactly at the kinks: relu'(0) = 0, second derivatives 0, the first maximum takes the gradient
    vector("kink_relu", [D("hidden", 3), A("act", "relu")], batch=3, kink=True,
           inputs=[[0.0, 0.0, 0.0], [1.0, -0.5, 0.25], [0.5, 0.5, -1.0]], set={("hidden", "bias"): 0.0})
    line, image, volume = ["channel", "length"], ["channel", "height", "width"], ["channel", "depth", "height", "width"]
    vector("kink_rectified_quadratic", [D("hidden", 3), A("act", "rectified_quadratic")], batch=3, kink=True,
           inputs=[[0.0, 0.0, 0.0], [1.0, -0.5, 0.25], [0.5, 0.5, -1.0]], set={("hidden", "bias"): 0.0})
    case("kink_max_pool", [1, 4, 4], image, [L("pool", "max_pool", kernel=[2, 2], stride=[2, 2]), L("flat", "flatten", order="channels_first"), D("readout", 2, bias=False)],
         kink=True, inputs=[[[[1., 1., 0., 2.], [1., 0., 2., 2.], [-1., 3., 0., 0.], [3., 3., 0., 0.]]]])
    vector("kink_maximum", [A("a", "identity", inputs=["input"]), A("b", "identity", inputs=["input"]), L("m", "maximum", inputs=["a", "b"]), D("readout", 2, bias=False)],
           kink=True, inner=["a", "b"])

    # -- convolutions; a tanh behind each, so that second derivatives are not trivial
    def conv(name, rank, size, channels=2, filters=2, kernel=None, tail=None, batch=2, loss="half_squared_error", **k):
        axes = [line, image, volume][rank - 1]
        layers = [L("conv", f"conv{rank}d", filters=filters, kernel=kernel, **k)] + (tail or [A("act", "tanh"), L("pool", "global_average_pool")])
        case(name, [channels, *size], axes, layers, loss, batch=batch)

    conv("conv1d_same_even_kernel", 1, [5], kernel=[4], stride=[1], padding="same", bias=True)
    conv("conv1d_causal", 1, [5], kernel=[3], padding=[[2, 0]], bias=True)
    conv("conv1d_everything", 1, [8], channels=4, filters=2, kernel=[3], stride=[2], padding=[[1, 2]], dilation=[2], groups=2, bias=True)
    conv("conv2d_defaults", 2, [4, 4], kernel=[3, 2])
    conv("conv2d_same", 2, [3, 4], kernel=[3, 3], stride=[1, 1], padding="same", bias=True)
    conv("conv2d_same_stride", 2, [4, 5], channels=1, kernel=[3, 3], stride=[2, 2], padding="same", bias=True)
    conv("conv2d_same_even_kernel", 2, [3, 4], kernel=[2, 4], stride=[1, 2], padding="same", bias=False)
    conv("conv2d_same_dilation", 2, [5, 4], channels=1, kernel=[3, 2], stride=[1, 1], padding="same", dilation=[2, 1], bias=True)
    conv("conv2d_same_stride_over_kernel", 2, [5, 5], channels=1, kernel=[1, 2], stride=[3, 3], padding="same", bias=True)
    conv("conv2d_explicit", 2, [3, 3], kernel=[2, 2], stride=[2, 1], padding=[[1, 0], [0, 2]], bias=True)
    conv("conv2d_groups", 2, [3, 2], channels=4, filters=2, kernel=[2, 2], padding="valid", groups=2, bias=True)
    conv("conv2d_depthwise", 2, [3, 3], channels=2, filters=4, kernel=[3, 2], padding="same", groups=2, bias=True)
    conv("conv3d_same_stride", 3, [3, 4, 2], channels=2, kernel=[2, 3, 1], stride=[2, 2, 1], padding="same", bias=True)
    conv("conv3d_everything", 3, [4, 3, 2], channels=2, filters=2, kernel=[2, 2, 1], stride=[1, 2, 1], padding=[[1, 0], [0, 1], [0, 0]],
         dilation=[2, 1, 1], groups=2, bias=True)
    case("conv2d_network", [1, 4, 5], image,
         [L("conv1", "conv2d", filters=2, kernel=[3, 3], stride=[1, 1], padding="same", bias=True), A("act1", "softplus"),
          L("pool1", "max_pool", kernel=[2, 2], stride=[2, 2]), L("conv2", "conv2d", filters=2, kernel=[2, 1], padding="valid", bias=False), A("act2", "relu"),
          L("flat", "flatten", order="channels_last"), D("readout", 3)], "softmax_cross_entropy", batch=2, inner=["pool1"])

    # -- pooling: a pointwise convolution and a tanh give parameters in front
    def pool(name, rank, size, layer, **k):
        axes = [line, image, volume][rank - 1]
        front = [L("conv", f"conv{rank}d", filters=2, kernel=[1] * rank, bias=False), A("act", "tanh")]
        case(name, [1, *size], axes, front + [layer], batch=2, **k)

    pool("max_pool_1d_overlap_same", 1, [5], L("pool", "max_pool", kernel=[3], stride=[2], padding="same"))
    pool("max_pool_2d_default_stride", 2, [4, 5], L("pool", "max_pool", kernel=[2, 2]))
    pool("max_pool_2d_same", 2, [3, 4], L("pool", "max_pool", kernel=[2, 3], stride=[2, 2], padding="same"))
    pool("max_pool_2d_explicit", 2, [3, 3], L("pool", "max_pool", kernel=[2, 2], stride=[2, 2], padding=[[1, 0], [1, 0]]))
    pool("max_pool_3d", 3, [2, 4, 2], L("pool", "max_pool", kernel=[2, 2, 1], stride=[2, 2, 1]))
    pool("average_pool_2d", 2, [4, 4], L("pool", "average_pool", kernel=[2, 2], stride=[2, 2]))
    pool("average_pool_2d_same_keras", 2, [3, 4], L("pool", "average_pool", kernel=[2, 3], stride=[2, 2], padding="same", count_include_pad=False))
    pool("average_pool_2d_explicit_torch", 2, [3, 3], L("pool", "average_pool", kernel=[2, 2], stride=[2, 2], padding=[[1, 1], [1, 1]], count_include_pad=True))
    pool("average_pool_2d_explicit_keras", 2, [3, 3], L("pool", "average_pool", kernel=[2, 2], stride=[2, 2], padding=[[1, 1], [1, 1]], count_include_pad=False))
    pool("average_pool_3d", 3, [2, 2, 4], L("pool", "average_pool", kernel=[1, 2, 2], stride=[1, 2, 2]))
    pool("global_max_pool_1d", 1, [5], L("pool", "global_max_pool"))
    pool("global_max_pool_3d", 3, [2, 2, 2], L("pool", "global_max_pool"))

    # -- normalisation
    for mode in ("inference", "training"):
        case(f"batch_norm_image_{mode}", [1, 3, 3], image, [L("conv", "conv2d", filters=2, kernel=[2, 2], padding="valid", bias=False),
             L("norm", "batch_norm", epsilon=1e-5, momentum=0.1), A("act", "softplus"), L("pool", "global_average_pool")], batch=3, mode=mode)
        case(f"batch_norm_per_unit_{mode}", [1, 3, 2], image, [L("conv", "conv2d", filters=2, kernel=[2, 1], padding="valid", bias=False),
             L("flat", "flatten", order="channels_first"), L("norm", "batch_norm", epsilon=1e-3, momentum=0.01), L("map", "reshape", shape=[2, 2, 2]), A("act", "tanh"),
             L("pool", "global_average_pool")], batch=4, mode=mode)
    vector("layer_norm_vector", [D("hidden", 4, bias=False), L("norm", "layer_norm", epsilon=1e-5), A("act", "tanh")])
    case("layer_norm_sequence", [2, 3], ["time", "feature"], [L("norm", "layer_norm", epsilon=1e-3), L("cell", "rnn", units=2, activation="tanh", return_sequences=False)])
    case("layer_norm_image", [2, 2, 3], image, [L("conv", "conv2d", filters=2, kernel=[1, 1], bias=False), L("norm", "layer_norm", epsilon=1e-5, axes="all"), A("act", "tanh"),
         L("pool", "global_average_pool")], batch=2)
    vector("dropout_off", [D("hidden", 3), L("drop", "dropout", rate=0.5), A("act", "tanh"), L("noise", "gaussian_noise", stddev=0.3)])

    # -- graphs
    vector("graph_add", [D("a", 3), A("b", "tanh"), D("c", 3, bias=False), L("skip", "add", inputs=["b", "c"]), A("d", "softplus")], inner=["b", "skip"], input_directions=True)
    vector("graph_input_twice", [D("a", 3, inputs=["input"]), A("b", "tanh"), L("skip", "add", inputs=["b", "input"]), D("readout", 2, bias=False)])
    vector("graph_subtract", [D("a", 3), A("b", "tanh"), A("d", "sigmoid", inputs=["a"]), L("join", "subtract", inputs=["b", "d"]), A("act", "silu")])
    vector("graph_three_inputs", [D("a", 2), A("b", "tanh"), D("c", 2, bias=False, inputs=["input"]), L("sum", "add", inputs=["a", "b", "c"]),
                                  L("product", "multiply", inputs=["a", "b", "c"]), L("mean", "average", inputs=["sum", "product", "a"]), L("top", "maximum", inputs=["mean", "a", "b"])])
    vector("graph_concatenate", [D("a", 2), A("b", "tanh"), D("c", 3, bias=False, inputs=["input"]), L("join", "concatenate", inputs=["b", "c", "b"]), A("act", "softmax")])
    case("graph_concatenate_channels", [1, 3, 3], image, [L("c1", "conv2d", filters=1, kernel=[2, 2], padding="same", bias=False), A("act", "tanh"), L("c2", "conv2d", filters=2, kernel=[1, 1], bias=False, inputs=["input"]),
         L("join", "concatenate", inputs=["act", "c2"]), L("c3", "conv2d", filters=1, kernel=[2, 2], padding="valid", bias=False), A("out", "softplus"), L("pool", "global_average_pool")], batch=2)
    case("graph_residual_batch_norm", [2, 3, 3], image, [L("c1", "conv2d", filters=2, kernel=[2, 2], padding="same", bias=False), L("n1", "batch_norm", epsilon=1e-5, momentum=0.1), A("r1", "relu"),
         L("c2", "conv2d", filters=2, kernel=[1, 2], padding="same", bias=False), L("skip", "add", inputs=["c2", "input"]), A("r2", "relu"), L("pool", "global_average_pool"), D("readout", 3, bias=False)],
         "softmax_cross_entropy", batch=2)

    # -- shapes
    def shaped(name, size, middle, rank=2, **k):
        axes = [line, image, volume][rank - 1]
        case(name, [2, *size], axes, [L("conv", f"conv{rank}d", filters=2, kernel=[1] * rank, bias=False), A("act", "tanh")] + middle, batch=2, **k)

    shaped("flatten_channels_last", [2, 3], [L("flat", "flatten", order="channels_last")])
    shaped("reshape", [2, 3], [L("reshape", "reshape", shape=[3, 4]), D("readout", 2, bias=False), L("flat", "flatten", order="channels_first")])
    shaped("permute", [2, 3], [L("turn", "permute", axes=[2, 0, 1]), L("flat", "flatten", order="channels_first")])
    shaped("zero_padding", [2, 2], [L("pad", "zero_padding", padding=[[1, 0], [0, 2]]), L("flat", "flatten", order="channels_first")])
    shaped("cropping", [3, 4], [L("crop", "cropping", cropping=[[1, 0], [1, 2]]), L("flat", "flatten", order="channels_first")])
    shaped("slice_width", [2, 4], [L("cut", "slice", axis=2, start=1, stop=4, step=2), L("flat", "flatten", order="channels_first")])
    shaped("upsample", [2, 2], [L("up", "upsample", factor=[2, 3]), L("conv2", "conv2d", filters=1, kernel=[2, 2], padding="valid", bias=False), L("flat", "flatten", order="channels_first")])
    shaped("softmax_flat_map", [2, 2], [L("flat", "flatten", order="channels_first"), A("soft", "softmax")])

    # -- embedding
    case("embedding_dense", [3], ["time"], [L("words", "embedding", vocabulary=5, units=2), L("flat", "flatten", order="channels_first"), A("act", "tanh"), D("readout", 3, bias=False)],
         "softmax_cross_entropy", batch=4)
    case("embedding_gru_ragged", [5], ["time"], [L("words", "embedding", vocabulary=6, units=2), L("cell", "gru", units=2, reset_after=True, return_sequences=False), D("readout", 1, bias=False)],
         "sigmoid_cross_entropy", batch=3, lengths=[5, 2, 4])

    # -- recurrent layers
    seq = ["time", "feature"]
    def recurrent(name, cells, head=None, loss="half_squared_error", steps=4, width=2, **k):
        case(name, [steps, width], seq, cells + ([D("readout", 2)] if head is None else head), loss, **k)

    kinds = {
        "rnn_tanh": ("rnn", {"activation": "tanh"}), "rnn_relu": ("rnn", {"activation": "relu"}), "gru_after": ("gru", {"reset_after": True}), "gru_before": ("gru", {"reset_after": False}),
        "lstm": ("lstm", {}), "ugrnn": ("ugrnn", {}), "janet": ("janet", {}), "ctrnn_rate": ("ctrnn", {"form": "rate", "alpha": 0.3}),
        "ctrnn_current": ("ctrnn", {"form": "current", "alpha": 0.3}), "linear": ("linear", {})}
    for name, (t, k) in kinds.items():
        recurrent(f"sequence_{name}_ragged", [L("cell", t, units=2, **k, bias=True, recurrent_bias=True, return_sequences=True)], [], "mse", sequence=True, lengths=[4, 2], batch=2)
        if name in ("rnn_tanh", "gru_after", "lstm", "ctrnn_current"):
            recurrent(f"last_{name}", [L("cell", t, units=2, **k, return_sequences=False)], [], steps=3, batch=2)
        if name in ("ugrnn",):
            recurrent(f"last_{name}_ragged", [L("cell", t, units=2, **k, return_sequences=False)], [], steps=3, lengths=[3, 1], batch=2)
    recurrent("readout_sequence_lstm_classes_ragged", [L("cell", "lstm", units=2, return_sequences=True)], [D("readout", 3)], "softmax_cross_entropy", sequence=True, lengths=[1, 3], steps=3, batch=2)
    recurrent("readout_sequence_rnn_mask_last", [L("cell", "rnn", units=2, activation="tanh", return_sequences=True)], [], "mse", sequence=True, batch=2,
              mask=[[0, 0, 0, 1], [0, 0, 0, 1]])
    recurrent("readout_sequence_janet_mask_gaps", [L("cell", "janet", units=2, return_sequences=True)], [], "mse", sequence=True, mask=[[1, 0, 1, 1], [0, 1, 1, 0]], batch=2)
    recurrent("no_bias_gru_after", [L("cell", "gru", units=2, reset_after=True, bias=False, return_sequences=False)], [], batch=2)
    recurrent("initial_state_gru", [L("cell", "gru", units=2, reset_after=False, initial_state=True, return_sequences=False)], [], batch=2, steps=3)
    recurrent("initial_state_lstm_ragged", [L("cell", "lstm", units=2, initial_state=True, return_sequences=False)], [], batch=2, steps=3, lengths=[1, 3])
    recurrent("initial_state_ctrnn_current", [L("cell", "ctrnn", units=2, form="current", alpha=[0.2, 0.6], initial_state=True, return_sequences=True)], [], "mse", batch=2, steps=2, sequence=True)
    recurrent("ctrnn_rate_alpha_vector", [L("cell", "ctrnn", units=3, form="rate", alpha=[0.1, 0.5, 1.0], activation="softplus", return_sequences=False)], [], batch=2)
    recurrent("gru_gates_zrn", [L("cell", "gru", units=2, reset_after=True, bias=True, recurrent_bias=True, return_sequences=False)], [], batch=2, steps=2, gates={"cell": "z,r,n"})
    recurrent("lstm_gates_fiog", [L("cell", "lstm", units=2, return_sequences=False)], [], batch=2, steps=2, gates={"cell": "f,i,o,g"})
    recurrent("gru_after_relu", [L("cell", "gru", units=2, reset_after=True, activation="relu", return_sequences=False)], [], batch=2, steps=3)
    recurrent("lstm_softplus", [L("cell", "lstm", units=2, activation="softplus", return_sequences=False)], [], batch=2, steps=3)
    recurrent("lstm_hard_sigmoid", [L("cell", "lstm", units=2, recurrent_activation="hard_sigmoid", return_sequences=False)], [], batch=2, steps=3)
    recurrent("stacked_gru_lstm", [L("one", "gru", units=2, reset_after=True, return_sequences=True), L("two", "lstm", units=2, bias=False, return_sequences=False)], [], batch=2, steps=3)
    recurrent("stacked_rnn_ctrnn_ragged", [L("one", "rnn", units=2, activation="tanh", return_sequences=True), L("two", "ctrnn", units=2, form="current", alpha=0.4, bias=False, return_sequences=True)], [D("readout", 2, bias=False)],
              "softmax_cross_entropy", sequence=True, lengths=[2, 4], batch=2)
    recurrent("sequence_long_rnn", [L("cell", "rnn", units=2, activation="tanh", return_sequences=True)], [], "mse", sequence=True, steps=12, width=1, batch=2)
    # -- from both ends of a sequence, as bidirectional layers read it
    def both(name, cell, merge, sequences, **k):
        ends = [L("front", cell, units=2, return_sequences=sequences), L("turned", "reverse", inputs=["input"]), L("back", cell, units=2, return_sequences=sequences)]
        last = "back"
        if sequences:
            ends, last = ends + [L("again", "reverse")], "again"
        recurrent(name, ends + [L("ends", merge, inputs=["front", last], **({"axis": 1} if merge == "concatenate" and sequences else {}))], batch=2, **k)
    both("both_ends_gru", "gru", "concatenate", False, steps=3)
    both("both_ends_lstm_ragged", "lstm", "concatenate", True, steps=3, lengths=[3, 2], sequence=True, head=[], loss="mse")
    both("both_ends_rnn_ragged", "rnn", "multiply", False, lengths=[4, 1])

    # -- transposed convolutions
    def back(name, rank, size, channels=2, filters=2, kernel=None, tail=None, **k):
        axes = [line, image, volume][rank - 1]
        layers = [L("conv", f"conv{rank}d_transpose", filters=filters, kernel=kernel, **k)] + (tail or [A("act", "tanh"), L("pool", "global_average_pool")])
        case(name, [channels, *size], axes, layers, batch=2)

    back("transposed_1d_defaults", 1, [4], kernel=[3])
    back("transposed_1d_everything", 1, [4], channels=4, kernel=[3], stride=[3], padding=[[1, 2]], dilation=[2], output_padding=[2], groups=2, bias=True)
    back("transposed_2d_same", 2, [3, 2], kernel=[3, 3], stride=[2, 2], padding="same")
    back("transposed_2d_same_stride_over_kernel", 2, [2, 3], channels=1, kernel=[1, 2], stride=[3, 3], padding="same", bias=True)
    back("transposed_2d_same_even_kernel", 2, [3, 2], kernel=[4, 2], stride=[1, 2], padding="same", dilation=[1, 2], bias=False)
    back("transposed_2d_groups", 2, [2, 3], channels=2, filters=4, kernel=[2, 3], stride=[2, 1], padding=[[0, 0], [1, 1]], groups=2)
    back("transposed_3d", 3, [2, 1, 2], kernel=[2, 2, 1], stride=[1, 2, 2], output_padding=[0, 1, 1], padding=[[1, 0], [0, 0], [0, 0]])
    case("transposed_2d_network", [1, 4, 4], image, [L("down", "conv2d", filters=2, kernel=[2, 2], stride=[2, 2]), A("act", "softplus"),
         L("up", "conv2d_transpose", filters=1, kernel=[3, 3], stride=[2, 2], padding="same"), A("out", "tanh"), L("flat", "flatten", order="channels_first")], batch=2)
    return out


# ---------------------------------------------------------------- cells one step at a time

def closed_forms(l, p, x, h):
    """Jacobians and the reduced map of one cell at one point, in the closed forms; independent of autograd."""
    t, n = l["type"], l["units"]
    D = np.diag
    name, gname = l.get("activation", "tanh"), l.get("recurrent_activation", "sigmoid")
    act, gate = (lambda a: phi_numpy(name, a)), (lambda a: phi_numpy(gname, a))

    def slope(f, a):
        return {"tanh": lambda: 1 - np.tanh(a) ** 2, "relu": lambda: (a > 0) * 1.0, "identity": lambda: np.ones_like(a), "softplus": lambda: sigma(a),
                "sigmoid": lambda: sigma(a) * sigma(-a), "hard_sigmoid": lambda: 0.2 * ((a > -2.5) & (a < 2.5))}[f]()
    da, dg = (lambda a: slope(name, a)), (lambda a: slope(gname, a))
    order = [g for g in GATES[t].split(",") if g] or ["all"]
    W, U, b, c = {}, {}, {}, {}
    for k, g in enumerate(order):
        s = slice(k * n, (k + 1) * n)
        W[g], U[g], b[g] = p["kernel"][s], p["recurrent"][s], p["bias"][s]
        c[g] = p["recurrent_bias"][s] if "recurrent_bias" in p else np.zeros(n)
    pre = lambda g, v: W[g] @ x + b[g] + U[g] @ v + c[g]
    if t in ("rnn", "linear"):
        a = pre("all", h)
        d = da(a) if t == "rnn" else np.ones(n)
        return D(d) @ U["all"], D(d) @ W["all"], None, None
    if t == "ctrnn":
        al = np.broadcast_to(np.asarray(l["alpha"], float), (n,))
        if l["form"] == "rate":
            a = pre("all", h)
            return D(1 - al) + D(al * da(a)) @ U["all"], D(al * da(a)) @ W["all"], act(a), D(da(a)) @ U["all"]
        return D(1 - al) + D(al) @ U["all"] @ D(da(h)), D(al) @ W["all"], pre("all", act(h)), U["all"] @ D(da(h))
    if t == "gru":
        ar, az = pre("r", h), pre("z", h)
        r, z, rr, zz = gate(ar), gate(az), dg(ar), dg(az)
        if l["reset_after"]:
            m = U["n"] @ h + c["n"]
            an = W["n"] @ x + b["n"] + r * m
            nn, dn = act(an), da(an)
            inner = D(m * rr) @ U["r"] + D(r) @ U["n"]
            J = D(z) + D((h - nn) * zz) @ U["z"] + D((1 - z) * dn) @ inner
            K = D((h - nn) * zz) @ W["z"] + D((1 - z) * dn) @ (D(m * rr) @ W["r"] + W["n"])
            return J, K, nn, D(dn) @ inner
        an = W["n"] @ x + b["n"] + U["n"] @ (r * h) + c["n"]
        nn, dn = act(an), da(an)
        G = D(r) + D(h * rr) @ U["r"]
        J = D(z) + D((h - nn) * zz) @ U["z"] + D((1 - z) * dn) @ U["n"] @ G
        K = D((h - nn) * zz) @ W["z"] + D((1 - z) * dn) @ (W["n"] + U["n"] @ D(h * rr) @ W["r"])
        return J, K, nn, D(dn) @ U["n"] @ G
    if t in ("ugrnn", "janet"):
        g0, g1 = order
        au, ac = pre(g0, h), pre(g1, h)
        u, cc = gate(au), act(ac)
        J = D(u) + D((h - cc) * dg(au)) @ U[g0] + D((1 - u) * da(ac)) @ U[g1]
        K = D((h - cc) * dg(au)) @ W[g0] + D((1 - u) * da(ac)) @ W[g1]
        return J, K, cc, D(da(ac)) @ U[g1]
    v, cell = h[:n], h[n:]
    a = {g: pre(g, v) for g in "ifgo"}
    i, f, g, o = gate(a["i"]), gate(a["f"]), act(a["g"]), gate(a["o"])
    di, df, dgg, do = dg(a["i"]), dg(a["f"]), da(a["g"]), dg(a["o"])
    new = f * cell + i * g
    parts = lambda M: D(g * di) @ M["i"] + D(cell * df) @ M["f"] + D(i * dgg) @ M["g"]
    ch, cx = parts(U), parts(W)
    hh = D(o * da(new)) @ ch + D(act(new) * do) @ U["o"]
    hx = D(o * da(new)) @ cx + D(act(new) * do) @ W["o"]
    J = np.block([[hh, D(o * da(new) * f)], [ch, D(f)]])
    one_minus_f = sigma(-a["f"]) if gname == "sigmoid" else 1 - f
    star = i * g / one_minus_f
    dstar = D(g * di / one_minus_f) @ U["i"] + D(i * dgg / one_minus_f) @ U["g"] + D(star * df / one_minus_f) @ U["f"]
    R = D(o * da(star)) @ dstar + D(act(star) * do) @ U["o"]
    return J, np.vstack([hx, cx]), o * act(star), R


def cells():
    kinds = [("rnn_tanh", "rnn", {"activation": "tanh"}), ("rnn_relu", "rnn", {"activation": "relu"}), ("rnn_identity", "rnn", {"activation": "identity"}),
             ("gru_after", "gru", {"reset_after": True}), ("gru_before", "gru", {"reset_after": False}),
             ("gru_after_relu", "gru", {"reset_after": True, "activation": "relu"}), ("gru_after_hard_sigmoid", "gru", {"reset_after": True, "recurrent_activation": "hard_sigmoid"}),
             ("gru_before_softplus", "gru", {"reset_after": False, "activation": "softplus"}),
             ("lstm", "lstm", {}), ("lstm_hard_sigmoid", "lstm", {"recurrent_activation": "hard_sigmoid"}),
             ("ugrnn", "ugrnn", {}), ("janet", "janet", {}), ("janet_softplus", "janet", {"activation": "softplus"}),
             ("ctrnn_rate", "ctrnn", {"form": "rate", "alpha": 0.3}), ("ctrnn_rate_vector", "ctrnn", {"form": "rate", "alpha": [0.1, 0.4, 0.9]}),
             ("ctrnn_current", "ctrnn", {"form": "current", "alpha": 0.3}), ("linear", "linear", {})]
    for name, t, k in kinds:
        rng = np.random.default_rng(zlib.crc32(b"cell " + name.encode()))
        n, I, B = 3, 2, 2
        arch = architecture([1, I], ["time", "feature"], [{"name": "cell", "type": t, "units": n, **k, "recurrent_bias": True, "return_sequences": True}])
        l = arch["layers"][0]
        raw = initialise(arch, rng, 1.0)
        S = 2 * n if t == "lstm" else n
        x, h = rng.standard_normal((B, I)), rng.standard_normal((B, S))
        p = {k2: torch.tensor(v) for k2, v in raw["cell"].items()}
        f = lambda xx, hh: step_torch(l, p, xx[None], hh[None])[0]
        new, J, K, second, adjoint, reduced, RJ = [], [], [], [], [], [], []
        u, v, w = rng.standard_normal((3, S))
        for s in range(B):
            xs, hs = torch.tensor(x[s]), torch.tensor(h[s])
            new.append(f(xs, hs).numpy())
            need(relative(step_numpy(l, raw["cell"], x[s], h[s]), new[-1]) < 1e-13, f"step of {name}")
            J.append(torch.autograd.functional.jacobian(lambda q: f(xs, q), hs).numpy())
            K.append(torch.autograd.functional.jacobian(lambda q: f(q, hs), xs).numpy())
            first = lambda q: torch.autograd.functional.jvp(lambda r: f(xs, r), q, torch.tensor(u), create_graph=True)[1]
            second.append(torch.autograd.functional.jvp(first, hs, torch.tensor(v))[1].numpy())
            adjoint.append(torch.autograd.functional.vjp(first, hs, torch.tensor(w))[1].numpy())
            need(abs(adjoint[-1] @ v - w @ second[-1]) < 1e-12 * (1 + np.linalg.norm(second[-1]) * np.linalg.norm(w)), f"second derivative of {name}")
            Jc, Kc, R, Rc = closed_forms(l, raw["cell"], x[s], h[s])
            need(np.abs(Jc - J[-1]).max() < 1e-13 and np.abs(Kc - K[-1]).max() < 1e-13, f"closed Jacobian of {name}")
            eps = 1e-5
            at = lambda d: closed_forms(l, raw["cell"], x[s], h[s] + d * v)[0] @ u
            need(np.abs((at(eps) - at(-eps)) / (2 * eps) - second[-1]).max() < 1e-6 * (1 + np.abs(second[-1]).max()), f"second derivative of {name} against differences")
            if R is not None:
                moved = lambda d: closed_forms(l, raw["cell"], x[s], h[s] + np.pad(d, (0, S - n)))[2]
                num = np.array([(moved(eps * e) - moved(-eps * e)) / (2 * eps) for e in np.eye(n)]).T
                need(np.abs(num - Rc).max() < 1e-7 * (1 + np.abs(Rc).max()), f"reduced Jacobian of {name}")
                reduced.append(R); RJ.append(Rc)
        data = {"weights": raw, "x": x, "h": h, "next": np.array(new), "jacobian_state": np.array(J), "jacobian_input": np.array(K),
                "u": u, "v": v, "covector": w, "second_uv": np.array(second), "second_covector_u": np.array(adjoint)}
        if reduced:
            data["reduced"], data["reduced_jacobian"] = np.array(reduced), np.array(RJ)
        yield name, arch, data


def check_against_torch_modules():
    """The equations above against torch.nn's own cells and functions."""
    torch.manual_seed(1)
    x, h = torch.randn(3, 2), torch.randn(3, 4)
    for t, cls, extra in (("rnn", torch.nn.RNNCell, {}), ("gru", torch.nn.GRUCell, {"reset_after": True}), ("lstm", torch.nn.LSTMCell, {})):
        m = cls(2, 4)
        p = {"kernel": m.weight_ih, "recurrent": m.weight_hh, "bias": m.bias_ih, "recurrent_bias": m.bias_hh}
        l = {"type": t, "units": 4, **extra}
        if t == "lstm":
            c = torch.randn(3, 4)
            ref, got = torch.cat(m(x, (h, c)), 1), step_torch(l, p, x, torch.cat([h, c], 1))
        else:
            ref, got = m(x, h), step_torch(l, p, x, h)
        need((ref - got).abs().max().item() < 1e-14, f"{t} against torch.nn")
    z = torch.linspace(-6, 6, 101)
    for name, l, ref in (("gelu", {}, F.gelu(z)), ("gelu", {"form": "tanh"}, F.gelu(z, approximate="tanh")), ("silu", {}, F.silu(z)), ("elu", {"alpha": 1.3}, F.elu(z, 1.3)),
                         ("softsign", {}, F.softsign(z)), ("softplus", {"beta": 3.0}, F.softplus(z, 3.0, threshold=1e3))):
        need((phi_torch(name, z, l) - ref).abs().max().item() < 1e-14, f"{name} against torch")
    x = torch.randn(2, 3, 5, 6)
    for k, d in (([3, 2], [1, 1]), ([4, 3], [1, 2]), ([2, 2], [2, 3])):  # 'same' at stride 1 against torch, with strides against hand-made values
        w = torch.randn(2, 3, *k)
        got = apply_torch({"type": "conv2d", "kernel": k, "dilation": d, "padding": "same"}, {"weight": w}, [x], None, False, {})
        need((got - F.conv2d(x, w, dilation=d, padding="same")).abs().max().item() < 1e-12, "padding 'same' against torch")
    # Both ends of ragged sequences, as torch packs them.
    m, lengths, seq = torch.nn.GRU(2, 3, batch_first=True, bidirectional=True), [5, 2, 3], torch.randn(3, 5, 2)
    packed = torch.nn.utils.rnn.pack_padded_sequence(seq, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    ref, _ = torch.nn.utils.rnn.pad_packed_sequence(m(packed)[0], batch_first=True, total_length=5)
    cell = lambda name, **k: {"name": name, "type": "gru", "units": 3, "reset_after": True, "recurrent_bias": True, "return_sequences": True, **k}
    ends = architecture([5, 2], ["time", "feature"], [cell("front"), {"name": "turned", "type": "reverse", "inputs": ["input"]}, cell("back"),
                        {"name": "again", "type": "reverse"}, {"name": "ends", "type": "concatenate", "inputs": ["front", "again"], "axis": 1}])
    end = lambda tail: {k: getattr(m, f"{v}_l0{tail}") for k, v in (("kernel", "weight_ih"), ("recurrent", "weight_hh"), ("bias", "bias_ih"), ("recurrent_bias", "bias_hh"))}
    got = run_torch(ends, {"front": end(""), "back": end("_reverse")}, seq, lengths)
    need(max((got[i, :n] - ref[i, :n]).abs().max().item() for i, n in enumerate(lengths)) < 1e-14, "both ends against torch.nn")
    for k, s, pad, more, d, groups in (([3, 3], [1, 1], 0, 0, 1, 1), ([3, 2], [2, 3], 1, 1, 1, 3), ([2, 3], [3, 2], 2, 1, 2, 1)):
        w, b = torch.randn(3, 6 // groups, *k), torch.randn(6)
        layer = {"type": "conv2d_transpose", "filters": 6, "kernel": k, "stride": s, "dilation": [d, d], "padding": [[pad, pad]] * 2, "output_padding": [more] * 2, "groups": groups}
        got = apply_torch(layer, {"weight": w, "bias": b}, [x], None, False, {})
        need((got - F.conv_transpose2d(x, w, b, s, pad, more, groups, d)).abs().max().item() < 1e-12, "transposed convolution against torch")
    for n, k, s, d, expected in ((4, 3, 2, 1, (0, 1)), (5, 3, 2, 1, (1, 1)), (5, 4, 1, 1, (1, 2)), (7, 2, 3, 1, (0, 1)), (6, 3, 2, 2, (1, 2)), (4, 1, 2, 1, (0, 0))):
        need(pads({"padding": "same"}, [n], [k], [s], [d]) == [expected], f"padding 'same' of {n}, {k}, {s}, {d}")
    bn = torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.1)
    p = {"gamma": bn.weight, "beta": bn.bias, "moving_mean": bn.running_mean.clone(), "moving_variance": bn.running_var.clone()}
    up = {}
    got = apply_torch({"name": "n", "type": "batch_norm", "epsilon": 1e-3, "momentum": 0.1}, p, [x], None, True, up)
    ref = bn(x)
    need((got - ref).abs().max().item() < 1e-12 and np.abs(up["n"]["moving_variance"] - bn.running_var.numpy()).max() < 1e-12, "batch norm against torch.nn")
    ln = torch.nn.LayerNorm([3, 5, 6])
    got = apply_torch({"name": "n", "type": "layer_norm", "epsilon": 1e-5, "axes": "all"}, {"gamma": ln.weight, "beta": ln.bias}, [x], None, False, {})
    need((got - ln(x)).abs().max().item() < 1e-12, "layer norm against torch.nn")
    got = apply_torch({"type": "average_pool", "kernel": [2, 2], "stride": [2, 2], "padding": [[1, 1], [1, 1]], "count_include_pad": False}, {}, [x], None, False, {})
    need((got - F.avg_pool2d(x, 2, 2, 1, count_include_pad=False)).abs().max().item() < 1e-14, "average pool against torch")


# ---------------------------------------------------------------- file

def hdf5_library():
    """The libhdf5 that h5py itself has loaded; h5py lacks a few property calls that keep small objects small."""
    import ctypes
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "libhdf5" in line and "_hl" not in line:
                lib = ctypes.CDLL(line.split()[-1])
                for f, types in (("H5Pset_dset_no_attrs_hint", [ctypes.c_int64, ctypes.c_bool]), ("H5Pset_link_phase_change", [ctypes.c_int64, ctypes.c_uint, ctypes.c_uint]),
                                 ("H5Pset_est_link_info", [ctypes.c_int64, ctypes.c_uint, ctypes.c_uint])):
                    getattr(lib, f).argtypes = types
                return lib
    raise Failure("h5py's libhdf5 not found")


class Writer:
    """Metadata with checksums (version 1.10 bounds), small arrays compact, fixed-length strings, no times."""

    def __init__(self, path):
        self.lib = hdf5_library()
        fapl = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        fapl.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
        fcpl = h5py.h5p.create(h5py.h5p.FILE_CREATE)
        if hasattr(fcpl, "set_obj_track_times"):
            fcpl.set_obj_track_times(False)
        self.file = h5py.File(h5py.h5f.create(path.encode(), h5py.h5f.ACC_TRUNC, fcpl, fapl))

    def group(self, parent, name, links=2, length=6):
        gcpl = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
        gcpl.set_obj_track_times(False)
        if links < 64:
            need(self.lib.H5Pset_link_phase_change(gcpl.id, 64, 32) >= 0 and self.lib.H5Pset_est_link_info(gcpl.id, links, length) >= 0, "HDF5 properties")
        return h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=gcpl))

    def array(self, parent, name, value):
        value = np.asarray(value)
        if value.dtype == np.int64:
            value = value.astype(np.int32)
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_obj_track_times(False)
        need(self.lib.H5Pset_dset_no_attrs_hint(dcpl.id, True) >= 0, "HDF5 properties")
        space = h5py.h5s.create_simple(value.shape) if value.shape else h5py.h5s.create(h5py.h5s.SCALAR)
        if value.nbytes < 4096:
            dcpl.set_layout(h5py.h5d.COMPACT)
        else:
            dcpl.set_layout(h5py.h5d.CHUNKED); dcpl.set_chunk(value.shape); dcpl.set_fletcher32()
        d = h5py.h5d.create(parent.id, name.encode(), h5py.h5t.py_create(value.dtype), space, dcpl=dcpl)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(value))

    def tree(self, parent, name, value):
        if isinstance(value, dict):
            g = self.group(parent, name, len(value), max([1] + [len(k) for k in value]))
            for k, v in value.items():
                self.tree(g, k, v)
        else:
            self.array(parent, name, value)

    @staticmethod
    def text(obj, name, value):
        data = value.encode()
        tid = h5py.h5t.C_S1.copy(); tid.set_size(max(1, len(data))); tid.set_cset(h5py.h5t.CSET_UTF8); tid.set_strpad(h5py.h5t.STR_NULLPAD)
        a = h5py.h5a.create(obj.id, name.encode(), tid, h5py.h5s.create(h5py.h5s.SCALAR))
        a.write(np.array(data, dtype=f"S{max(1, len(data))}"), mtype=tid)


ORDER = ["weights", "inputs", "targets", "lengths", "mask", "outputs", "loss", "gradient", "input_gradient", "per_sample_gradient_norms", "direction", "Jv", "Hv", "GGNv",
         "input_gradient_tangent", "cotangent", "vJ", "input_vJ", "input_direction", "input_Jv", "activation", "activation_gradient", "activation_direction", "activation_Jv", "hessian", "updated"]


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "network_oracle.h5"
    check_against_torch_modules()
    done, names = [], set()
    for case in cases():
        name = case["name"]
        need(name not in names, f"two cases named {name}")
        names.add(name)
        base = zlib.crc32(name.encode())
        for attempt in range(6):  # a sample may lie within a difference step of a kink: draw again, say so
            try:
                result = compute(case, base + attempt)
                break
            except Failure as e:
                kinked = any(l.get("function") in ("relu", "leaky_relu", "hard_sigmoid", "rectified_quadratic") or "relu" in l.get("activation", "") or
                             l["type"] in ("max_pool", "global_max_pool", "maximum") or l.get("recurrent_activation") == "hard_sigmoid" for l in case["architecture"]["layers"])
                if not kinked or attempt == 5:
                    sys.exit(f"{name}: {e}")
                print(f"{name}: drawn again ({e})")
        done.append((case, result))
    steps = list(cells())
    temporary = path + ".part"
    w = Writer(temporary)
    w.text(w.file, "format", "assay/1")
    root = w.group(w.file, "cases", len(done))
    for case, result in done:
        g = w.group(root, case["name"], len(result), 12)
        w.text(g, "architecture", json.dumps(case["architecture"], separators=(",", ":")))
        w.text(g, "loss", case["loss"])
        if case.get("options"):
            w.text(g, "loss_options", json.dumps(case["options"], separators=(",", ":")))
        if case.get("mode") == "training":
            w.text(g, "mode", "training")
        if case.get("kink"):
            w.text(g, "kink", "1")
        extra = unattested(case["architecture"])
        if extra:
            w.text(g, "keys_not_in_spec", extra)
        for key in ORDER:
            if key in result:
                w.tree(g, key, result[key])
        for l in case["architecture"]["layers"]:
            if GATES.get(l["type"]):
                w.text(g["weights"][l["name"]], "gates", case.get("gates", {}).get(l["name"], GATES[l["type"]]))
    root = w.group(w.file, "cells", 64)
    for name, arch, data in steps:
        g = w.group(root, name, len(data), 12)
        w.text(g, "architecture", json.dumps(arch, separators=(",", ":")))
        for key, value in data.items():
            w.tree(g, key, value)
        if GATES[arch["layers"][0]["type"]]:
            w.text(g["weights"]["cell"], "gates", GATES[arch["layers"][0]["type"]])
    w.file.close()
    os.replace(temporary, path)
    print(f"{len(done)} cases, {len(steps)} cells, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))

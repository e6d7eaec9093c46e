"""Fits in the form of tensor-amp fit, made without it: true factors with errors of a known variance."""
import json

import h5py
import numpy as np


def truth(name):
    with h5py.File(name) as f:
        group = f["truth/factors"]
        return [group["mode%d" % a][:] for a in range(len(group))]


def scale(shape):
    """N^{-(p-1)/2} with N the geometric mean."""
    return np.prod(shape, dtype=float) ** (-(len(shape) - 1) / 2 / len(shape))


def tensor(factors):
    letters = "abcdefgh"[:len(factors)]
    shape = [len(x) for x in factors]
    return scale(shape) * np.einsum(",".join(l + "r" for l in letters) + "->" + letters, *factors)


def write(name, factors, covariances=(), **attributes):
    """A fit; `covariances` one r x r or N x r x r a mode."""
    shape = [len(x) for x in factors]
    with h5py.File(name, "w") as f:
        f.attrs["format"] = np.bytes_("assay/1")    # so that it is carried forward
        g = f.create_group("tensor_amp/fit")
        facts = dict(algorithm="amp", status="converged", noise_var=1.0, explained_variance=0.5, iterations=9, seed="0",
                     shape=np.array(shape, float), order=len(shape), rank=factors[0].shape[1], denoiser_exact=1)
        facts.update(attributes)
        for key, value in facts.items():
            text = json.dumps(value) if isinstance(value, list) else value
            g.attrs[key] = np.bytes_(text) if isinstance(text, str) else text
        for a, x in enumerate(factors):
            g["factors/mode%d" % a] = x
        for a, c in enumerate(covariances):
            g["posterior/cov_mode%d" % a] = c


def estimate(name, out, sd, seed=0, by_row=False, **attributes):
    """The truth of `name` with Gaussian errors of standard deviation `sd`, and their covariances."""
    rng = np.random.default_rng(seed)
    factors = truth(name)
    noisy = [x + sd * rng.standard_normal(x.shape) for x in factors]
    rank = factors[0].shape[1]
    covariances = [np.eye(rank) * sd**2] * len(factors)
    if by_row:
        covariances = [np.broadcast_to(c, (len(x), rank, rank)) for c, x in zip(covariances, factors)]
    attributes.setdefault("priors", ["gauss:mean=0,var=1"] * len(factors))
    write(out, noisy, covariances, **attributes)
    return noisy

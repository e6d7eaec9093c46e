#!/usr/bin/env python3
"""Writes lindyn_oracle.h5: learning curves of linear networks integrated by scipy from the weights' own equations, not from
those of their products.

curves/<n>: one mode. Attributes s, d, decay, tau; `start` (one weight a layer), `time`, `value` (product of the weights).
flows/<n>: two layers of matrices, white inputs. Attribute d; syx, first, second, time, map, input_gram, output_gram.
deep/<n>: any layers, any inputs. syx, sxx, start_<l>, time, map.
"""
import h5py
import numpy as np
from scipy.integrate import solve_ivp

TIGHT = dict(method="DOP853", rtol=2.3e-14, atol=1e-16)


def scalar_curve(s, d, start, times, decay=0., tau=1.):
    def slope(_, w):
        error = s - d * np.prod(w)
        return np.array([error * np.prod(np.delete(w, l)) - decay * w[l] for l in range(len(w))]) / tau
    run = solve_ivp(slope, (0, times[-1]), start, t_eval=times, **TIGHT)
    return run.y.prod(0)


def balanced(n1, n2, n3, lam, d, scale, rng):
    """W1, W2 with d (W2'W2 - W1 W1') = lam I."""
    basis = np.linalg.qr(rng.standard_normal((n2, n2)))[0]
    rank = min(n1, n2, n3)
    small = np.zeros(n2)
    small[:rank] = scale * (.5 + rng.random(rank))
    one, two = small**2 + max(-lam, 0) / d, small**2 + max(lam, 0) / d
    def spread(values, n):  # n x n2 with columns of those norms in the basis
        k = np.count_nonzero(values)
        assert k <= n
        left = np.linalg.qr(rng.standard_normal((n, max(k, 1))))[0][:, :k]
        return (left * np.sqrt(values[:k])) @ basis.T[:k]
    return spread(one, n1).T, spread(two, n3)


def layers_flow(syx, sxx, layers, times):
    shapes = [w.shape for w in layers]
    cuts = np.cumsum([w.size for w in layers])[:-1]

    def unpack(y):
        return [part.reshape(shape) for part, shape in zip(np.split(y, cuts), shapes)]

    def product(ws, start):
        for w in ws:
            start = w @ start
        return start

    def slope(_, y):
        ws = unpack(y)
        error = syx - product(ws, np.eye(syx.shape[1])) @ sxx
        out = []
        for l in range(len(ws)):
            above = product(ws[l + 1:], np.eye(shapes[l][0]))
            below = product(ws[:l], np.eye(syx.shape[1]))
            out.append((above.T @ error @ below.T).ravel())
        return np.concatenate(out)
    run = solve_ivp(slope, (0, times[-1]), np.concatenate([w.ravel() for w in layers]), t_eval=times, **TIGHT)
    return [unpack(y) for y in run.y.T]


def data_with_modes(n1, n3, values, rng):
    u = np.linalg.qr(rng.standard_normal((n3, n3)))[0][:, :len(values)]
    v = np.linalg.qr(rng.standard_normal((n1, n1)))[0][:, :len(values)]
    return (u * values) @ v.T


with h5py.File("lindyn_oracle.h5", "w", track_order=True) as f:
    group = f.create_group("curves", track_order=True)
    count = 0
    for depth in 1, 2, 3, 4, 5, 8:
        for s, d, start in (1., 1., 1e-3), (3., .5, .02), (.3, 2., .1):
            tau = 1.7 if depth == 3 else 1.
            late = {1: 6 / d, 2: 12 / s}.get(depth, 3 * start**-(1 - 2 / depth) / (s * d**0.) + 12 / s)
            times = np.concatenate([[0], np.geomspace(late / 300, late, 24)]) * tau
            curve = scalar_curve(s, d, np.full(depth, start**(1 / depth)), times, tau=tau)
            g = group.create_group(str(count)); count += 1
            g.attrs.update(s=s, d=d, decay=0., tau=tau)
            g["start"], g["time"], g["value"] = np.full(depth, start**(1 / depth)), times, curve
    for s, d, start, decay, depth in (2., 1., .01, .5, 2), (.4, 1., .2, .5, 2), (.5, 1., .2, .5, 2), (0., 1.3, .2, 0., 2), \
            (0., 1.3, .2, 0., 4), (1.5, .7, .3, .2, 1):
        times = np.linspace(0, 12, 25)
        g = group.create_group(str(count)); count += 1
        g.attrs.update(s=s, d=d, decay=decay, tau=1.)
        g["start"], g["time"] = np.full(depth, start**(1 / depth)), times
        g["value"] = scalar_curve(s, d, np.full(depth, start**(1 / depth)), times, decay=decay)
    for s, d, first, second in (1., 1., .01, .5), (2., .7, 1.5, -.2), (1., 1., -.3, .2), (3., 2., 1e-3, 1.001e-3), \
            (.5, 1., 3., .1), (1., 1., .1, .1 + 1e-9), (0., 1., .8, .3), (1., 1., 2., -1e-3), (1., 1., .05, -.050001):
        times = np.linspace(0, 40, 33) / max(s, .5)
        g = group.create_group(str(count)); count += 1
        g.attrs.update(s=s, d=d, decay=0., tau=1.)
        g["start"], g["time"] = np.array([first, second]), times
        g["value"] = scalar_curve(s, d, np.array([first, second]), times)

    group = f.create_group("flows", track_order=True)
    rng = np.random.default_rng(5)
    count = 0
    for (n1, n2, n3), values, lam, scale in (
            ((6, 2, 3), (10., 2., .3), 0., .02), ((6, 2, 3), (10., 2., .3), -1.5, .02), ((6, 2, 3), (10., 2., .3), 2., .02),
            ((3, 3, 5), (4., 1., .3), 0., .3), ((3, 3, 5), (4., 1., .3), -1.5, .3), ((3, 3, 5), (4., 1., .3), 2., .3),
            ((4, 7, 5), (5., 5., 1., .3), 0., .1), ((4, 4, 4), (2., 1.), 0., 2.), ((5, 3, 4), (10., .3), -1.5, .5),
            ((4, 1, 6), (3., 2.), 2., .01), ((3, 5, 5), (3., 2., 1.), 2., .01)):
        d = .8
        syx = data_with_modes(n1, n3, np.array(values), rng)
        first, second = balanced(n1, n2, n3, lam, d, scale, rng)
        times = np.array([0, .1, .5, 1, 3, 10, 40, 200.])
        states = layers_flow(syx, d * np.eye(n1), [first, second], times)
        g = group.create_group(str(count)); count += 1
        g.attrs["d"], g.attrs["lambda"] = d, lam
        g["syx"], g["first"], g["second"], g["time"] = syx, first, second, times
        g["map"] = np.array([w2 @ w1 for w1, w2 in states])
        g["input_gram"] = np.array([w1.T @ w1 for w1, w2 in states])
        g["output_gram"] = np.array([w2 @ w2.T for w1, w2 in states])

    group = f.create_group("deep", track_order=True)
    for count, widths in enumerate([(4, 5, 3), (4, 3, 5, 3)]):
        x = rng.standard_normal((4, 20))
        syx = rng.standard_normal((3, 4))
        layers = [.3 * rng.standard_normal((b, a)) for a, b in zip(widths, widths[1:])]
        times = np.array([.2, 1, 4, 20.])
        g = group.create_group(str(count))
        g["syx"], g["sxx"], g["time"] = syx, x @ x.T / 20, times
        for l, w in enumerate(layers):
            g[f"start_{l + 1}"] = w
        g["map"] = np.array([np.linalg.multi_dot(ws[::-1]) for ws in layers_flow(syx, x @ x.T / 20, layers, times)])

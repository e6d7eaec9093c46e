"""What checkpoint train must do, in numpy: independent of the C++ side."""
import json

import h5py
import numpy as np


def arrays(group, prefix=""):
    """Every dataset below a group by its path."""
    found = {}
    group.visititems(lambda name, item: found.__setitem__(prefix + name, item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def weights(name, step=None):
    """weights/<layer>/<parameter> of /model, or of a run's checkpoint."""
    with h5py.File(name) as f:
        place = "/model" if step is None else "/run/checkpoints/%09d" % step
        return arrays(f[place + "/weights"])


def gradient(name, step):
    with h5py.File(name) as f:
        return arrays(f["/run/checkpoints/%09d/gradient/weights" % step])


def steps(name):
    with h5py.File(name) as f:
        return [int(s) for s in f["/run/steps"][:]]


def metrics(name):
    with h5py.File(name) as f:
        return {key: item[()] for key, item in f["/run/metrics"].items()}


def training(name):
    with h5py.File(name) as f:
        return json.loads(f["/run"].attrs["training"])


def split(name, which="train"):
    with h5py.File(name) as f:
        return f["/data/%s/inputs" % which][()].astype(float), f["/data/%s/targets" % which][()]


def same_runs(a, b, leave_out=("/provenance", "/run/timing")):
    """Every array and attribute of two files is equal, bit for bit."""
    def listing(name):
        found = {}
        with h5py.File(name) as f:
            def note(path, item):
                path = "/" + path
                if path.startswith(leave_out):
                    return
                for key, value in item.attrs.items():
                    found[path + "@" + key] = np.asarray(value).tobytes() if not isinstance(value, str) else value
                if isinstance(item, h5py.Dataset):
                    found[path] = (item.shape, str(item.dtype), np.asarray(item[()]).tobytes())
            f.visititems(note)
        return found
    one, two = listing(a), listing(b)
    differing = [k for k in sorted(set(one) | set(two)) if one.get(k) != two.get(k)]
    assert not differing, (a, b, differing[:10])


def mlp(w, x, layers, activation=lambda z: np.maximum(z, 0)):
    """Forward pass of dense layers named so; no activation after the last."""
    for i, layer in enumerate(layers):
        x = x @ w[layer + "/weight"].astype(float).T + w[layer + "/bias"].astype(float)
        if i + 1 < len(layers):
            x = activation(x)
    return x


def cross_entropy(z, y):
    z = z - z.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]))


def mse(z, t):
    return float(np.mean((z - t) ** 2))


def linear_gradient(w, x, t):
    """Of the mean squared error of readout: mean over samples and outputs."""
    r = x @ w["readout/weight"].T + w["readout/bias"] - t
    return {"readout/weight": 2 / r.size * r.T @ x, "readout/bias": 2 / r.size * r.sum(0)}


def close(a, b, tolerance=1e-10):
    """Relative to the largest number."""
    for key in b:
        error = np.abs(a[key] - b[key]).max() / max(1e-300, np.abs(b[key]).max())
        assert error < tolerance, (key, error)


class Optimiser:
    """Section 'One step, exactly' of the description of training."""

    def __init__(self, name, lr, momentum=0, nesterov=False, decay=0, decoupled=False, beta1=.9, beta2=None, epsilon=None, amsgrad=False):
        self.name, self.lr, self.mu, self.nesterov, self.decay, self.decoupled = name, lr, momentum, nesterov, decay, decoupled or name == "adamw"
        self.b1, self.b2 = beta1, beta2 if beta2 is not None else .99 if name == "rmsprop" else .999
        self.eps, self.amsgrad = epsilon if epsilon is not None else 1e-10 if name == "adagrad" else 1e-8, amsgrad
        self.t, self.m, self.s, self.most = 0, {}, {}, {}

    def step(self, w, g, lr=None):
        lr = self.lr if lr is None else lr
        self.t += 1
        t, new = self.t, {}
        for k, theta in w.items():
            theta, d = theta.copy(), g[k].copy()
            if self.decoupled:
                theta *= 1 - lr * self.decay
            else:
                d = d + self.decay * theta
            m, s = self.m.get(k, 0 * d), self.s.get(k, 0 * d)
            if self.name == "sgd":
                m = self.mu * m + d
                theta -= lr * (d + self.mu * m if self.nesterov else m)
            elif self.name == "rmsprop":
                s = self.b2 * s + (1 - self.b2) * d * d
                theta -= lr * d / (np.sqrt(s) + self.eps)
            elif self.name == "adagrad":
                s = s + d * d
                theta -= lr * d / (np.sqrt(s) + self.eps)
            else:
                m = self.b1 * m + (1 - self.b1) * d
                s = self.b2 * s + (1 - self.b2) * d * d
                root = s
                if self.amsgrad:
                    self.most[k] = root = np.maximum(self.most.get(k, 0 * d), s)
                mhat, shat = m / (1 - self.b1 ** t), root / (1 - self.b2 ** t)
                if self.name == "radam":
                    most = 2 / (1 - self.b2) - 1
                    rho = most - 2 * t * self.b2 ** t / (1 - self.b2 ** t)
                    if rho > 5:
                        r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
                        theta -= lr * r * mhat / (np.sqrt(shat) + self.eps)
                    else:
                        theta -= lr * mhat
                else:
                    theta -= lr * mhat / (np.sqrt(shat) + self.eps)
            self.m[k], self.s[k], new[k] = m, s, theta
        return new

#!/usr/bin/env python3
"""Make cnmf_oracle.h5: expected values for convolutive nonnegative matrix factorisation.

    python3 make_cnmf_oracle.py [OUTPUT]        (numpy, scipy, h5py)

Nothing in here is clever. The unfolding U and the T x T window S are built in full, each coordinate update
starts from the residual X - conv(W, H) evaluated anew, each imputation is a dense copy. None of the identities
with which the library avoids such work produces a stored number; some of them are *checked* against the stored
numbers (check_identities). Gradients are checked against central differences, adjoints against inner products,
objectives for monotone descent. Any failed check stops the script before a file is written.

If OUTPUT exists and would change, OUTPUT.new is written beside it, the differences are listed, the exit status
is 1, and a person decides. The same machine and library versions give the same bytes.


Conventions
-----------
X (N, T); W (K, N, L); H (K, T); all >= 0. `segment_start` (int64, ascending, first 0) cuts time into segments;
conv, transconv, unfold and S act inside segments only. eps = 2^-52.

    conv(W, H)[n, t]      = sum_k sum_l W[k, n, l] H[k, t - l]      over t - l inside the segment of t
    transconv(W, X)[k, t] = sum_n sum_l W[k, n, l] X[n, t + l]      over t + l inside the segment of t
    U[l K + k, t]         = H[k, t - l]                             0 if t - l lies before the segment of t
    Wm[n, l K + k]        = W[k, n, l]                              conv(W, H) = Wm U
    S[t, t']              = 1 if |t - t'| < L and both lie in one segment, else 0
    R_x = || transconv(W, X) S H^T ||_1 off the diagonal            R_e = 1/2 || H S H^T ||_1 off the diagonal
    R_p = 1/2 || F^T F ||_1 off the diagonal, F[n, k] = sum_l W[k, n, l]
    f   = 1/2 ||X - conv(W, H)||^2 + l1_w |W|_1 + l2_w/2 |W|^2 + l1_h |H|_1 + l2_h/2 |H|^2
          + x_ortho R_x + events R_e + parts R_p


/products/<case>
----------------
Cases: regular; short (T < 2L); lag_one (L = 1); one_component (K = 1); segments (one of them shorter than L);
single_bin_segments (some are one bin long).

    X, W, H, segment_start              the input
    conv (N, T), transconv (K, T)       transconv is transconv(W, X)
    A (KL, KL)                          U U^T, row and column index l K + k
    B (N, KL)                           X U^T, the same column order
    C (K, K, 2L-1)                      C[k, k', d + L - 1] = sum_l sum_n W[k, n, l] W[k', n, l - d], d = -(L-1)..L-1
    C_tail (L-1, K, K, 2L-1)            entry m: the same sum over l <= m only, m = 0..L-2. (0, K, K, 1) if L = 1
    P (K, T)                            transconv(W, conv(W, H)) - transconv(W, X)
    dRx_dH, dRe_dH (K, T); dRx_dW, dRp_dW (K, N, L)
    loadings (K)                        max(0, 1 - ||X - conv(W_k, H_k)||^2 / ||X||^2)
    attributes R_x, R_e, R_p, relative_loss = ||X - conv(W, H)|| / ||X||,
               start_scale = <X, Xhat> / <Xhat, Xhat>


/trajectories/<name>
--------------------
    X, W0, H0, segment_start            the start is used as it is
    mask (N, T) uint8                   masked runs only; 1 = used
    W, H                                after the last iteration
    loss (iterations + 1)               entry 0 belongs to the start. loss_function l2: ||X - Xhat|| / ||X||;
                                        masked: ||mask (X - Xhat)|| / ||mask X||;
                                        kl: sum X log(X / (Xhat + eps)) - X + Xhat, with 0 log 0 = 0
    test_loss (iterations + 1)          masked runs only: the same over the entries with mask = 0
    objective (iterations + 1)          unmasked l2 runs only: f above
    attributes algorithm (mult, hals, anls), loss_function (l2, kl), order (component, time; none if it does not
    matter), inner, iterations, extrapolate (0, 1), l1_w, l2_w, l1_h, l2_h, x_ortho, events, parts

One iteration is the W half-step, `inner` sweeps, then the H half-step, `inner` sweeps. Penalty strengths are
constant; H is never rescaled. dR_x/dW depends on H alone and dR_x/dH on W alone: the first uses the H at hand in
the W half-step, the second the new W.

With extrapolate an iteration begins at H_y = max(0, H + b (H - H')), but H in the last L - 1 bins of a segment, gives
the W half-step of (W, H_y), called V, then
W <- max(0, V + b (V - V')), then H <- the H half-step of (W, H_y); H' and V' are H and V of the iteration before. If f
has not fallen (masked: half the squared error over used entries) all is done again from the W and H before, with
b = 0 and V' = W; b starts at .5 and its bound c at 1; after a fall b <- min(c, 1.05 b), c <- min(1, 1.01 c), otherwise
c <- the last b after which f fell (.5 before there is one), b <- b / 1.5. The first iteration has b = 0.

    mult    W <- W * X U^T / (Xhat U^T + l1_w + l2_w W + x_ortho dR_x/dW + parts dR_p/dW + eps)
            H <- H * transconv(W, X) / (transconv(W, Xhat) + l1_h + l2_h H + x_ortho dR_x/dH + events dR_e/dH + eps)
    hals    one coordinate at a time, c = squared norm of what a unit change of the coordinate does to Xhat,
            g = derivative of the loss, of R_x, R_e, R_p (each with its strength) there, everything up to date:
                W[k, n, l] <- max(0, W[k, n, l] - (g + l1_w + l2_w W[k, n, l]) / (c + l2_w + eps))
                H[k, t]    <- max(0, (H[k, t] c - g - l1_h) / (c + l2_h + eps))
            W: k outer, l inner, ascending, in both orders. H: order component: k outer, t inner;
            order time: t outer, k inner; ascending.
    anls    W: row n solves min || Wm[n] U - X[n] ||, Wm[n] >= 0. H: t ascending, H[:, t] solves the nonnegative
            least squares problem in these K numbers, all other columns of H fixed at their current values.
    kl      W[k, n, l] <- W[k, n, l] sum_t Q[n, t] U[l K + k, t] / (sum_t U[l K + k, t] + eps)
            H[k, t]    <- H[k, t] transconv(W, Q)[k, t] / (transconv(W, 1)[k, t] + eps),  Q = X / (Xhat + eps)
    masked  before each half-step the entries with mask = 0 are replaced by the current conv(W, H)

Names: mult, mult_penalties, mult_segments, mult_masked, hals_component, hals_time, hals_time_inner3,
hals_penalties, hals_segments, hals_masked, hals_extrapolated,
hals_extrapolated_masked, anls, anls_segments, anls_extrapolated, kl, kl_segments.


/analysis
---------
significance    X_test, W -> overlap (K, T) = transconv(W, X_test); skewness (K) = m3 / m2^1.5 over t, population
                moments about the mean, 0 if m2 = 0; degenerate (K) uint8: 1 if W_k is all zero, or if with
                w_n = sum_l W[k, n, l] the largest w_n^2 exceeds 0.999 sum_n w_n^2.
                shifts (nulls, K, N) int64 in 0..L-1 -> null_skewness (nulls, K), of W_k with unit n's row shifted
                circularly: row'[l] = row[(l - shift) mod L]. p (K) = (1 + #{null >= observed}) / (1 + nulls), 1 if
                degenerate.
compare/<pair>  pairs different_k, equal_k, the second with segments. W1, H1, W2, H2, segment_start ->
                similarity (K1, K2): cosine between the (N, T) reconstructions of component i of model 1 and j of
                model 2; match (K1) int64: the largest remaining entry is taken, its row and column leave, and so
                on: match[i] = j, or -1 when model 2 is used up. equal_k: attribute dissimilarity =
                (2K - sum of row maxima - sum of column maxima) / (2K).
events          H; attributes refractory, threshold_sd = 3 -> threshold (K) = mean + 3 sd (population) of H_k;
                component, bin (int64), amplitude, one row an event, by component and then by bin; order_by_bin
                (int64) sorts the rows by bin and then by component.
                A candidate is a bin with H[t] > H[t-1] and H[t] >= H[t+1] (outside: minus infinity) and
                H[t] > threshold. Candidates of a component are taken by descending amplitude, ties by ascending
                bin; one is accepted unless an accepted one lies closer than `refractory` bins, |t - t'| <
                refractory. A rejected candidate suppresses nothing.
shift/<case>    W, H, segment_start -> W_shifted, H_shifted, centre (K), shift (K) int64. m_l = sum_n W[k, n, l];
                centre = floor(sum_l (l + 1) m_l / sum_l m_l); shift s = max(1, floor(L / 2)) - centre, 0 if W_k is
                all zero; W_shifted[k, n, l] = W[k, n, l - s], H_shifted[k, t] = H[k, t + s], zeros from outside the
                window or segment. Case contained: nothing leaves, conv is unchanged; truncated: mass is lost.
align           W -> unit_component (N) = k with the largest sum_l W[k, n, l]; unit_peak_lag (N) = lag of the
                largest W[unit_component, n, l]; ties by the smaller index; unit_order (N): units sorted by
                component, then peak lag, then index. int64.
kkt/<case>      cases plain, penalties (the second with segments). X, W, H, segment_start, strengths as attributes ->
                gradient_W, gradient_H of f; attribute numerator = sqrt(|pg_W|^2 + |pg_H|^2), pg = the gradient
                where the variable is positive, min(0, gradient) where it is 0.
unit_r2         X, W, H -> unit_r2 (N) = 1 - sum_t (X - Xhat)^2 / sum_t X^2.


/nnls/<case>
------------
Q (12, 12) symmetric, R (12, 20) -> X (12, 20), column by column the minimiser of 1/2 x^T Q x - r^T x over x >= 0.
Cases: regular (positive definite; R includes a column without any passive variable and one without any active);
zero_column (row and column 5 of Q and row 5 of R are zero; X[5] = 0).
"""

import os
import sys
from dataclasses import asdict, dataclass

import h5py
import numpy as np
import scipy.linalg
import scipy.optimize

EPS = np.finfo(np.float64).eps


# ---------------------------------------------------------------------------------------------------------- model

def bounds(starts, T):
    """Pairs (first bin, one past the last bin), one a segment."""
    return list(zip(starts, list(starts[1:]) + [T]))


def conv(W, H, starts):
    K, N, L = W.shape
    T = H.shape[1]
    Xhat = np.zeros((N, T))
    for a, b in bounds(starts, T):
        for k in range(K):
            for l in range(min(L, b - a)):
                Xhat[:, a + l:b] += np.outer(W[k, :, l], H[k, a:b - l])
    return Xhat


def transconv(W, X, starts):
    K, N, L = W.shape
    T = X.shape[1]
    G = np.zeros((K, T))
    for a, b in bounds(starts, T):
        for k in range(K):
            for t in range(a, b):
                for l in range(min(L, b - t)):
                    G[k, t] += np.sum(W[k, :, l] * X[:, t + l])
    return G


def unfold(H, L, starts):
    K, T = H.shape
    U = np.zeros((K * L, T))
    for a, b in bounds(starts, T):
        for l in range(L):
            for k in range(K):
                for t in range(a + l, b):
                    U[l * K + k, t] = H[k, t - l]
    return U


def window(L, T, starts):
    S = np.zeros((T, T))
    for a, b in bounds(starts, T):
        for t in range(a, b):
            for u in range(a, b):
                if abs(t - u) < L:
                    S[t, u] = 1.0
    return S


def as_matrix(W):
    """(K, N, L) -> (N, KL), column l K + k."""
    K, N, L = W.shape
    Wm = np.zeros((N, K * L))
    for k in range(K):
        for l in range(L):
            Wm[:, l * K + k] = W[k, :, l]
    return Wm


def as_motifs(Wm, K):
    """(N, KL) -> (K, N, L), the inverse of as_matrix."""
    N, L = Wm.shape[0], Wm.shape[1] // K
    W = np.zeros((K, N, L))
    for k in range(K):
        for l in range(L):
            W[k, :, l] = Wm[:, l * K + k]
    return W


# ------------------------------------------------------------------------------------------------------ penalties

@dataclass(frozen=True)
class Penalties:
    l1_w: float = 0.0
    l2_w: float = 0.0
    l1_h: float = 0.0
    l2_h: float = 0.0
    x_ortho: float = 0.0
    events: float = 0.0
    parts: float = 0.0


NONE = Penalties()


def off_diagonal_l1(M):
    total = 0.0
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            if i != j:
                total += abs(M[i, j])
    return total


def cross_orthogonality(X, W, H, starts):
    S = window(W.shape[2], X.shape[1], starts)
    return off_diagonal_l1(transconv(W, X, starts) @ S @ H.T)


def event_penalty(H, L, starts):
    return 0.5 * off_diagonal_l1(H @ window(L, H.shape[1], starts) @ H.T)


def parts_penalty(W):
    F = W.sum(axis=2).T
    return 0.5 * off_diagonal_l1(F.T @ F)


def sum_of_others(rows):
    """Row k of the result: the sum of all rows but k."""
    out = np.zeros_like(rows)
    for k in range(rows.shape[0]):
        for i in range(rows.shape[0]):
            if i != k:
                out[k] += rows[i]
    return out


def grad_x_ortho_h(X, W, starts):
    S = window(W.shape[2], X.shape[1], starts)
    return sum_of_others(transconv(W, X, starts) @ S)


def grad_x_ortho_w(X, H, L, starts):
    K, T = H.shape
    U_S = unfold(H @ window(L, T, starts), L, starts)
    return sum_of_others(as_motifs(X @ U_S.T, K))


def grad_events_h(H, L, starts):
    return sum_of_others(H @ window(L, H.shape[1], starts))


def grad_parts_w(W):
    others = sum_of_others(W.sum(axis=2))
    return np.repeat(others[:, :, None], W.shape[2], axis=2)


def objective(X, W, H, starts, pen):
    L = W.shape[2]
    return (0.5 * np.sum((X - conv(W, H, starts)) ** 2)
            + pen.l1_w * np.sum(np.abs(W)) + 0.5 * pen.l2_w * np.sum(W ** 2)
            + pen.l1_h * np.sum(np.abs(H)) + 0.5 * pen.l2_h * np.sum(H ** 2)
            + pen.x_ortho * cross_orthogonality(X, W, H, starts)
            + pen.events * event_penalty(H, L, starts)
            + pen.parts * parts_penalty(W))


def gradients(X, W, H, starts, pen):
    """Of f, at W, H >= 0 (where |x| has slope 1)."""
    K, N, L = W.shape
    U = unfold(H, L, starts)
    error = conv(W, H, starts) - X
    dW = (as_motifs(error @ U.T, K) + pen.l1_w + pen.l2_w * W
          + pen.x_ortho * grad_x_ortho_w(X, H, L, starts) + pen.parts * grad_parts_w(W))
    dH = (transconv(W, error, starts) + pen.l1_h + pen.l2_h * H
          + pen.x_ortho * grad_x_ortho_h(X, W, starts) + pen.events * grad_events_h(H, L, starts))
    return dW, dH


# --------------------------------------------------------------------------------------------------------- checks

def assert_close(a, b, tolerance=1e-12):
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape, (a.shape, b.shape)
    if a.size:
        scale = max(1.0, np.abs(b).max())
        assert np.abs(a - b).max() <= tolerance * scale, np.abs(a - b).max() / scale


def assert_gradient(function, point, gradient, step=1e-3, tolerance=1e-8):
    """Central differences have no truncation error here: every function is quadratic in each one coordinate."""
    numeric = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        ahead, behind = point.copy(), point.copy()
        ahead[index] += step
        behind[index] -= step
        numeric[index] = (function(ahead) - function(behind)) / (2 * step)
    assert_close(numeric, gradient, tolerance)


def check_identities(d, starts):
    """The shortcuts of the library, from the stored literal quantities of one case."""
    X, W, H, A, B, C, C_tail, P = (d[name] for name in ("X", "W", "H", "A", "B", "C", "C_tail", "P"))
    K, N, L = W.shape
    T = X.shape[1]
    G = d["transconv"]
    Wm = as_matrix(W)

    assert_close(d["conv"], Wm @ unfold(H, L, starts))
    probe = np.random.default_rng(99).standard_normal((N, T))
    assert_close(np.sum(d["conv"] * probe), np.sum(H * transconv(W, probe, starts)))

    recursed = np.zeros((K * L, K * L))
    for a, b in bounds(starts, T):
        part = np.zeros_like(recursed)
        first = H[:, a:b] @ unfold(H, L, starts)[:, a:b].T
        part[:K, :] = first
        part[:, :K] = first.T
        value = lambda k, t: H[k, t] if t >= a else 0.0
        for l in range(L - 1):
            for m in range(L - 1):
                for k in range(K):
                    for q in range(K):
                        part[(l + 1) * K + k, (m + 1) * K + q] = (
                            part[l * K + k, m * K + q] - value(k, b - 1 - l) * value(q, b - 1 - m))
        recursed += part
    assert_close(recursed, A)

    M = Wm.T @ Wm
    for k in range(K):
        for q in range(K):
            for shift in range(-(L - 1), L):
                total = sum(M[l * K + k, (l - shift) * K + q] for l in range(L) if 0 <= l - shift < L)
                assert_close(total, C[k, q, shift + L - 1])
                assert_close(C[k, q, shift + L - 1], C[q, k, L - 1 - shift])

    def table(t, b):
        return C if b - 1 - t >= L - 1 else C_tail[b - 1 - t]

    from_tables = -G
    for a, b in bounds(starts, T):
        for t in range(a, b):
            for shift in range(-(L - 1), L):
                if a <= t + shift < b:
                    from_tables[:, t] += table(t, b)[:, :, shift + L - 1] @ H[:, t + shift]
    assert_close(from_tables, P)

    changed = H.copy()
    updated = P.copy()
    for a, b in bounds(starts, T):
        for t in {a, (a + b) // 2, b - 1}:
            k = t % K
            changed[k, t] += 0.3
            for shift in range(-(L - 1), L):
                if a <= t + shift < b:
                    updated[:, t + shift] += 0.3 * table(t, b)[k, :, shift + L - 1]
    assert_close(updated, transconv(W, conv(W, changed, starts), starts) - G)

    energy = np.sum(X ** 2)
    assert_close(np.sum((X - d["conv"]) ** 2), energy + np.sum(H * P) - np.sum(H * G))
    assert_close(np.sum(H * G) / np.sum(H * (P + G)), np.sum(X * d["conv"]) / np.sum(d["conv"] ** 2))
    for k in range(K):
        own = transconv(W[k:k + 1], conv(W[k:k + 1], H[k:k + 1], starts), starts)[0]
        loading = max(0.0, (2 * np.sum(H[k] * G[k]) - np.sum(H[k] * own)) / energy)
        assert_close(loading, d["loadings"][k])
    sums = np.zeros((K, N, L))
    for a, b in bounds(starts, T):
        for k, n, l in np.ndindex(K, N, L):
            sums[k, n, l] += sum(X[n, t] * H[k, t - l] for t in range(a + l, b))
    assert_close(as_matrix(sums), B)


# ------------------------------------------------------------------------------------------------------- products

def sparse_uniform(rng, shape, zeros=0.4):
    return rng.random(shape) * (rng.random(shape) >= zeros)


def products_case(seed, N, T, K, L, starts=(0,)):
    rng = np.random.default_rng(seed)
    starts = list(starts)
    W = rng.random((K, N, L)) * (rng.random((K, N, L)) >= 0.2)
    H = sparse_uniform(rng, (K, T))
    X = np.maximum(0.0, 1.2 * conv(W, H, starts) + rng.standard_normal((N, T)))
    Xhat = conv(W, H, starts)
    U = unfold(H, L, starts)
    G = transconv(W, X, starts)

    C = np.zeros((K, K, 2 * L - 1))
    C_tail = np.zeros((L - 1, K, K, 2 * L - 1))
    for k in range(K):
        for q in range(K):
            for shift in range(-(L - 1), L):
                for l in range(L):
                    if 0 <= l - shift < L:
                        term = np.sum(W[k, :, l] * W[q, :, l - shift])
                        C[k, q, shift + L - 1] += term
                        for m in range(l, L - 1):
                            C_tail[m, k, q, shift + L - 1] += term

    loadings = np.zeros(K)
    for k in range(K):
        rest = X - conv(W[k:k + 1], H[k:k + 1], starts)
        loadings[k] = max(0.0, 1 - np.sum(rest ** 2) / np.sum(X ** 2))

    d = {
        "X": X, "W": W, "H": H, "segment_start": np.array(starts, np.int64),
        "conv": Xhat, "transconv": G, "A": U @ U.T, "B": X @ U.T, "C": C, "C_tail": C_tail,
        "P": transconv(W, Xhat, starts) - G,
        "dRx_dH": grad_x_ortho_h(X, W, starts), "dRx_dW": grad_x_ortho_w(X, H, L, starts),
        "dRe_dH": grad_events_h(H, L, starts), "dRp_dW": grad_parts_w(W), "loadings": loadings,
        "@R_x": cross_orthogonality(X, W, H, starts), "@R_e": event_penalty(H, L, starts), "@R_p": parts_penalty(W),
        "@relative_loss": np.linalg.norm(X - Xhat) / np.linalg.norm(X),
        "@start_scale": np.sum(X * Xhat) / np.sum(Xhat ** 2),
    }
    assert_gradient(lambda h: cross_orthogonality(X, W, h, starts), H, d["dRx_dH"])
    assert_gradient(lambda w: cross_orthogonality(X, w, H, starts), W, d["dRx_dW"])
    assert_gradient(lambda h: event_penalty(h, L, starts), H, d["dRe_dH"])
    assert_gradient(parts_penalty, W, d["dRp_dW"])
    check_identities(d, starts)
    return d


def make_products():
    return {
        "regular": products_case(101, N=7, T=60, K=3, L=5),
        "short": products_case(102, N=5, T=8, K=2, L=5),
        "lag_one": products_case(103, N=6, T=30, K=3, L=1),
        "one_component": products_case(104, N=6, T=40, K=1, L=4),
        "segments": products_case(105, N=6, T=50, K=2, L=6, starts=[0, 20, 24, 33]),
        "single_bin_segments": products_case(106, N=4, T=20, K=2, L=4, starts=[0, 1, 2, 9, 10]),
    }


# --------------------------------------------------------------------------------------------------- trajectories

def mult_w(X, W, H, starts, pen):
    K, N, L = W.shape
    U = unfold(H, L, starts)
    numerator = as_motifs(X @ U.T, K)
    denominator = (as_motifs(conv(W, H, starts) @ U.T, K) + pen.l1_w + pen.l2_w * W
                   + pen.x_ortho * grad_x_ortho_w(X, H, L, starts) + pen.parts * grad_parts_w(W) + EPS)
    return W * numerator / denominator


def mult_h(X, W, H, starts, pen):
    L = W.shape[2]
    numerator = transconv(W, X, starts)
    denominator = (transconv(W, conv(W, H, starts), starts) + pen.l1_h + pen.l2_h * H
                   + pen.x_ortho * grad_x_ortho_h(X, W, starts) + pen.events * grad_events_h(H, L, starts) + EPS)
    return H * numerator / denominator


def kl_w(X, W, H, starts):
    K, N, L = W.shape
    U = unfold(H, L, starts)
    Q = X / (conv(W, H, starts) + EPS)
    out = W.copy()
    for k in range(K):
        for n in range(N):
            for l in range(L):
                out[k, n, l] *= np.sum(Q[n] * U[l * K + k]) / (np.sum(U[l * K + k]) + EPS)
    return out


def kl_h(X, W, H, starts):
    Q = X / (conv(W, H, starts) + EPS)
    return H * transconv(W, Q, starts) / (transconv(W, np.ones_like(X), starts) + EPS)


def hals_w(X, W, H, starts, pen):
    """One sweep, k outer, l inner. The N coordinates of one (k, l) do not interact and are updated together."""
    K, N, L = W.shape
    W = W.copy()
    U = unfold(H, L, starts)
    x_slope = grad_x_ortho_w(X, H, L, starts)
    for k in range(K):
        for l in range(L):
            atom = U[l * K + k]
            residual = X - conv(W, H, starts)
            F = W.sum(axis=2)
            for n in range(N):
                slope = -np.sum(residual[n] * atom) + pen.x_ortho * x_slope[k, n, l]
                slope += pen.parts * sum(F[i, n] for i in range(K) if i != k)
                step = (slope + pen.l1_w + pen.l2_w * W[k, n, l]) / (np.sum(atom ** 2) + pen.l2_w + EPS)
                W[k, n, l] = max(0.0, W[k, n, l] - step)
    return W


def hals_h(X, W, H, starts, pen, order):
    """One sweep over all (k, t)."""
    K, N, L = W.shape
    T = X.shape[1]
    H = H.copy()
    S = window(L, T, starts)
    x_slope = grad_x_ortho_h(X, W, starts)
    end = np.zeros(T, int)
    for a, b in bounds(starts, T):
        end[a:b] = b
    if order == "component":
        sequence = [(k, t) for k in range(K) for t in range(T)]
    else:
        sequence = [(k, t) for t in range(T) for k in range(K)]
    for k, t in sequence:
        length = min(L, end[t] - t)
        atom = np.zeros((N, T))
        atom[:, t:t + length] = W[k, :, :length]
        residual = X - conv(W, H, starts)
        curvature = np.sum(atom ** 2)
        slope = -np.sum(residual * atom) + pen.x_ortho * x_slope[k, t]
        slope += pen.events * sum(np.sum(H[i] * S[:, t]) for i in range(K) if i != k)
        H[k, t] = max(0.0, (H[k, t] * curvature - slope - pen.l1_h) / (curvature + pen.l2_h + EPS))
    return H


def exact_nnls(matrix, target):
    """min || matrix x - target ||, x >= 0; the optimality conditions are checked, and that x is unique."""
    assert np.linalg.cond(matrix) < 1e4, np.linalg.cond(matrix)
    x, _ = scipy.optimize.nnls(matrix, target)
    slope = matrix.T @ (matrix @ x - target)
    scale = max(1.0, np.abs(matrix.T @ target).max())
    assert np.all(x >= 0) and np.all(slope >= -1e-12 * scale) and np.all(np.abs(slope[x > 0]) <= 1e-12 * scale)
    return x


def anls_w(X, W, H, starts):
    K, N, L = W.shape
    U = unfold(H, L, starts)
    return as_motifs(np.stack([exact_nnls(U.T, X[n]) for n in range(N)]), K)


def anls_h(X, W, H, starts):
    K, N, L = W.shape
    T = X.shape[1]
    H = H.copy()
    for a, b in bounds(starts, T):
        for t in range(a, b):
            length = min(L, b - t)
            without = H.copy()
            without[:, t] = 0.0
            target = (X - conv(W, without, starts))[:, t:t + length]
            atoms = np.stack([W[k, :, :length].ravel() for k in range(K)], axis=1)
            H[:, t] = exact_nnls(atoms, target.ravel())
    return H


def divergence(X, Xhat):
    total = 0.0
    for n, t in np.ndindex(X.shape):
        if X[n, t] > 0:
            total += X[n, t] * np.log(X[n, t] / (Xhat[n, t] + EPS))
        total += Xhat[n, t] - X[n, t]
    return total


def iterate(X, W, H, starts, algorithm, order="none", inner=1, pen=NONE, iterations=6, mask=None, loss_function="l2",
            extrapolate=False):
    losses, test_losses, objectives = [], [], []
    used = np.ones_like(X) if mask is None else mask.astype(float)

    def value(W, H):
        if mask is None:
            return objective(X, W, H, starts, pen)
        return np.sum((used * (X - conv(W, H, starts))) ** 2) / 2

    def record():
        Xhat = conv(W, H, starts)
        if loss_function == "kl":
            losses.append(divergence(X, Xhat))
            return
        losses.append(np.linalg.norm(used * (X - Xhat)) / np.linalg.norm(used * X))
        if mask is not None:
            test_losses.append(np.linalg.norm((1 - used) * (X - Xhat)) / np.linalg.norm((1 - used) * X))
        else:
            objectives.append(objective(X, W, H, starts, pen))

    def data(W, H):
        return X if mask is None else np.where(mask == 1, X, conv(W, H, starts))

    def new_w(W, H):
        target = data(W, H)
        for _ in range(inner):
            if loss_function == "kl":
                W = kl_w(target, W, H, starts)
            elif algorithm == "mult":
                W = mult_w(target, W, H, starts, pen)
            elif algorithm == "hals":
                W = hals_w(target, W, H, starts, pen)
            else:
                W = anls_w(target, W, H, starts)
        return W

    def new_h(W, H):
        target = data(W, H)
        for _ in range(inner):
            if loss_function == "kl":
                H = kl_h(target, W, H, starts)
                assert_close(conv(W, H, starts).sum(), X.sum())
            elif algorithm == "mult":
                H = mult_h(target, W, H, starts, pen)
            elif algorithm == "hals":
                H = hals_h(target, W, H, starts, pen, order)
            else:
                H = anls_h(target, W, H, starts)
        return H

    def beyond(now, before, weight):
        return np.maximum(0.0, now + weight * (now - before))

    held = np.zeros(X.shape[1], bool)                   # the last L - 1 bins of every segment
    for first, end in zip(starts, [*starts[1:], X.shape[1]]):
        held[max(first, end - W.shape[2] + 1):end] = True

    def extrapolated(W, H, W_before, H_before, weight):
        H_beyond = np.where(held, H, beyond(H, H_before, weight))
        W_new = new_w(W, H_beyond)
        W_beyond = beyond(W_new, W_before, weight)
        return W_beyond, new_h(W_beyond, H_beyond), W_new, H

    record()
    weight, most, worked, W_before, H_before, refused = 0.5, 1.0, 0.5, W, H, 0
    for iteration in range(iterations):
        if not extrapolate:
            W = new_w(W, H)
            H = new_h(W, H)
        elif iteration == 0:
            W, H, W_before, H_before = extrapolated(W, H, W, H, 0.0)
        else:
            tried = extrapolated(W, H, W_before, H_before, weight)
            if value(*tried[:2]) < value(W, H):
                W, H, W_before, H_before = tried
                worked, weight, most = weight, min(most, 1.05 * weight), min(1.0, 1.01 * most)
            else:
                refused += 1
                most, weight = worked, weight / 1.5
                W, H, W_before, H_before = extrapolated(W, H, W, H, 0.0)
        record()
    return W, H, np.array(losses), np.array(test_losses), np.array(objectives), refused


def trajectory(seed, algorithm, starts=(0,), counts=False, masked=False, N=8, T=70, K=3, L=4, iterations=6, **options):
    """Data from a planted model with noise, a random start, and what the algorithm makes of them."""
    rng = np.random.default_rng(seed)
    starts = list(starts)
    W_true = rng.random((K, N, L)) * (rng.random((K, N, L)) < 0.6)
    H_true = 2 * rng.random((K, T)) * (rng.random((K, T)) < 0.3)
    clean = conv(W_true, H_true, starts)
    if counts:
        X = rng.poisson(1.5 * clean).astype(float)
    else:
        X = np.maximum(0.0, clean + 0.2 * rng.standard_normal((N, T)))
    W0, H0 = rng.random((K, N, L)), rng.random((K, T))
    scale = np.sum(X * conv(W0, H0, starts)) / np.sum(conv(W0, H0, starts) ** 2)
    W0, H0 = W0 * np.sqrt(scale), H0 * np.sqrt(scale)
    mask = (rng.random((N, T)) >= 0.1).astype(np.uint8) if masked else None

    run = lambda data, **more: iterate(data, W0, H0, starts, algorithm, iterations=iterations,
                                       **{"mask": mask, **options, **more})
    W, H, losses, test_losses, objectives, refused = run(X)

    # A component that died would make a weak test, an unstable path a useless one.
    assert np.all(np.isfinite(W)) and np.all(np.isfinite(H)) and np.all(W >= 0) and np.all(H >= 0)
    assert np.all(W.sum(axis=(1, 2)) > 0.1) and np.all(H.sum(axis=1) > 0.1)
    assert not options.get("extrapolate") or 0 < refused < iterations / 2, refused
    descending = objectives if len(objectives) else losses
    assert np.all(np.diff(descending) < 0), descending
    noise = 1 + 1e-9 * rng.standard_normal(X.shape)
    W_near, H_near = run(X * noise)[:2]
    amplification = max(np.abs(W_near - W).max() / W.max(), np.abs(H_near - H).max() / H.max()) / 1e-9
    assert amplification < 1e3, amplification

    pen = options.get("pen", NONE)
    if pen != NONE:
        plain = run(X, pen=NONE)[:2]
        assert np.abs(plain[0] - W).max() > 0.01 and np.abs(plain[1] - H).max() > 0.01
        for name in asdict(pen):
            assert getattr(pen, name) > 0
            less = run(X, pen=Penalties(**{**asdict(pen), name: 0.0}))[:2]
            assert max(np.abs(less[0] - W).max(), np.abs(less[1] - H).max()) > 1e-3, name

    d = {"X": X, "W0": W0, "H0": H0, "segment_start": np.array(starts, np.int64)}
    if masked:
        assert mask.sum(axis=0).min() > 0 and mask.sum(axis=1).min() > 0
        d["mask"] = mask
    d.update({"W": W, "H": H, "loss": losses})
    if masked:
        d["test_loss"] = test_losses
    if len(objectives):
        d["objective"] = objectives
    d.update({"@algorithm": algorithm, "@loss_function": options.get("loss_function", "l2"),
              "@order": options.get("order", "none"), "@inner": options.get("inner", 1), "@iterations": iterations})
    if options.get("extrapolate"):
        d["@extrapolate"] = 1
    d.update({"@" + name: value for name, value in asdict(pen).items()})
    print(f"  {losses[0]:9.4f} -> {losses[-1]:9.4f}   zeros W {np.mean(W == 0):.2f} H {np.mean(H == 0):.2f}"
          f"   amplification {amplification:.1f}", end="")
    return d


def make_trajectories():
    cuts = [0, 30, 33, 34, 50]                      # 30, 3, 1, 16 and 20 bins, L = 4
    every = Penalties(l1_w=0.05, l2_w=0.1, l1_h=0.04, l2_h=0.08, x_ortho=0.002, events=0.01, parts=0.02)
    plan = {
        "mult": dict(seed=201, algorithm="mult"),
        "mult_penalties": dict(seed=202, algorithm="mult", pen=every),
        "mult_segments": dict(seed=203, algorithm="mult", starts=cuts),
        "mult_masked": dict(seed=204, algorithm="mult", masked=True),
        "hals_component": dict(seed=205, algorithm="hals", order="component"),
        "hals_time": dict(seed=206, algorithm="hals", order="time"),
        "hals_time_inner3": dict(seed=207, algorithm="hals", order="time", inner=3),
        "hals_penalties": dict(seed=208, algorithm="hals", order="component", pen=every),
        "hals_segments": dict(seed=209, algorithm="hals", order="time", starts=cuts),
        "hals_masked": dict(seed=210, algorithm="hals", order="time", masked=True),
        "anls": dict(seed=211, algorithm="anls"),
        "anls_segments": dict(seed=212, algorithm="anls", starts=cuts),
        "hals_extrapolated": dict(seed=215, algorithm="hals", order="time", inner=3, T=40,
                                  iterations=14, extrapolate=True),
        "hals_extrapolated_masked": dict(seed=217, algorithm="hals", order="time", inner=2, iterations=14, masked=True,
                                         starts=cuts, extrapolate=True),
        "anls_extrapolated": dict(seed=218, algorithm="anls", T=40, iterations=14, extrapolate=True),
        "kl": dict(seed=213, algorithm="mult", loss_function="kl", counts=True),
        "kl_segments": dict(seed=214, algorithm="mult", loss_function="kl", counts=True, starts=cuts),
    }
    out = {}
    for name, options in plan.items():
        out[name] = trajectory(**options)
        print("  ", name)
    return out


# ------------------------------------------------------------------------------------------------------- analysis

def skewness(values):
    centred = values - np.mean(values)
    m2, m3 = np.mean(centred ** 2), np.mean(centred ** 3)
    return m3 / m2 ** 1.5 if m2 > 0 else 0.0


def make_significance():
    rng = np.random.default_rng(301)
    K, N, L, T, nulls = 4, 9, 5, 90, 19
    W = np.zeros((K, N, L))
    for n in range(6):
        W[0, n, n % L] = 1 + rng.random()           # a sequence that the data hold
    W[1] = sparse_uniform(rng, (N, L))              # one that they do not
    W[2, 7] = rng.random(L)                         # one unit only
    W[2, 1, 2] = 0.01                               # ... but for a trace
    planted = (rng.random((1, T)) < 0.08) * (1 + rng.random((1, T)))
    X = conv(W[:1], planted, [0]) + sparse_uniform(rng, (N, T), 0.7)

    overlap = transconv(W, X, [0])
    observed = np.array([skewness(overlap[k]) for k in range(K)])
    degenerate = np.zeros(K, np.uint8)
    for k in range(K):
        flat = W[k].sum(axis=1)
        if not W[k].any() or flat.max() ** 2 > 0.999 * np.sum(flat ** 2):
            degenerate[k] = 1
    shifts = rng.integers(0, L, (nulls, K, N)).astype(np.int64)
    null = np.zeros((nulls, K))
    for r in range(nulls):
        moved = np.zeros_like(W)
        for k in range(K):
            for n in range(N):
                for l in range(L):
                    moved[k, n, l] = W[k, n, (l - shifts[r, k, n]) % L]
        moved_overlap = transconv(moved, X, [0])
        null[r] = [skewness(moved_overlap[k]) for k in range(K)]
    p = np.array([1.0 if degenerate[k] else (1 + np.sum(null[:, k] >= observed[k])) / (1 + nulls) for k in range(K)])
    assert list(degenerate) == [0, 0, 1, 1] and p[0] == 1 / 20 and p[1] > 0.1, p
    return {"X_test": X, "W": W, "overlap": overlap, "skewness": observed, "degenerate": degenerate,
            "shifts": shifts, "null_skewness": null, "p": p}


def compare(W1, H1, W2, H2, starts):
    K1, K2 = W1.shape[0], W2.shape[0]
    similarity = np.zeros((K1, K2))
    for i in range(K1):
        for j in range(K2):
            one = conv(W1[i:i + 1], H1[i:i + 1], starts)
            two = conv(W2[j:j + 1], H2[j:j + 1], starts)
            similarity[i, j] = np.sum(one * two) / np.sqrt(np.sum(one ** 2) * np.sum(two ** 2))
    match = np.full(K1, -1, np.int64)
    rows, columns = set(range(K1)), set(range(K2))
    while rows and columns:
        i, j = max(((i, j) for i in rows for j in columns), key=lambda pair: similarity[pair])
        match[i] = j
        rows.remove(i)
        columns.remove(j)
    d = {"W1": W1, "H1": H1, "W2": W2, "H2": H2, "segment_start": np.array(starts, np.int64),
         "similarity": similarity, "match": match}
    if K1 == K2:
        d["@dissimilarity"] = (2 * K1 - similarity.max(axis=1).sum() - similarity.max(axis=0).sum()) / (2 * K1)
    assert np.any(match != similarity.argmax(axis=1))       # greedy matching has something to decide
    return d


def make_compare():
    rng = np.random.default_rng(302)
    K, N, L, T = 4, 6, 4, 50
    W1, H1 = sparse_uniform(rng, (K, N, L)), sparse_uniform(rng, (K, T), 0.7)
    # Model 2: components 2, 0, 1 of model 1, disturbed; two rows of model 1 then share a favourite.
    H1[3], W1[3] = H1[2] + 0.4 * rng.random(T), W1[2] + 0.4 * rng.random((N, L))
    pick = [2, 0, 1]
    W2 = W1[pick] + 0.2 * rng.random((3, N, L))
    H2 = H1[pick] + 0.2 * rng.random((3, T))
    different = compare(W1, H1, W2, H2, [0])
    assert sorted(different["match"]) == [-1, 0, 1, 2]

    W3, H3 = sparse_uniform(rng, (K, N, L)), sparse_uniform(rng, (K, T), 0.7)
    W3[1], H3[1] = W1[2] + 0.3 * rng.random((N, L)), H1[2] + 0.3 * rng.random(T)
    equal = compare(W1, H1, W3, H3, [0, 3, 20, 21])
    assert 0 < equal["@dissimilarity"] < 1
    return {"different_k": different, "equal_k": equal}


def make_events():
    rng = np.random.default_rng(303)
    K, T, refractory = 4, 240, 5
    H = 0.125 * rng.random((K, T))
    peaks = [
        # 0 and 239: ends. 20, 23, 26: the middle one falls to the first, so that the last one stands.
        # 60 and 61: a plateau counts once, at its first bin.
        {0: 2.5, 20: 3.0, 23: 2.75, 26: 2.25, 60: 2.5, 61: 2.5, 239: 2.25},
        # 50 and 53: equal height, the earlier one stands. 100 and 105: exactly `refractory` apart, both stand.
        # 150, 151, 152: a plateau before a rise is a candidate that falls to the higher bin. 181: a shoulder is none.
        {50: 2.25, 53: 2.25, 100: 2.5, 105: 2.25, 150: 2.0, 151: 2.0, 152: 3.0, 180: 3.0, 181: 2.5},
        {},
        # 30 stays below the threshold which the others raise.
        {30: 0.5, 90: 4.0, 140: 4.0, 170: 3.5},
    ]
    for k, values in enumerate(peaks):
        for t, value in values.items():
            H[k, t] = value
    H[2] = 0.0

    threshold = np.array([np.mean(H[k]) + 3 * np.sqrt(np.mean((H[k] - np.mean(H[k])) ** 2)) for k in range(K)])
    rows = []
    for k in range(K):
        at = lambda t: H[k, t] if 0 <= t < T else -np.inf
        candidates = [t for t in range(T) if at(t) > at(t - 1) and at(t) >= at(t + 1) and at(t) > threshold[k]]
        accepted = []
        for t in sorted(candidates, key=lambda t: (-H[k, t], t)):
            if all(abs(t - u) >= refractory for u in accepted):
                accepted.append(t)
        rows += [(k, t, H[k, t]) for t in sorted(accepted)]
    assert [(k, t) for k, t, _ in rows] == [
        (0, 0), (0, 20), (0, 26), (0, 60), (0, 239), (1, 50), (1, 100), (1, 105), (1, 152), (1, 180),
        (3, 90), (3, 140), (3, 170)]
    component, bin_ = np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64)
    return {"H": H, "threshold": threshold, "component": component, "bin": bin_,
            "amplitude": np.array([r[2] for r in rows]),
            "order_by_bin": np.array(sorted(range(len(rows)), key=lambda i: (bin_[i], component[i])), np.int64),
            "@refractory": refractory, "@threshold_sd": 3.0}


def shift_to_centre(W, H, starts):
    K, N, L = W.shape
    T = H.shape[1]
    W_out, H_out = np.zeros_like(W), np.zeros_like(H)
    centre, shift = np.zeros(K, np.int64), np.zeros(K, np.int64)
    for k in range(K):
        mass = [W[k, :, l].sum() for l in range(L)]
        if sum(mass) > 0:
            centre[k] = int(np.floor(sum((l + 1) * mass[l] for l in range(L)) / sum(mass)))
            shift[k] = max(1, L // 2) - centre[k]
        for l in range(L):
            if 0 <= l - shift[k] < L:
                W_out[k, :, l] = W[k, :, l - shift[k]]
        for a, b in bounds(starts, T):
            for t in range(a, b):
                if a <= t + shift[k] < b:
                    H_out[k, t] = H[k, t + shift[k]]
    return {"W": W, "H": H, "segment_start": np.array(starts, np.int64), "centre": centre, "shift": shift,
            "W_shifted": W_out, "H_shifted": H_out}


def make_shift():
    rng = np.random.default_rng(304)
    K, N, L, T = 4, 5, 7, 40
    W, H = np.zeros((K, N, L)), sparse_uniform(rng, (K, T), 0.5)
    W[0, :, 4:7] = rng.random((N, 3))               # late: moves left
    W[1, :, 0:2] = rng.random((N, 2))               # early: moves right
    W[2, :, 1:5] = 0.5                              # centre of mass 3.5: rounded down, stays
    H[:, :4] = 0.0                                  # W[3] stays empty
    H[:, -4:] = 0.0
    contained = shift_to_centre(W, H, [0])
    assert list(np.sign(contained["shift"])) == [-1, 1, 0, 0]
    assert_close(conv(contained["W_shifted"], contained["H_shifted"], [0]), conv(W, H, [0]))

    L, T = 6, 30
    W, H = 0.1 * rng.random((3, N, L)), sparse_uniform(rng, (3, T))
    W[0, :, 4:] += 1
    W[1, :, :2] += 1
    truncated = shift_to_centre(W, H, [0, 12, 13, 15])
    assert list(np.sign(truncated["shift"][:2])) == [-1, 1]
    assert np.abs(conv(truncated["W_shifted"], truncated["H_shifted"], [0, 12, 13, 15])
                  - conv(W, H, [0, 12, 13, 15])).max() > 0.1
    return {"contained": contained, "truncated": truncated}


def make_align():
    rng = np.random.default_rng(305)
    K, N, L = 3, 12, 6
    W = sparse_uniform(rng, (K, N, L), 0.3)
    W[:, 3] = 0.0                                   # a unit without weight: component 0, lag 0
    W[:, 5] = 0.0
    W[1, 5, 2] = W[2, 5, 1] = 0.75                  # components tie: the first
    W[:, 8] = 0.0
    W[2, 8, 1] = W[2, 8, 4] = 0.5                   # lags tie: the first
    W[:, 10] = W[:, 2]                              # units tie: the first
    component, lag = np.zeros(N, np.int64), np.zeros(N, np.int64)
    for n in range(N):
        sums = [W[k, n].sum() for k in range(K)]
        component[n] = sums.index(max(sums))
        row = list(W[component[n], n])
        lag[n] = row.index(max(row))
    order = np.array(sorted(range(N), key=lambda n: (component[n], lag[n], n)), np.int64)
    assert (component[3], lag[3], component[5], lag[8]) == (0, 0, 1, 1)
    return {"W": W, "unit_component": component, "unit_peak_lag": lag, "unit_order": order}


def kkt_case(seed, starts, pen):
    rng = np.random.default_rng(seed)
    N, T, K, L = 6, 36, 3, 4
    W, H = sparse_uniform(rng, (K, N, L)), sparse_uniform(rng, (K, T))
    X = np.maximum(0.0, conv(W, H, starts) + 0.7 * rng.standard_normal((N, T)))
    dW, dH = gradients(X, W, H, starts, pen)
    # |x| has a kink at 0; the penalty is compared as the linear function that it is on the feasible side.
    smooth = lambda w, h: (objective(X, w, h, starts, pen) + pen.l1_w * (w.sum() - np.abs(w).sum())
                           + pen.l1_h * (h.sum() - np.abs(h).sum()))
    assert_gradient(lambda w: smooth(w, H), W, dW)
    assert_gradient(lambda h: smooth(W, h), H, dH)
    pg_w = np.where(W > 0, dW, np.minimum(0.0, dW))
    pg_h = np.where(H > 0, dH, np.minimum(0.0, dH))
    d = {"X": X, "W": W, "H": H, "segment_start": np.array(starts, np.int64), "gradient_W": dW, "gradient_H": dH,
         "@numerator": np.sqrt(np.sum(pg_w ** 2) + np.sum(pg_h ** 2))}
    d.update({"@" + name: value for name, value in asdict(pen).items()})
    return d


def make_kkt():
    every = Penalties(l1_w=0.3, l2_w=0.5, l1_h=0.2, l2_h=0.4, x_ortho=0.01, events=0.05, parts=0.07)
    return {"plain": kkt_case(306, [0], NONE), "penalties": kkt_case(307, [0, 15, 17], every)}


def make_unit_r2():
    rng = np.random.default_rng(308)
    W, H = sparse_uniform(rng, (2, 6, 4)), sparse_uniform(rng, (2, 30))
    Xhat = conv(W, H, [0])
    X = np.maximum(0.0, Xhat + np.array([0.1, 0.2, 0.5, 1.0, 2.0, 4.0])[:, None] * rng.standard_normal((6, 30)))
    r2 = np.array([1 - np.sum((X[n] - Xhat[n]) ** 2) / np.sum(X[n] ** 2) for n in range(6)])
    return {"X": X, "W": W, "H": H, "unit_r2": r2}


# ----------------------------------------------------------------------------------------------------------- nnls

def solve_quadratic(Q, R):
    """Columns minimise 1/2 x^T Q x - r^T x over x >= 0. With Q = C C^T: min || C^T x - C^-1 r ||."""
    C = np.linalg.cholesky(Q)
    X = np.zeros_like(R)
    for j in range(R.shape[1]):
        X[:, j], _ = scipy.optimize.nnls(C.T, scipy.linalg.solve_triangular(C, R[:, j], lower=True))
        slope = Q @ X[:, j] - R[:, j]
        scale = max(1.0, np.abs(R[:, j]).max())
        assert np.all(slope >= -1e-12 * scale) and np.all(np.abs(slope[X[:, j] > 0]) <= 1e-12 * scale)
        assert np.abs(slope[X[:, j] == 0]).min(initial=1.0) > 1e-6      # no variable is active by a hair
        assert X[X[:, j] > 0, j].min(initial=1.0) > 1e-6                # ... nor passive
    return X


def make_nnls():
    rng = np.random.default_rng(401)
    n, columns = 12, 20
    factor = rng.standard_normal((n, 20))
    Q = factor @ factor.T / 20
    Q = 0.5 * (Q + Q.T)
    R = rng.standard_normal((n, columns))
    R[:, 0] = -rng.random(n) - 0.1                  # everything active
    R[:, 1] = Q @ (0.5 + rng.random(n))             # everything passive
    X = solve_quadratic(Q, R)
    assert not X[:, 0].any() and X[:, 1].all()

    Q_zero, R_zero = Q.copy(), R.copy()
    Q_zero[5, :] = Q_zero[:, 5] = 0.0
    R_zero[5, :] = 0.0
    kept = [i for i in range(n) if i != 5]
    X_zero = np.zeros_like(R)
    X_zero[kept] = solve_quadratic(Q_zero[np.ix_(kept, kept)], R_zero[kept])
    return {"regular": {"Q": Q, "R": R, "X": X}, "zero_column": {"Q": Q_zero, "R": R_zero, "X": X_zero}}


# ----------------------------------------------------------------------------------------------------------- file

def write_group(parent, name, content):
    """Strings of fixed length, no times, links and attributes inside the object headers: equal runs, equal bytes."""
    creation = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    creation.set_obj_track_times(False)
    creation.set_attr_phase_change(64, 0)
    group = h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=creation))
    for key, value in content.items():
        if isinstance(value, dict):
            write_group(group, key, value)
        elif key.startswith("@"):
            if isinstance(value, str):
                group.attrs.create(key[1:], value, dtype=h5py.string_dtype("utf-8", len(value.encode())))
            else:
                kind = np.int64 if isinstance(value, (int, np.integer)) else np.float64
                group.attrs.create(key[1:], kind(value))
        else:
            assert value.dtype in (np.float64, np.int64, np.uint8), (key, value.dtype)
            assert np.all(np.isfinite(value)), key
            group.create_dataset(key, data=value, track_times=False)


def differences(old, new):
    """One line for each dataset or attribute that is not the same in both files."""
    def collect(path):
        found = {}
        with h5py.File(path, "r") as file:
            def visit(name, item):
                if isinstance(item, h5py.Dataset):
                    found[name] = item[()]
                for key, value in item.attrs.items():
                    found[f"{name}@{key}"] = value
            file.visititems(visit)
        return found

    before, after = collect(old), collect(new)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield f"{name}: only in the {'new' if name in after else 'old'} file"
        elif np.shape(before[name]) != np.shape(after[name]):
            yield f"{name}: shape {np.shape(before[name])} -> {np.shape(after[name])}"
        elif not np.array_equal(before[name], after[name]):
            if isinstance(before[name], (str, bytes)) or isinstance(after[name], (str, bytes)):
                yield f"{name}: {before[name]!r} -> {after[name]!r}"
            else:
                change = np.abs(np.asarray(after[name], float) - np.asarray(before[name], float)).max()
                yield f"{name}: largest difference {change:.3g}"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "cnmf_oracle.h5")

    content = {"products": make_products()}
    print("products: identities and gradients hold")
    content["trajectories"] = make_trajectories()
    content["analysis"] = {
        "significance": make_significance(), "compare": make_compare(), "events": make_events(),
        "shift": make_shift(), "align": make_align(), "kkt": make_kkt(), "unit_r2": make_unit_r2(),
    }
    content["nnls"] = make_nnls()

    fresh = output + ".new"
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    with h5py.File(h5py.h5f.create(fresh.encode(), h5py.h5f.ACC_TRUNC, fcpl=creation, fapl=access)) as file:
        for name, part in content.items():
            write_group(file, name, part)

    size = os.path.getsize(fresh)
    assert size < 450_000, size
    if not os.path.exists(output):
        os.replace(fresh, output)
        print(f"{output}: written, {size} bytes")
        return 0
    with open(output, "rb") as old, open(fresh, "rb") as new:
        same = old.read() == new.read()
    if same:
        os.remove(fresh)
        print(f"{output}: unchanged, {size} bytes")
        return 0
    print(f"{output} would change; see {fresh}")
    for line in differences(output, fresh):
        print("  " + line)
    return 1


if __name__ == "__main__":
    sys.exit(main())

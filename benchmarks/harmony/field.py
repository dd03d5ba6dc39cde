"""The conditional random field behind the chords: its log-likelihood and gradient, and the fit.

All sequences go forward and backward at once. A change costs the same whatever chords it is between, so that a step is
linear in the chords. Source: Lafferty, McCallum & Pereira 2001; Rabiner 1989 for the scaled recursions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from processors.harmony.learnt import CHANGES, Weights, turned

ROOTS = 12


@dataclass(frozen=True)
class Sequences:
    """Stretches whose chord is known in each frame, behind each other.

    turned: features around each of the twelve roots, shape (12, frames, features). changes: shape (frames, 5).
    chords: index of the true chord, quality * 12 + root, shape (frames,). starts: where each begins, and the end.
    """

    turned: np.ndarray
    changes: np.ndarray
    chords: np.ndarray
    starts: np.ndarray

    @staticmethod
    def of(pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]], longest: int = 200) -> Sequences:
        """Cut pieces of (rows, change features, chord or -1 where unknown) into stretches that are known."""
        kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for rows, changes, chords in pieces:
            known = np.flatnonzero(chords >= 0)
            for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
                for at in range(0, len(run), longest):
                    part = run[at : at + longest]
                    if len(part) > 4:
                        kept.append((rows[part], changes[part], chords[part]))
        rows = np.concatenate([each[0] for each in kept])
        return Sequences(
            np.stack([turned(rows, root) for root in range(ROOTS)]).astype(np.float32),
            np.concatenate([each[1] for each in kept]),
            np.concatenate([each[2] for each in kept]),
            np.concatenate([[0], np.cumsum([len(each[2]) for each in kept])]),
        )

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """For a grid of (longest, stretches): which frame is where, and whether there is one."""
        lengths = np.diff(self.starts)
        steps = np.arange(lengths.max())[:, None]
        return np.minimum(self.starts[:-1] + steps, len(self.chords) - 1), steps < lengths


def likelihood(found: Weights, known: Sequences) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean log-likelihood of a frame, and its gradients by both kinds of weights."""
    frames, qualities = len(known.chords), found.tones.shape[1]
    scores = np.empty((frames, qualities * ROOTS), np.float32)
    for root in range(ROOTS):
        scores[:, root::ROOTS] = known.turned[root] @ found.tones.astype(np.float32)
    costs = known.changes @ found.changes
    total, share, changed = _expected(scores, costs, *known.places)
    rows = np.arange(frames)
    moved = np.zeros(frames)
    moved[1:] = known.chords[1:] != known.chords[:-1]
    moved[known.starts[:-1]] = 0
    total += float(scores[rows, known.chords].sum(dtype=np.float64)) - float(costs @ moved)
    share *= -1
    share[rows, known.chords] += 1
    by_tones = sum(known.turned[root].T @ share[:, root::ROOTS] for root in range(ROOTS))
    by_changes = known.changes.T @ (changed - moved)
    return total / frames, np.asarray(by_tones, float) / frames, by_changes / frames


def _expected(
    scores: np.ndarray, costs: np.ndarray, places: np.ndarray, there: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Minus the log of the sum over all paths, the share of each chord in each frame, and that a change is there."""
    top = scores.max(axis=1, keepdims=True)
    odds = np.exp(scores - top)
    leave = np.exp(-costs).astype(np.float32)
    steps, count = places.shape
    ahead = np.empty((steps, count, scores.shape[1]), np.float32)
    scale = np.ones((steps, count), np.float32)
    for step in range(steps):
        here = odds[places[step]]
        if step:
            last = ahead[step - 1]
            rest = last.sum(axis=1, keepdims=True) - last
            here = here * (last + leave[places[step], None] * rest)
        scale[step] = here.sum(axis=1)
        ahead[step] = here / scale[step][:, None]
        if step:
            ahead[step][~there[step]] = ahead[step - 1][~there[step]]
            scale[step][~there[step]] = 1
    total = -float(np.log(scale, dtype=np.float64).sum()) - float(top.sum(dtype=np.float64))
    share, changed = np.zeros_like(scores), np.zeros(len(scores))
    behind = np.ones((count, scores.shape[1]), np.float32)
    for step in range(steps - 1, -1, -1):
        kept = there[step]
        both = ahead[step] * behind
        share[places[step][kept]] = (both / both.sum(axis=1, keepdims=True))[kept]
        if not step:
            break
        comes = odds[places[step]] * behind
        go = leave[places[step]]
        stayed = np.einsum("ij,ij->i", ahead[step - 1], comes)
        all_moves = go * (ahead[step - 1].sum(axis=1) * comes.sum(axis=1) - stayed)
        changed[places[step][kept]] = (all_moves / np.maximum(all_moves + stayed, 1e-30))[kept]
        before = comes + go[:, None] * (comes.sum(axis=1, keepdims=True) - comes)
        before /= before.max(axis=1, keepdims=True)
        behind = np.where(kept[:, None], before, behind)
    return total, share, changed


def fitted(
    known: Sequences, centre: np.ndarray, *, strength: float, rounds: int, say: Callable[[str], None]
) -> Weights:
    """Climb to the weights that make what is known likeliest, less `strength` times their squared way from `centre`.

    centre: what one would say without having learnt, shape (features, qualities).
    """
    size, qualities = centre.size, centre.shape[1]
    begun = np.concatenate([centre.ravel(), [6.0, *[-1.0] * (CHANGES - 1)]])
    turn = iter(range(10_000))

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        here = Weights(values[:size].reshape(-1, qualities), values[size:])
        value, tones, changes = likelihood(here, known)
        say(f"round {next(turn)}: {value:.5f}")
        away = values[:size] - centre.ravel()
        gradient = np.concatenate([2 * strength * away - tones.ravel(), -changes])
        return strength * float(away @ away) - value, gradient

    best = minimize(loss, begun, jac=True, method="L-BFGS-B", options={"maxiter": rounds})
    return Weights(best.x[:size].reshape(-1, qualities), best.x[size:])

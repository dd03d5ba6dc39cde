"""`python -m benchmarks.hearing.form`: fit what tells a border of sections, and which sections are the same music.

Arrangements of other seeds than those that are scored are rendered, of each two one without drums or without what
drums do at borders, so that borders are not told by crashes and fills alone. Prints the weights for
processors/structure/borders.py and groups.py; scikit-learn is needed, which librosa brings.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.hearing import arrange, recipes, render
from benchmarks.hearing.sheet import DRUMS, Sheet, replaced
from benchmarks.hearing.styles import CRASH, TOM
from benchmarks.hearing.truth import Labelled, truth_of
from processors.audio.signal import Signal
from processors.structure.borders import SIGNS, border_signs
from processors.structure.content import content_of
from processors.structure.grid import Grid, grid_of
from processors.structure.groups import compared

SEEDS = (11, 12)
_NEAR_S = 1.0


def main() -> None:
    """Render, measure, fit, print."""
    signs, borders, pairs, same = [], [], [], []
    for signal, sections in pieces():
        grid = grid_of(signal)
        if grid is None:
            continue
        content = content_of(signal, grid)
        signs.append(border_signs(content, grid)[1:])
        known = border_units(grid, sections)
        borders.append(np.isin(np.arange(1, grid.units), known))
        labels = np.array([label for _, _, label in sections])
        if len(known) == len(labels) + 1 and (np.diff(known) > 0).all():
            upper = np.triu_indices(len(labels), 1)
            beside = compared(content, known, grid)
            pairs.append(np.column_stack([beside.pitch[upper], beside.texture[upper]]))
            same.append(labels[upper[0]] == labels[upper[1]])
    _print("border", tuple(SIGNS), np.concatenate(signs), np.concatenate(borders))
    _print("same music", ("pitch", "texture"), np.concatenate(pairs), np.concatenate(same))


def pieces() -> Iterator[tuple[Signal, Labelled]]:
    """Yield rendered pieces with their sections."""
    fonts = [name for name in dict.fromkeys(recipes.DEV_FONTS) if name in render.available()]
    for seed in SEEDS:
        sheets = [recipes.settled(_varied(sheet, seed)) for sheet in arrange.sheets(seed)]
        for number, font in enumerate(fonts):
            played = sheets[number :: len(fonts)]
            for turn, (sheet, samples) in enumerate(zip(played, render.play(played, font, seed=seed), strict=True)):
                heard = render.degrade(samples, recipes.HOW[turn % len(recipes.HOW)], seed=turn)
                sys.stderr.write(f"\r\033[K{seed} {font} {sheet.name}")
                yield Signal(heard, render.RATE_HZ), truth_of(sheet).sections or []


def _varied(sheet: Sheet, seed: int) -> Sheet:
    """Return one of two sheets as it is, one of four without drums, one of four without crashes and fills."""
    turn = random.Random(f"{seed} {sheet.name}").randrange(4)
    drums = {part for part, program in enumerate(sheet.programs) if program == DRUMS}
    if turn == 0:
        return replaced(sheet, notes=tuple(note for note in sheet.notes if note.part not in drums))
    if turn == 1:
        at_borders = (CRASH, TOM, TOM - 2)
        return replaced(sheet, notes=tuple(n for n in sheet.notes if n.part not in drums or n.pitch not in at_borders))
    return sheet


def border_units(grid: Grid, sections: Labelled) -> np.ndarray:
    """Return the edges of a grid that borders are at, within a second of them, both ends included."""
    inner = np.array([start for start, _, _ in sections[1:]])
    nearest = np.abs(grid.edges_s[:, None] - inner).argmin(axis=0)
    held = nearest[np.abs(grid.edges_s[nearest] - inner) < max(_NEAR_S, grid.unit_s / 2)]
    return np.concatenate([[0], held, [grid.units]])


def _print(what: str, names: tuple[str, ...], rows: np.ndarray, truth: np.ndarray) -> None:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=10.0).fit(rows, truth)
    weights = dict(zip(names, np.round(fitted.coef_[0], 2).tolist(), strict=True))
    usual = float(np.log(truth.mean() / (1 - truth.mean())))
    right = fitted.score(rows, truth)
    sys.stdout.write(
        f"{what}: {weights}, bias {fitted.intercept_[0]:.2f}, of that by frequency {usual:.2f}; "
        f"{len(truth)} rows, {right:.3f} right\n"
    )


if __name__ == "__main__":
    main()

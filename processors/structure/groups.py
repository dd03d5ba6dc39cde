"""Which sections are the same music, in another key too, and what they are to the piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.structure.content import Content
from processors.structure.grid import Grid
from processors.structure.likeness import KEY_CHANGE

COMPARED_PHRASES = 4
"""So many phrases from its beginning on are compared with another section's."""
_SHIFTS = (0, -1, 1)
_WEIGHTS = {"pitch": 8.3, "texture": -3.5}
_BIAS = -3.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each section beside each other, shape (sections, sections) each.

    pitch: -1 to 1, in the key that suits best; semitones: by how much the second is higher then, 0 to 11.
    texture: the mean square of what differs.
    """

    pitch: np.ndarray
    semitones: np.ndarray
    texture: np.ndarray


def compared(content: Content, borders: np.ndarray, grid: Grid) -> Pairs:
    """Compare the beginnings of sections unit by unit; one that was parted a unit too early or late still is alike."""
    most = COMPARED_PHRASES * grid.phrase
    pitches, lengths = rows_of(content.pitches, borders, most)
    counts = np.minimum(lengths[:, None], lengths)
    best, semitones = np.full(counts.shape, -np.inf), np.zeros(counts.shape, np.int64)
    for shift in _SHIFTS:
        others, _ = rows_of(content.pitches, borders, most, shift)
        for turn in range(12):
            turned = np.roll(others, -turn, axis=4).reshape(len(others), -1)
            alike = pitches.reshape(len(pitches), -1) @ turned.T / counts - KEY_CHANGE * (turn > 0) - 0.02 * abs(shift)
            semitones = np.where(alike > best, turn, semitones)
            best = np.maximum(best, alike)
    mirrored = best < best.T
    semitones = np.where(mirrored, -semitones.T % 12, semitones)
    return Pairs(
        pitch=np.maximum(best, best.T),
        semitones=semitones,
        texture=_apart(content, borders),
    )


def rows_of(values: np.ndarray, borders: np.ndarray, most: int, shift: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the first units of each section, zeros where it has fewer, and how many it has.

    values: shape (units, …). Shapes (sections, most, …) and (sections,). shift: by how many units all is taken later.
    """
    lengths = np.minimum(np.diff(borders), most)
    steps = np.arange(int(lengths.max()))
    at = borders[:-1, None] + steps + shift
    held = (steps < lengths[:, None]) & (at >= 0) & (at < len(values))
    rows = values[np.clip(at, 0, len(values) - 1)]
    return rows * held.reshape(*held.shape, *[1] * (values.ndim - 1)), lengths


def _apart(content: Content, borders: np.ndarray) -> np.ndarray:
    """The mean square by which the sound of sections differs, of their means over all units."""
    rows = content.texture.reshape(content.units, -1) / np.sqrt(content.texture.shape[1])
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
    centres = np.diff(sums[borders], axis=0) / np.diff(borders)[:, None]
    squares = (centres**2).sum(axis=1)
    return np.asarray(np.maximum(0, squares[:, None] + squares - 2 * centres @ centres.T))


def sameness(pairs: Pairs) -> np.ndarray:
    """Return how probably sections are the same music, shape (sections, sections).

    The weights were fitted by logistic regression on rendered arrangements; see benchmarks/hearing/form.py.
    """
    odds = _BIAS + sum(weight * getattr(pairs, name) for name, weight in _WEIGHTS.items())
    return np.asarray(1 / (1 + np.exp(-odds)))


def grouped(same: np.ndarray) -> np.ndarray:
    """Return the group of each section, numbered as they come, shape (sections,); joined while the mean is past half.

    same: shape (sections, sections). Source: Sokal & Michener 1958, average linkage.
    """
    if len(same) < 2:
        return np.zeros(len(same), np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    apart = 1 - (same + same.T) / 2
    np.fill_diagonal(apart, 0.0)
    found = fcluster(linkage(squareform(apart, checks=False), "average"), 0.5, "distance")
    order = {group: number for number, group in enumerate(dict.fromkeys(found.tolist()))}
    return np.array([order[group] for group in found.tolist()])


def letters(number: int) -> str:
    """A, B, … Z, AA, AB and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


_LOUDER_DB = 1.0


def names(groups: Sequence[int], lengths_s: Sequence[float], levels_db: Sequence[float]) -> list[str | None]:
    """Return what each section is to the piece, None where that cannot be told; one name a group.

    intro, outro: at an end, come once, and are shorter or quieter than usual. chorus: of those that come again, the
    loudest by a decibel, not the first, and with something else between. verse: what comes again as well, and first.
    bridge: what alone comes once between the first and the last chorus.
    """
    count, times = len(groups), Counter(groups)
    found: dict[int, str] = {}
    if count < 3:
        return [None] * count
    usual_s, usual_db = float(np.median(lengths_s)), float(np.median(levels_db))
    for place, name in ((0, "intro"), (count - 1, "outro")):
        slight = lengths_s[place] < 0.8 * usual_s or levels_db[place] < usual_db - _LOUDER_DB
        if times[groups[place]] == 1 and slight:
            found[groups[place]] = name
    found |= _verse_and_chorus(groups, levels_db, times)
    inner = {"verse", "chorus"} <= set(found.values())
    choruses = [place for place, group in enumerate(groups) if found.get(group) == "chorus"]
    between = groups[choruses[0] : choruses[-1]] if choruses else ()
    single = [group for group in between if times[group] == 1 and group not in found]
    if inner and len(single) == 1:
        found[single[0]] = "bridge"
    return [found.get(group) for group in groups]


def _verse_and_chorus(groups: Sequence[int], levels_db: Sequence[float], times: Counter[int]) -> dict[int, str]:
    """Name the first group that comes again, and one that is clearly louder and comes later, in turns."""
    again = [group for group in dict.fromkeys(groups) if times[group] > 1]
    if len(again) < 2:
        return {}
    loud = {group: float(np.mean(np.array(levels_db)[np.array(groups) == group])) for group in again}
    chorus, second = sorted(again, key=lambda group: -loud[group])[:2]
    verse = next(group for group in again if group != chorus)
    apart = [place for place, group in enumerate(groups) if group == chorus and groups[place - 1] != chorus]
    if loud[chorus] - loud[second] < _LOUDER_DB or groups.index(chorus) < groups.index(verse) or len(apart) < 2:
        return {}
    return {chorus: "chorus", verse: "verse"}

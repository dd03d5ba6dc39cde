"""The tasks: on which items each is asked, how its answers are scored, and what they should reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.hearing import scores
from benchmarks.hearing.material import Item
from benchmarks.hearing.scores import Scores
from benchmarks.hearing.truth import Truth


@dataclass(frozen=True, slots=True)
class Task:
    """answer: whose answer is scored, where several tasks look at one. asks: whether an item is asked.

    means: what each of its measures tells. targets: by measure, or "measure.kind" for the items of a kind alone.
    """

    name: str
    kinds: tuple[str, ...]
    asks: Callable[[Item], bool]
    score: Callable[[Any, Truth], Scores]  # Any: the answer that this task is about
    means: dict[str, str]
    targets: dict[str, float] = field(default_factory=dict)
    answer: str = ""

    @property
    def asked(self) -> str:
        """The name of the answer."""
        return self.answer or self.name


TASKS = (
    Task(
        "beats",
        ("score", "arrangement"),
        lambda item: item.truth.beats_s is not None,
        scores.beats,
        {
            "f": "F of beats within 70 ms",
            "cmlt": "share of beats at the right level, in whatever long stretches",
            "downbeat_f": "F of downbeats within 70 ms",
            "tempo": "median tempo within 4 %",
            "metre": "beats a bar",
            "swing": "swing within 5 hundredths of a beat",
        },
        {"f": 0.82, "f.score": 0.75, "downbeat_f": 0.70, "cmlt": 0.70},
    ),
    Task(
        "ramp",
        ("arrangement",),
        lambda item: "ramp" in item.tags,
        scores.ramp,
        {"within": "share of the time with the tempo within 2 %", "median": "1 − median error of the tempo curve"},
        {"median": 0.98},
        answer="beats",
    ),
    Task(
        "key",
        ("score", "arrangement", "melody"),
        lambda item: item.truth.key is not None,
        scores.key,
        {
            "exact": "tonic and mode",
            "mirex": "MIREX's weights for fifths, relatives and parallels",
            "local": "share of the time with the right local key",
        },
        {"exact.score": 0.85, "mirex.score": 0.88},
    ),
    Task(
        "chords",
        ("arrangement", "score"),
        lambda item: item.truth.chords is not None,
        scores.chords,
        {
            "majmin": "major and minor triads, share of the time",
            "sevenths": "with sevenths",
            "majmin_inv": "triads with their bass",
            "sevenths_inv": "sevenths with their bass",
            "root": "roots",
        },
        {"majmin.arrangement": 0.94, "sevenths.arrangement": 0.80},
    ),
    Task(
        "numerals",
        ("score",),
        lambda item: item.truth.numerals is not None,
        scores.numerals,
        {"degree": "local key and degree right, share of the time", "full": "with quality and inversion"},
        {"degree": 0.70},
    ),
    Task(
        "sections",
        ("arrangement",),
        lambda item: item.truth.sections is not None,
        scores.sections,
        {
            "f_3s": "F of boundaries within 3 s",
            "f_half_s": "F of boundaries within 0.5 s",
            "inner_3s": "the same within 3 s, without both ends of the piece",
            "pairs": "F of pairs of moments with the same label",
        },
        {"f_3s": 0.65},
    ),
    Task(
        "voice",
        ("sung", "melody"),
        lambda item: item.truth.melody_hz is not None,
        scores.melody,
        {
            "oa": "overall accuracy of one voice alone",
            "rpa": "raw pitch within 50 cents",
            "rpa25": "raw pitch within 25 cents",
            "voicing_recall": "share of voiced frames found",
            "unvoiced": "share of unvoiced frames found",
        },
        {"oa": 0.955, "rpa25": 0.96},
    ),
    Task(
        "melody",
        ("arrangement",),
        lambda item: item.truth.melody_hz is not None,
        scores.melody,
        {
            "rpa": "raw pitch of the tune in a mix within 50 cents",
            "oa": "overall accuracy",
            "voicing_recall": "share of voiced frames found",
            "unvoiced": "share of unvoiced frames found",
        },
        {"rpa": 0.70},
    ),
    Task(
        "notes",
        ("melody", "arrangement", "score"),
        lambda item: item.truth.notes is not None,
        scores.notes,
        {"onset_f": "F of onsets with pitch", "offset_f": "with offsets"},
        {"onset_f.melody": 0.80, "onset_f.arrangement": 0.60, "onset_f.piano": 0.96},
    ),
    Task(
        "family",
        ("note",),
        lambda item: item.truth.family is not None,
        scores.family,
        {"right": "instrument family of a single note"},
        {"right": 0.85},
    ),
)
ELSEWHERE = ("loops", "retrieval", "quality")
"""Tasks that are not asked item by item."""

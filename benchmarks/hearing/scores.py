"""How good an answer is: mir_eval's measures, each 0 to 1 and higher for better, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import mir_eval
import numpy as np

from benchmarks.hearing.answers import Beats, Keys, Notes, Pitch
from benchmarks.hearing.truth import HOP_S, Labelled, Truth

TEMPO_TOLERANCE = 0.04
RAMP_TOLERANCE = 0.02
Scores = dict[str, float]


def beats(answer: Beats, truth: Truth) -> Scores:
    """F within 70 ms and CMLt of beats, F of downbeats, tempo within 4 %, metre, swing. Nothing is trimmed."""
    known = np.array(truth.beats_s)
    found: Scores = {
        "f": _f(known, answer.times_s),
        "cmlt": _continuity(known, answer.times_s),
    }
    if truth.downbeats_s is not None and answer.downbeats_s is not None:
        downbeats = np.array(truth.downbeats_s)
        found["downbeat_f"] = _f(downbeats, answer.downbeats_s)
    if truth.tempo_bpm is not None:
        found["tempo"] = float(_near(answer.tempo_bpm, truth.tempo_bpm, TEMPO_TOLERANCE))
    if truth.beats_per_bar is not None and answer.beats_per_bar is not None:
        found["metre"] = float(answer.beats_per_bar == truth.beats_per_bar)
    if truth.swing is not None and answer.swing is not None:
        found["swing"] = float(abs(answer.swing - truth.swing) < 0.05)
    return found


def _f(known: np.ndarray, times_s: np.ndarray) -> float:
    return float(mir_eval.beat.f_measure(known, times_s)) if len(times_s) else 0.0


def _continuity(known: np.ndarray, times_s: np.ndarray) -> float:
    """CMLt; the sequence needs two beats."""
    return float(mir_eval.beat.continuity(known, times_s)[1]) if len(times_s) > 1 else 0.0


def _near(value: float | None, known: float, tolerance: float) -> bool:
    return value is not None and abs(value / known - 1) <= tolerance


def ramp(answer: Beats, truth: Truth) -> Scores:
    """Share of the time at which the tempo is within 2 % of a known ramp's, and its median error as 1 - error."""
    known = np.array(truth.tempo_curve)
    if answer.tempo_curve is not None and len(answer.tempo_curve):
        at_s, bpm = np.asarray(answer.tempo_curve, float).T
    elif len(answer.times_s) > 2:
        at_s, bpm = (answer.times_s[1:] + answer.times_s[:-1]) / 2, 60 / np.maximum(np.diff(answer.times_s), 1e-3)
    else:
        return {"within": 0.0, "median": 0.0}
    errors = np.abs(np.interp(known[:, 0], at_s, bpm) / known[:, 1] - 1)
    return {"within": float(np.mean(errors <= RAMP_TOLERANCE)), "median": float(max(0, 1 - np.median(errors)))}


def key(answer: Keys, truth: Truth) -> Scores:
    """Exact, and MIREX's weights for a fifth, the relative and the parallel key."""
    found: Scores = {}
    if truth.key is not None:
        known, said = " ".join(truth.key), " ".join(answer.key) if answer.key else "X"
        weighted = float(mir_eval.key.weighted_score(known, said)) if answer.key else 0.0
        found = {"exact": float(weighted == 1.0), "mirex": weighted}
    if truth.keys is not None and answer.local:
        found["local"] = _agreement(truth.keys, answer.local, _same_key)
    return found


def _same_key(known: str, said: str) -> bool:
    return said not in ("", "N") and float(mir_eval.key.weighted_score(known, said)) == 1.0


def chords(answer: Labelled, truth: Truth) -> Scores:
    """Weighted overlap by mir_eval's vocabularies: major-minor, sevenths, and both with inversions; roots."""
    known, labels = _spans(truth.chords)
    said, said_labels = _spans(answer)
    if not len(said):
        return dict.fromkeys(("majmin", "sevenths", "majmin_inv", "sevenths_inv", "root"), 0.0)
    said, said_labels = mir_eval.util.adjust_intervals(
        said, said_labels, known.min(), known.max(), mir_eval.chord.NO_CHORD, mir_eval.chord.NO_CHORD
    )
    merged, one, two = mir_eval.util.merge_labeled_intervals(known, labels, said, said_labels)
    lengths = mir_eval.util.intervals_to_durations(merged)
    measures: dict[str, Callable[..., np.ndarray]] = {
        "majmin": mir_eval.chord.majmin,
        "sevenths": mir_eval.chord.sevenths,
        "majmin_inv": mir_eval.chord.majmin_inv,
        "sevenths_inv": mir_eval.chord.sevenths_inv,
        "root": mir_eval.chord.root,
    }
    return {name: _weighted(measure(one, two), lengths) for name, measure in measures.items()}


def _weighted(comparisons: np.ndarray, lengths: np.ndarray) -> float:
    """Mean over what the vocabulary has; 0, without mir_eval's warning, where it has nothing of this piece."""
    asked = comparisons >= 0
    total = float(lengths[asked].sum())
    return float((comparisons[asked] * lengths[asked]).sum() / total) if total else 0.0


def _spans(found: Labelled | None) -> tuple[np.ndarray, list[str]]:
    kept = [row for row in found or [] if row[1] > row[0]]
    return np.array([row[:2] for row in kept]).reshape(-1, 2), [row[2] for row in kept]


def numerals(answer: Labelled, truth: Truth) -> Scores:
    """Share of the time at which key and degree are right; and quality and inversion too."""
    return {
        "degree": _agreement(truth.numerals, answer, lambda a, b: _read(a)[:3] == _read(b)[:3]),
        "full": _agreement(truth.numerals, answer, lambda a, b: _read(a) == _read(b)),
    }


@lru_cache(4096)
def _read(label: str) -> tuple[object, ...]:
    """Tonic, mode and root as pitch classes; triad and bass. What cannot be read equals nothing else."""
    from music21 import key, roman

    try:
        name, figure = label.split(":", 1)
        tonic, mode = name.split(" ")
        home = key.Key(tonic.replace("b", "-"), mode)
        chord = roman.RomanNumeral(figure, home)
        return home.tonic.pitchClass, mode, chord.root().pitchClass, chord.quality, chord.bass().pitchClass
    except Exception:  # music21 raises whatever it meets; such a label is wrong
        return (label, None, None, None, None)


def _agreement(known: Labelled | None, said: Labelled, same: Callable[[str, str], bool]) -> float:
    """Share of the known time at which what was said is the same."""
    right = total = 0.0
    for start_s, end_s, label in known or []:
        total += end_s - start_s
        for from_s, to_s, guess in said:
            overlap = min(end_s, to_s) - max(start_s, from_s)
            if overlap > 0 and same(label, guess):
                right += overlap
    return right / total if total else 0.0


def sections(answer: Labelled, truth: Truth) -> Scores:
    """F of boundaries within 3 and 0.5 s, of the inner ones alone, and F of pairs of moments that share a label."""
    known, labels = _spans(truth.sections)
    said, said_labels = _spans(answer)
    if not len(said):
        return dict.fromkeys(("f_3s", "f_half_s", "inner_3s", "pairs"), 0.0)
    start_s = known.min()
    known, said = known - start_s, said - start_s
    said, said_labels = mir_eval.util.adjust_intervals(said, said_labels, 0.0, known.max(), "before", "behind")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a single section without a border
        return {
            "f_3s": float(mir_eval.segment.detection(known, said, window=3.0)[2]),
            "f_half_s": float(mir_eval.segment.detection(known, said, window=0.5)[2]),
            "inner_3s": float(mir_eval.segment.detection(known, said, window=3.0, trim=True)[2]),
            "pairs": float(mir_eval.segment.pairwise(known, labels, said, said_labels)[2]),
        }


def melody(answer: Pitch, truth: Truth) -> Scores:
    """Overall accuracy, raw pitch accuracy within 50 and within 25 cents, false alarms of voicing as 1 - share."""
    known_hz = np.array(truth.melody_hz)
    known_s = np.arange(len(known_hz)) * HOP_S
    times_s, hz = (answer.times_s, answer.hz) if len(answer.times_s) else (known_s, np.zeros_like(known_hz))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an answer without a voiced frame
        return _pitch_scores(mir_eval.melody.to_cent_voicing(known_s, known_hz, times_s, np.asarray(hz, float)))


def _pitch_scores(arrays: tuple[np.ndarray, ...]) -> Scores:
    recall, false_alarm = mir_eval.melody.voicing_measures(arrays[0], arrays[2])
    return {
        "oa": float(mir_eval.melody.overall_accuracy(*arrays)),
        "rpa": float(mir_eval.melody.raw_pitch_accuracy(*arrays)),
        "rpa25": float(mir_eval.melody.raw_pitch_accuracy(*arrays, cent_tolerance=25)),
        "voicing_recall": float(recall),
        "unvoiced": 1 - float(false_alarm),
    }


def notes(answer: Notes, truth: Truth) -> Scores:
    """F of notes: onset within 50 ms and pitch within half a semitone; and offset within a fifth of the length."""
    if not answer:
        return {"onset_f": 0.0, "offset_f": 0.0}
    known, said = np.array(truth.notes), np.array(answer)
    sides = known[:, :2], _hz(known[:, 2]), np.maximum(said[:, :2], 0), _hz(said[:, 2])
    return {
        "onset_f": float(mir_eval.transcription.precision_recall_f1_overlap(*sides, offset_ratio=None)[2]),
        "offset_f": float(mir_eval.transcription.precision_recall_f1_overlap(*sides)[2]),
    }


def _hz(pitches: np.ndarray) -> np.ndarray:
    hz: np.ndarray = 440 * 2 ** ((pitches - 69) / 12)
    return hz


def family(answer: str, truth: Truth) -> Scores:
    """Whether the family is right."""
    return {"right": float(answer == truth.family)}

"""One voice alone: tunes played by an instrument, and tunes sung by a synthetic voice whose pitch is known exactly."""

from __future__ import annotations

import random

import numpy as np

from benchmarks.hearing.arrange import NAMES, SCALES
from benchmarks.hearing.render import RATE_HZ, levelled
from benchmarks.hearing.sheet import Played, Sheet
from benchmarks.hearing.smf import TAIL_S
from benchmarks.hearing.tempo import expressive
from benchmarks.hearing.truth import HOP_S

INSTRUMENTS = (73, 40, 65, 56, 0, 24, 71, 68, 42, 11, 66, 60)
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""First formants of a, i, u, e, o in Hz. Source: Peterson & Barney 1952."""
_HARMONICS = 40
_RING_DB = -30.0


def sheets(seed: int, count: int = 12) -> list[Sheet]:
    """Return so many played tunes and as many that are to be sung, named `sung-…`."""
    played = [tune(f"melody-{i:02d}", INSTRUMENTS[i % len(INSTRUMENTS)], seed, sung=False) for i in range(count)]
    return played + [tune(f"sung-{i:02d}", 52, seed, sung=True) for i in range(count)]


def tune(name: str, program: int, seed: int, *, sung: bool) -> Sheet:
    """Write a tune of eight bars: steps more than leaps, phrases of two bars that end on a long note and a breath."""
    chance = random.Random(f"{seed} {name}")
    tonic, mode = chance.randrange(12), chance.choice(("major", "minor"))
    low = {42: 45, 66: 50, 24: 52, 60: 50}.get(program, 60) if not sung else chance.choice((48, 55, 60))
    base = low + (tonic - low) % 12
    degree, notes, at_q = 4, [], 0.0
    for phrase in range(4):
        end_q = 8.0 * (phrase + 1)
        while at_q < end_q - 3:
            length_q = chance.choice((0.5, 0.5, 1.0, 1.0, 1.5)) if not sung else chance.choice((0.5, 1.0, 1.0, 2.0))
            notes.append((at_q, min(length_q, end_q - 3 - at_q + 0.5), degree))
            at_q += notes[-1][1]
            degree = max(-1, min(9, degree + chance.choice((-2, -1, -1, 1, 1, 2, 3, -3))))
        degree = min((0, 4, 7) if phrase < 3 else (0, 7), key=lambda d: abs(d - degree))
        notes.append((at_q, end_q - 1.0 - at_q, degree))
        at_q = end_q
    pitches = [base + 12 * (d // 7) + SCALES[mode][d % 7] for _, _, d in notes]
    legato = 1.0 if sung else chance.choice((0.85, 0.95))
    return Sheet(
        name=name,
        kind="sung" if sung else "melody",
        programs=(program,),
        notes=tuple(
            Played(at, at + legato * length, pitch, chance.randint(80, 110), 0)
            for (at, length, _), pitch in zip(notes, pitches, strict=True)
        ),
        tempi=expressive(chance.uniform(80, 130), 32.0, chance, drift=chance.choice((0.0, 0.03))),
        end_q=32.0,
        key=(NAMES[tonic], mode),
        melody=0,
        tags=("one voice", "sung" if sung else "played"),
    )


def ringing(sheet: Sheet, samples: np.ndarray) -> np.ndarray:
    """Return the pitch of what still sounds every 10 ms in Hz, shape (frames,), 0 where nothing does.

    samples: what an instrument alone made of the sheet. A string or bar rings on behind its note, and may fade before
    its end: a note is there until it is 30 dB below its loudest, or until the next one begins.
    """
    hop = round(HOP_S * RATE_HZ)
    count = samples.shape[1] // hop
    power = np.square(samples[:, : count * hop], dtype=np.float64).mean(axis=0).reshape(count, hop).mean(axis=1)
    power = np.convolve(power, np.ones(3) / 3, mode="same")
    hz = np.zeros(count)
    notes = sorted(sheet.notes)
    starts = [int((sheet.clock.seconds(n.onset_q) + sheet.lead_s) / HOP_S) for n in notes]
    for note, first, behind in zip(notes, starts, [*starts[1:], count], strict=True):
        loudest = first + int(power[first:behind].argmax())
        faint = np.flatnonzero(power[loudest:behind] < power[loudest] * 10 ** (_RING_DB / 10))
        end = loudest + int(faint[0]) if faint.size else behind
        hz[first:end] = 440 * 2 ** ((note.pitch - 69 + sheet.tuning_cents / 100) / 12)
    return hz


def sing(sheet: Sheet, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a voice, shape (2, frames), and its pitch every 10 ms in Hz, 0 where unvoiced.

    Notes are slurred by glides of some 60 ms unless a breath or consonant parts them; vibrato sets in after 0.2 s.
    """
    rng = np.random.default_rng(seed)
    frames = int((sheet.lead_s + sheet.length_s + TAIL_S) * RATE_HZ)
    cents, loud = np.zeros(frames), np.zeros(frames)
    consonants = np.zeros(frames)
    spread, rate_hz = rng.uniform(20, 60), rng.uniform(4.8, 6.4)
    before: int | None = None
    for note in sheet.notes:
        first, behind = (round((sheet.clock.seconds(q) + sheet.lead_s) * RATE_HZ) for q in (note.onset_q, note.end_q))
        parted = before is None or rng.random() < 0.4
        if parted and behind - first > 0.3 * RATE_HZ:
            gap = round(rng.uniform(0.04, 0.09) * RATE_HZ)
            consonants[first : first + gap] = rng.normal(size=gap) * np.hanning(gap) * 0.12
            first += gap
        count = behind - first
        at_s = np.arange(count) / RATE_HZ
        swell = np.clip((at_s - 0.2) / 0.2, 0, 1) * spread
        line = 100.0 * (note.pitch - 69) + swell * np.sin(2 * np.pi * rate_hz * at_s) + rng.normal(0, 6)
        if not parted and before is not None:
            glide = 0.5 + 0.5 * np.tanh((at_s - 0.03) / 0.015)
            line = glide * line + (1 - glide) * 100.0 * (before - 69)
        cents[first:behind] = line
        edge = min(count // 3, round(0.02 * RATE_HZ))
        shape = np.ones(count)
        if parted:
            shape[:edge] = np.linspace(0, 1, edge)
        shape[-edge:] = np.linspace(1, 0.25, edge)
        loud[first:behind] = shape * note.velocity / 127
        before = note.pitch
    hz = np.where(loud > 0, 440 * 2 ** (cents / 1200), 0)
    voice = _voice(hz, loud, _VOWELS[int(rng.integers(len(_VOWELS)))]) + consonants
    voice += rng.normal(scale=0.002, size=frames) * (loud > 0)
    return levelled(np.stack([voice, voice]).astype(np.float32)), hz[:: round(HOP_S * RATE_HZ)]


def _voice(hz: np.ndarray, loud: np.ndarray, formants: tuple[int, ...]) -> np.ndarray:
    """Add harmonics that fall by 9 dB an octave, raised about the formants."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    voice = np.zeros(len(hz))
    for harmonic in range(1, _HARMONICS + 1):
        of_hz = harmonic * hz
        gain = sum(np.exp(-0.5 * ((of_hz - centre) / (0.12 * centre + 60)) ** 2) for centre in formants) + 0.08
        audible = np.clip((10_000 - of_hz) / 2_000, 0, 1)
        voice += harmonic**-1.2 * gain * audible * np.sin(harmonic * phase)
    return voice * loud

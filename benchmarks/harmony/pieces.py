"""Seeded pieces to learn from: rows of chords in many textures, none of them those of the evaluation set."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.harmony.progressions import Drawn, progression
from benchmarks.hearing.sheet import DRUMS, Played, Sheet, Span
from benchmarks.hearing.tempo import expressive
from processors.harmony.labels import label_of

_BASS, _MIDDLE, _TUNE, _PAD, _KIT = range(5)
_BASSES = (32, 33, 34, 35, 36, 38, 39, 0, 42, 43, 58, 19)
_MIDDLES = (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18, 21, 24, 25, 26, 27, 28, 46, 48, 50, 61, 62, 80, 81)
_TUNES = (0, 11, 13, 22, 26, 29, 40, 41, 42, 52, 53, 56, 57, 59, 60, 64, 65, 66, 68, 71, 72, 73, 75, 80, 81, 82, 87)
_PADS = (48, 49, 50, 51, 52, 53, 54, 88, 89, 90, 91, 92, 94, 95)
_CHOIRS = (
    (19, 19, 19, 19), (48, 48, 48, 48), (52, 52, 52, 52), (73, 68, 71, 70), (56, 60, 57, 58), (40, 41, 42, 43),
    (0, 0, 0, 0), (6, 6, 6, 6),
)  # fmt: skip
PIECE_S = 40.0
_CHOIR_SHARE = 0.35


def piece(name: str, seed: int) -> Sheet:
    """Write one piece: four voices, or an accompaniment with a bass and mostly a tune."""
    chance = random.Random(f"{seed} {name}")
    bpm, beats = chance.uniform(65, 165), chance.choice((3, 4, 4, 4))
    voices = chance.random() < _CHOIR_SHARE
    whole_q = int(PIECE_S * bpm / 60 / beats) * beats
    spans = _placed(chance, float(whole_q), beats, often=voices or bpm < 90)
    notes = _four_voices(chance, spans) if voices else _accompanied(chance, spans, beats)
    programs = chance.choice(_CHOIRS) if voices else (
        chance.choice(_BASSES), chance.choice(_MIDDLES), chance.choice(_TUNES), chance.choice(_PADS), DRUMS
    )  # fmt: skip
    return Sheet(
        name=name,
        kind="arrangement",
        programs=programs,
        notes=tuple(sorted(note for note in notes if note.end_q > note.onset_q)),
        tempi=expressive(bpm, whole_q, chance, drift=chance.choice((0.0, 0.0, 0.02))),
        end_q=whole_q,
        beats_q=tuple(float(beat) for beat in range(whole_q)),
        downbeats_q=tuple(float(beat) for beat in range(0, whole_q, beats)),
        chords=tuple(Span(a, b, label_of(c.root, c.quality, c.bass)) for a, b, c in spans),
        tags=("learning", "voices" if voices else "accompanied"),
        lead_s=chance.uniform(0.05, 0.6),
        tuning_cents=chance.choice((0.0, 0.0, 0.0, -35.0, -20.0, 15.0, 30.0)),
    )


def _placed(chance: random.Random, whole_q: float, beats: int, *, often: bool) -> list[tuple[float, float, Drawn]]:
    """Chords with their places: as long as is usual in this piece, or half or twice that."""
    usual = chance.choice((1.0, 1.0, 2.0, float(beats)) if often else (2.0, float(beats), float(beats), 2.0 * beats))
    places = [0.0]
    while places[-1] < whole_q - 1e-6:
        length_q = usual * chance.choice((1, 1, 1, 1, 2, 0.5 if usual > 1 or often else 1))
        left_q = beats - places[-1] % beats
        places.append(min(whole_q, places[-1] + (min(length_q, left_q) if usual <= beats else length_q)))
    chords = progression(chance, len(places) - 1)
    return [(a, b, chord) for a, b, chord in zip(places, places[1:], chords, strict=False)]


def _near(pitch_class: int, centre: float) -> int:
    """The pitch of this class that is nearest."""
    low = int(centre) - 6
    return low + (pitch_class - low) % 12


def _four_voices(chance: random.Random, spans: Sequence[tuple[float, float, Drawn]]) -> list[Played]:
    """Bass, tenor, alto and soprano that move little, with passing notes and suspensions."""
    passing, suspended = chance.choice((0.0, 0.2, 0.4)), chance.choice((0.0, 0.1))
    at = [48.0, 57.0, 64.0, 71.0]
    before: list[int] = []
    notes: list[Played] = []
    for start_q, end_q, chord in spans:
        tones = [(chord.root + tone) % 12 for tone in chord.tones]
        above = tones + chance.sample(tones, 3)
        chance.shuffle(above)
        upper = [above[0], above[1], next((tone for tone in tones if tone not in above[:2]), above[2])]
        here = [_near((chord.root + chord.bass) % 12, 0.5 * (at[0] + 48))]
        here += [_near(tone, 0.5 * (last + home)) for tone, last, home in zip(upper, at[1:], (57, 64, 71), strict=True)]
        for voice, pitch in enumerate(here):
            first_q = start_q
            if before and voice and 1 <= before[voice] - pitch <= 2 and chance.random() < suspended:
                first_q = start_q + (end_q - start_q) / 2
                notes.append(Played(start_q, first_q, before[voice], 80, voice))
            notes.append(Played(first_q, end_q, pitch, chance.randint(72, 88), voice))
        if before:
            _pass(chance, notes, before, here, passing)
        at, before = [float(pitch) for pitch in here], here
    return notes


def _pass(chance: random.Random, notes: list[Played], before: list[int], here: list[int], passing: float) -> None:
    """Fill thirds between the last chord and this one with a passing note, which takes the last half beat."""
    for voice, (one, other) in enumerate(zip(before, here, strict=True)):
        if abs(one - other) not in (3, 4) or chance.random() > passing:
            continue
        last = max(
            (k for k, note in enumerate(notes[: -len(here)]) if note.part == voice and note.pitch == one), default=-1
        )
        if last >= 0 and notes[last].end_q - notes[last].onset_q >= 1:
            middle_q = notes[last].end_q - 0.5
            notes.append(Played(middle_q, notes[last].end_q, one + (2 if other > one else -2), 74, voice))
            notes[last] = notes[last]._replace(end_q=middle_q)


def _accompanied(chance: random.Random, spans: Sequence[tuple[float, float, Drawn]], beats: int) -> list[Played]:
    notes: list[Played] = []
    figure = chance.choice(("held", "beats", "off", "arpeggio", "arpeggio", "broken", "syncopated"))
    walk = chance.choice(("held", "held", "fifths", "eighths", "walking", "none"))
    loud = {part: chance.randint(60, 105) for part in range(5)}
    tune, pad, kit = chance.random() < 0.75, chance.random() < 0.35, chance.random() < 0.6
    centre = chance.choice((55, 58, 60, 64))
    for start_q, end_q, chord in spans:
        _bass_line(chance, notes, (start_q, end_q), chord, walk, loud[_BASS])
        pitches = sorted(
            _near((chord.root + tone) % 12, centre + chance.choice((-3, 0, 3))) for tone in _voiced(chance, chord)
        )
        _figure(notes, (start_q, end_q), pitches, figure, loud[_MIDDLE])
        if pad:
            notes += [Played(start_q, end_q, pitch + 12, min(loud[_PAD], 70), _PAD) for pitch in pitches]
        if tune:
            _tune(chance, notes, (start_q, end_q), chord, loud[_TUNE])
    if kit:
        _kit(chance, notes, spans[-1][1], beats, loud[_KIT])
    return notes


def _voiced(chance: random.Random, chord: Drawn) -> tuple[int, ...]:
    """The chord's tones, the fifth left out at times where there are four."""
    if len(chord.tones) > 3 and 7 in chord.tones and chance.random() < 0.2:
        return tuple(tone for tone in chord.tones if tone != 7)
    return chord.tones


def _bass_line(
    chance: random.Random, notes: list[Played], span: tuple[float, float], chord: Drawn, walk: str, loud: int
) -> None:
    low = 30 + (chord.root + chord.bass - 30) % 12
    start_q, end_q = span
    if walk == "none":
        return
    if walk == "held":
        notes.append(Played(start_q, end_q, low, loud, _BASS))
        return
    step_q = {"fifths": 1.0, "eighths": 0.5, "walking": 1.0}[walk]
    scale = sorted(chord.key.scale)
    place_q = start_q
    while place_q < end_q - 1e-6:
        pitch = low
        if place_q > start_q and walk == "fifths":
            pitch = 30 + (chord.root + chance.choice((0, 7)) - 30) % 12
        elif place_q > start_q and walk == "walking":
            pitch = (
                30 + (chance.choice([*[(chord.root + t) % 12 for t in chord.tones], chance.choice(scale)]) - 30) % 12
            )
        notes.append(Played(place_q, min(end_q, place_q + 0.95 * step_q), pitch, loud, _BASS))
        place_q += step_q


def _figure(notes: list[Played], span: tuple[float, float], pitches: list[int], figure: str, loud: int) -> None:
    start_q, end_q = span
    if figure == "held":
        notes += [Played(start_q, end_q, pitch, loud, _MIDDLE) for pitch in pitches]
        return
    step_q = {"beats": 1.0, "off": 1.0, "arpeggio": 0.5, "broken": 1.0, "syncopated": 1.5}[figure]
    place_q, turn = start_q + (0.5 if figure == "off" and end_q - start_q > 0.5 else 0.0), 0
    while place_q < end_q - 1e-6:
        end = min(end_q, place_q + (0.4 if figure == "off" else 0.95 * step_q))
        if figure == "arpeggio":
            sounding = [pitches[turn % len(pitches)]]
            end = min(end_q, place_q + 0.8)
        elif figure == "broken":
            sounding = pitches[:1] if turn % 2 == 0 else pitches[1:]
        else:
            sounding = pitches
        notes += [Played(place_q, end, pitch, loud, _MIDDLE) for pitch in sounding]
        place_q, turn = place_q + step_q, turn + 1


def _tune(chance: random.Random, notes: list[Played], span: tuple[float, float], chord: Drawn, loud: int) -> None:
    """Steps and leaps in the key's scale, chord tones where notes are long or begin on a beat, mostly."""
    tones = {(chord.root + tone) % 12 for tone in chord.tones}
    at = next((note.pitch for note in reversed(notes) if note.part == _TUNE), chance.randint(66, 80))
    place_q = span[0]
    while place_q < span[1] - 1e-6:
        length_q = chance.choice((0.5, 0.5, 1.0, 1.0, 1.5, 2.0))
        end_q = min(span[1], place_q + length_q)
        wanted = max(60, min(88, at + chance.choice((-4, -3, -2, -2, -1, 1, 2, 2, 3, 5))))
        fits = tones if (length_q >= 1 or place_q % 1 == 0) and chance.random() < 0.8 else chord.key.scale
        at = min(range(wanted - 4, wanted + 5), key=lambda pitch: (pitch % 12 not in fits, abs(pitch - wanted)))
        if chance.random() < 0.85:
            notes.append(Played(place_q, place_q + 0.92 * (end_q - place_q), at, loud, _TUNE))
        place_q = end_q


def _kit(chance: random.Random, notes: list[Played], end_q: float, beats: int, loud: int) -> None:
    snare = chance.choice((1, 2)) if beats == 4 else 1
    for half in range(round(2 * end_q)):
        beat, place_q = half // 2 % beats, half / 2
        hits = [42] if chance.random() < 0.95 else []
        if half % 2 == 0 and beat == 0:
            hits.append(36)
        elif half % 2 == 0 and beat % (2 * snare) == snare:
            hits.append(38)
        elif chance.random() < 0.15:
            hits.append(36)
        for drum in hits:
            notes.append(Played(place_q, place_q + 0.2, drum, max(1, min(127, loud + chance.randint(-8, 8))), _KIT))

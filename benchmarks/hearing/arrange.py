"""Seeded arrangements in popular styles: drums, bass, chords, a tune, over a form with known harmony."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.hearing.sheet import DRUMS, Played, Sheet, Span, cut, ramp
from benchmarks.hearing.styles import (
    BASSES,
    COMPING,
    CRASH,
    DRUMS_OF,
    FORMS,
    KICK,
    PROGRESSIONS,
    SNARE,
    TOM,
    TONES,
    Chord,
)
from benchmarks.hearing.tempo import expressive

ARRANGEMENT_S = 85.0
_LEAST_SECTION_S = 6.0
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
BAR_Q = {"4/4": 4.0, "3/4": 3.0, "6/8": 3.0}
BEAT_Q = {"4/4": 1.0, "3/4": 1.0, "6/8": 1.5}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_DEGREES = {0: "", 1: "b2", 2: "2", 3: "b3", 4: "3", 5: "4", 6: "b5", 7: "5", 8: "#5", 9: "6", 10: "b7", 11: "7"}
LEADS = (65, 66, 73, 80, 81, 56, 22, 11, 40, 71, 52, 82)
COMPS = (0, 4, 24, 25, 27, 16, 6, 0, 5)
LOW = (33, 32, 34, 35, 38)
_DRUM_PART, _BASS_PART, _COMP_PART, _LEAD_PART, _PAD_PART = range(5)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the chance of a seed decided for a whole piece."""

    metre: str
    bpm: float
    tonic: int
    mode: str
    swing: float
    form: tuple[tuple[str, int], ...]
    modulation: str
    movement: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a section is each time that it comes: its chords, its patterns and its tune, in scale degrees.

    What a piece begins with has a tonic and a dominant, so that nobody can take its key for a relative one.
    """

    chords: tuple[Chord, ...]
    halves: bool
    drums: int
    comping: int
    bass: int
    tune: tuple[tuple[float, float, int], ...]


def sheets(seed: int, count: int = 24) -> list[Sheet]:
    """Return so many arrangements; metres, modes, swing, modulations and tempi are dealt out, the rest is chance."""
    whole = (arrangement(f"arrangement-{index:02d}", index, seed) for index in range(count))
    return [_without_stub(cut(sheet, ARRANGEMENT_S)) for sheet in whole]


def _without_stub(sheet: Sheet) -> Sheet:
    """Leave out a last section of which only the beginning would be heard."""
    last = sheet.sections[-1]
    start_s = sheet.clock.seconds(last.start_q)
    return cut(sheet, start_s + 0.01) if sheet.length_s - start_s < _LEAST_SECTION_S else sheet


def planned(index: int, chance: random.Random) -> Plan:
    """Deal out what should be there for certain, in turns of different lengths."""
    metre = ("4/4", "4/4", "4/4", "3/4", "4/4", "4/4", "6/8", "4/4")[index % 8]
    mode = ("major", "minor", "major")[index % 3]
    swing = chance.uniform(0.58, 0.68) if metre == "4/4" and index % 4 == 1 else 0.5
    bpm = {"4/4": chance.uniform(72, 160), "3/4": chance.uniform(90, 170), "6/8": chance.uniform(150, 240) * 0.5}[metre]
    modulation = ("none", "none", "up", "none", "bridge")[index % 5]
    movement = ("steady", "drift", "steady", "ramp", "steady", "steady", "drift")[index % 7]
    return Plan(metre, bpm, chance.randrange(12), mode, swing, chance.choice(FORMS), modulation, movement)


def arrangement(name: str, index: int, seed: int) -> Sheet:
    """Write one piece."""
    chance = random.Random(f"{seed} {name}")
    plan = planned(index, chance)
    bar_q, beat_q = BAR_Q[plan.metre], BEAT_Q[plan.metre]
    parts = {label: _part(plan, chance, label) for label in dict.fromkeys(label for label, _ in plan.form)}
    notes: list[Played] = []
    chords: list[Span] = []
    keys: list[Span] = []
    sections: list[Span] = []
    bar = 0
    for turn, (label, bars) in enumerate(plan.form):
        tonic = _tonic(plan, label, turn)
        start_q, end_q = bar * bar_q, (bar + bars) * bar_q
        sections.append(Span(start_q, end_q, label))
        keys.append(Span(start_q, end_q, f"{NAMES[tonic]} {plan.mode}"))
        for own in range(bars):
            _write_bar(notes, chords, plan, parts[label], (bar + own) * bar_q, own, bars, label, tonic, chance)
        bar += bars
    end_q = bar * bar_q
    swung = tuple(sorted(_swung(note, plan.swing) for note in notes))
    count = round(end_q / beat_q)
    swing = ("swing",) if plan.swing > 0.5 else ()
    programs = (DRUMS, chance.choice(LOW), chance.choice(COMPS), chance.choice(LEADS), chance.choice((48, 89, 50)))
    return Sheet(
        name=name,
        kind="arrangement",
        programs=programs,
        notes=swung,
        tempi=_tempi(plan, end_q, chance),
        end_q=end_q,
        beats_q=tuple(i * beat_q for i in range(count)),
        downbeats_q=tuple(i * bar_q for i in range(bar)),
        metre=plan.metre,
        swing=round(plan.swing, 3),
        key=(NAMES[plan.tonic], plan.mode),
        keys=_joined(keys),
        chords=_joined(chords),
        sections=tuple(sections),
        melody=_LEAD_PART,
        tags=("arrangement", plan.metre, plan.movement, f"modulation-{plan.modulation}", *swing),
    )


def _tonic(plan: Plan, label: str, turn: int) -> int:
    if plan.modulation == "up" and turn >= len(plan.form) - 2 and label != "outro":
        return (plan.tonic + 2) % 12
    if plan.modulation == "bridge" and label in ("B", "bridge", "C") and turn == 3:
        return (plan.tonic + 5) % 12
    return plan.tonic


def _part(plan: Plan, chance: random.Random, label: str) -> Part:
    known = PROGRESSIONS[plan.mode]
    at_home = [chords for chords in known if chords[0][0] == 0 and any(chord[0] in (7, 11) for chord in chords)]
    chords = chance.choice(at_home if label in ("intro", "A", "verse", "outro") else known)
    swung = plan.swing > 0.5
    drums = 3 if swung and chance.random() < 0.7 else chance.randrange(len(DRUMS_OF[plan.metre]))
    return Part(
        chords=chords,
        halves=_in_halves(plan, chords) and chance.random() < 0.6,
        drums=drums,
        comping=chance.randrange(len(COMPING[plan.metre])),
        bass=3 if swung and chance.random() < 0.7 else chance.randrange(len(BASSES[plan.metre])),
        tune=() if label in ("intro", "outro") else _tune(plan, chance),
    )


def _in_halves(plan: Plan, chords: tuple[Chord, ...]) -> bool:
    """Whether two chords a bar would be slow enough to hear."""
    return plan.metre == "4/4" and len(chords) >= 6 and len(chords) % 2 == 0 and plan.bpm < 110


def _tune(plan: Plan, chance: random.Random) -> tuple[tuple[float, float, int], ...]:
    """A phrase of four bars: places, lengths and steps of the scale, with rests to breathe in."""
    bar_q = BAR_Q[plan.metre]
    lengths = (0.5, 0.5, 1.0, 1.0, 1.5, 2.0) if plan.metre != "6/8" else (0.5, 0.5, 0.5, 1.0, 1.5)
    tune: list[tuple[float, float, int]] = []
    at_q, degree = chance.choice((0.0, 0.0, 0.5, 1.0)), chance.choice((2, 4, 7))
    while at_q < 4 * bar_q - 1.0:
        length_q = min(chance.choice(lengths), 4 * bar_q - 0.5 - at_q)
        if chance.random() < 0.85:
            tune.append((at_q, length_q, degree))
            degree = max(-2, min(11, degree + chance.choice((-3, -2, -1, -1, 0, 1, 1, 2, 4))))
        at_q += length_q
    return tuple(tune)


def _write_bar(
    notes: list[Played], chords: list[Span], plan: Plan, part: Part,
    start_q: float, own: int, bars: int, label: str, tonic: int, chance: random.Random,
) -> None:  # fmt: skip
    """Write all parts of one bar; `own` is its number in the section."""
    bar_q = BAR_Q[plan.metre]
    last = own == bars - 1
    final = label == "outro" and last
    if part.halves:
        pair = [part.chords[(2 * own + half) % len(part.chords)] for half in (0, 1)]
        spans = [(start_q, start_q + bar_q / 2, pair[0]), (start_q + bar_q / 2, start_q + bar_q, pair[1])]
    else:
        spans = [(start_q, start_q + bar_q, part.chords[own % len(part.chords)])]
    if final:
        spans = [(start_q, start_q + bar_q, (0, "maj" if plan.mode == "major" else "min", 0))]
    for here_q, behind_q, chord in spans:
        root = (tonic + chord[0]) % 12
        slash = f"/{_DEGREES[chord[2]]}" if chord[2] else ""
        chords.append(Span(here_q, behind_q, f"{NAMES[root]}:{chord[1]}{slash}"))
        _bass(notes, plan, part, start_q, (here_q, behind_q), root, chord, final)
        _comp(notes, plan, part, start_q, (here_q, behind_q), root, chord, label, final)
    _drums(notes, plan, part, start_q, own, last, label, final, chance)
    if part.tune and not final:
        _lead(notes, plan, part, start_q, own, tonic, [(a, b, (tonic + c[0]) % 12, c) for a, b, c in spans])


def _bass(
    notes: list[Played], plan: Plan, part: Part, bar_start_q: float, span: tuple[float, float], root: int,
    chord: Chord, final: bool,
) -> None:  # fmt: skip
    low = 28 + (root + chord[2] - 28) % 12
    if final:
        notes.append(Played(*span, low, 92, _BASS_PART))
        return
    tones = TONES[chord[1]]
    above = {0: 0, 4: tones[1], 7: tones[2], 12: 12}
    first = True
    for at_q, length_q, which in BASSES[plan.metre][part.bass]:
        onset_q = bar_start_q + at_q
        if not span[0] - 1e-6 <= onset_q < span[1] - 1e-6:
            continue
        pitch = low if first or (which == 0) else 28 + (root + above[which] - 28) % 12 + (12 if which == 12 else 0)
        notes.append(Played(onset_q, min(onset_q + 0.95 * length_q, span[1]), pitch, 92 if first else 82, _BASS_PART))
        first = False
    if first:
        notes.append(Played(span[0], span[1], low, 86, _BASS_PART))


def _comp(
    notes: list[Played], plan: Plan, part: Part, bar_start_q: float, span: tuple[float, float], root: int,
    chord: Chord, label: str, final: bool,
) -> None:  # fmt: skip
    pitches = [52 + (root + tone - 52) % 12 for tone in TONES[chord[1]]]
    if label in ("chorus", "B") or final:
        notes.extend(Played(*span, pitch + 12, 52, _PAD_PART) for pitch in pitches)
    figure = COMPING[plan.metre][part.comping]
    if final:
        notes.extend(Played(*span, pitch, 86, _COMP_PART) for pitch in pitches)
    elif not figure:
        upward = [*sorted(pitches), sorted(pitches)[-2]]
        for step in range(round((span[1] - span[0]) * 2)):
            onset_q = span[0] + step / 2
            notes.append(Played(onset_q, min(span[1], onset_q + 0.8), upward[step % len(upward)], 88, _COMP_PART))
    else:
        hits = [(bar_start_q + at, bar_start_q + at + length) for at, length in figure]
        inside = [(max(span[0], a), min(span[1], b)) for a, b in hits if a < span[1] - 1e-6 and b > span[0] + 1e-6]
        notes.extend(Played(a, b, pitch, 86, _COMP_PART) for a, b in inside for pitch in pitches)


def _drums(
    notes: list[Played], plan: Plan, part: Part, start_q: float, own: int, last: bool, label: str, final: bool,
    chance: random.Random,
) -> None:  # fmt: skip
    bar_q = BAR_Q[plan.metre]

    def hit(at_q: float, drum: int, loud: int) -> None:
        shaded = max(1, min(127, loud + chance.randint(-6, 6)))
        notes.append(Played(start_q + at_q, start_q + at_q + 0.2, drum, shaded, _DRUM_PART))

    if final:
        hit(0, CRASH, 100)
        hit(0, KICK, 100)
        return
    if own == 0 and label not in ("intro", "bridge"):
        hit(0, CRASH, 96)
    for at_q, drum, loud in DRUMS_OF[plan.metre][part.drums]:
        if last and at_q >= bar_q - 1 and drum not in (KICK,):
            continue
        if label in ("intro", "bridge") and drum in (KICK, SNARE) and own < 2:
            continue
        hit(at_q, drum, loud)
    if last:
        for step, drum in enumerate((SNARE, SNARE, TOM, TOM - 2)):
            hit(bar_q - 1 + step / 4, drum, 84 + 5 * step)


def _lead(
    notes: list[Played], plan: Plan, part: Part, start_q: float, own: int, tonic: int,
    spans: list[tuple[float, float, int, Chord]],
) -> None:  # fmt: skip
    """Write the tune's notes of one bar; long ones on the beat give way to the next tone of the chord."""
    bar_q, scale = BAR_Q[plan.metre], SCALES[plan.mode]
    base = 60 + (tonic - 6) % 12
    for at_q, length_q, degree in part.tune:
        if int(at_q // bar_q) != own % 4:
            continue
        onset_q = start_q + at_q - (own % 4) * bar_q
        pitch = base + 12 * (degree // 7) + scale[degree % 7]
        if length_q >= 1 or at_q % 1 == 0:
            held = next((s for s in spans if s[0] - 1e-6 <= onset_q < s[1]), spans[-1])
            tones = {(held[2] + tone) % 12 for tone in TONES[held[3][1]]}
            pitch = min(range(pitch - 3, pitch + 4), key=lambda p: (p % 12 not in tones, abs(p - pitch), p))
        notes.append(Played(onset_q, onset_q + 0.92 * length_q, pitch, 96, _LEAD_PART))


def _swung(note: Played, swing: float) -> Played:
    """Move what lies between the beats so that the first half of each beat takes its share of it."""
    if swing == 0.5:
        return note

    def moved(place_q: float) -> float:
        beat, share = divmod(place_q, 1.0)
        return beat + (share * 2 * swing if share < 0.5 else swing + (share - 0.5) * 2 * (1 - swing))

    return note._replace(onset_q=moved(note.onset_q), end_q=max(moved(note.onset_q) + 0.05, moved(note.end_q)))


def _tempi(plan: Plan, end_q: float, chance: random.Random) -> tuple[tuple[float, float], ...]:
    if plan.movement == "drift":
        return expressive(plan.bpm, end_q, chance, drift=0.02)
    if plan.movement == "ramp":
        first_q, last_q = 0.2 * end_q, 0.8 * end_q
        aim = plan.bpm * chance.choice((0.8, 1.2, 1.25))
        return ((0.0, plan.bpm), *ramp(first_q, last_q, plan.bpm, aim), (last_q, aim))
    return ((0.0, round(plan.bpm, 3)),)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for span in spans:
        if found and found[-1].label == span.label:
            found[-1] = found[-1]._replace(end_q=span.end_q)
        else:
            found.append(span)
    return tuple(found)

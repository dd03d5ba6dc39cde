"""The accompaniment: on the beats, in the chords, the same for the same request, and sane for nonsense."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
from notes_material import FileBlobs, request

from domain import ids
from domain.errors import LimitExceeded, Malformed
from domain.parameters import ACCOMPANIMENT_PARAMETERS, Parameter, validate
from processors.generation.accompaniment import accompany, write_accompaniment
from processors.harmony.labels import harmony, pitch_class
from processors.midi.notes import Notes, read_midi, write_midi

STYLES = ("pop", "ballad", "swing", "four-on-the-floor")
BASS, CHORDS, DRUMS = 0, 1, 9
DRIFTING = tuple(0.61 + np.cumsum(0.5 + 0.12 * np.sin(np.arange(96) / 9)))
PITCHES = {
    "A:min": {9, 0, 4},
    "F": {5, 9, 0},
    "C:maj/3": {4, 7, 0},
    "G:7": {7, 11, 2, 5},
    "F#:hdim7": {6, 9, 0, 4},
    "Bb:maj7": {10, 2, 5, 9},
}
BASSES = {"A:min": 9, "F": 5, "C:maj/3": 4, "G:7": 7, "F#:hdim7": 6, "Bb:maj7": 10}


def progression(beats_s: tuple[float, ...], each: int = 4) -> tuple[tuple[float, float, str], ...]:
    """Six chords in turn, each for so many beats, the first from 0 on."""
    labels = list(PITCHES)
    edges = [0.0, *beats_s[each::each], beats_s[-1] + 0.5]
    return tuple(
        (float(start), float(end), labels[index % len(labels)]) for index, (start, end) in enumerate(pairwise(edges))
    )


def band(*, style: str = "pop", seed: int = 1, density: float = 0.6, humanise_ms: float = 0.0, **more: float) -> Notes:
    """An accompaniment to the drifting beats and the six chords, as read back from its file."""
    parameters = {"style": style, "density": density, "humanise_ms": humanise_ms, **more}
    given = request(DRIFTING, DRIFTING[-1] + 0.5, chords=progression(DRIFTING), seed=seed, parameters=parameters)
    return read_midi(write_midi(accompany(given)))


def part(notes: Notes, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start_s, end_s, pitch) of one channel."""
    of = notes.channel == channel
    return notes.start_s[of], notes.end_s[of], notes.pitch[of]


@pytest.mark.parametrize("style", STYLES)
def test_every_beat_of_the_source_is_a_beat_of_the_file_within_a_millisecond(style: str):
    """Given beats that drift between 95 and 160 bpm, then mido's clock has quarter notes at every one of them."""
    given = request(DRIFTING, DRIFTING[-1] + 0.5, chords=progression(DRIFTING), parameters={"style": style})
    file = mido.MidiFile(file=io.BytesIO(write_midi(accompany(given))))
    times, tempos, tick = [], {}, 0
    for message in file.tracks[0]:
        tick += message.time
        if message.type == "set_tempo":
            tempos[tick] = message.tempo
    first = sorted(tempos)[1]  # the lead-in has a tempo of its own
    quarters = [first + 480 * beat for beat in range(len(DRIFTING))]
    now, at, tempo = 0.0, 0, 500000
    for tick in sorted({*tempos, *quarters}):
        now, at = now + mido.tick2second(tick - at, 480, tempo), tick
        tempo = tempos.get(tick, tempo)
        if tick in quarters:
            times.append(now)
    np.testing.assert_allclose(times, DRIFTING, atol=0.001)


@pytest.mark.parametrize("style", STYLES)
def test_drums_fall_on_the_beats(style: str):
    """Given drifting beats, then every beat has a drum within a millisecond of it."""
    starts, _, _ = part(band(style=style), DRUMS)
    away = np.abs(starts[:, None] - np.array(DRIFTING)).min(axis=0)
    assert away.max() < 0.001


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_the_bass_takes_the_chord_where_it_begins(style: str, density: float):
    """Given changes of chord, then on each the bass plays the chord's bass tone, and stays in its range."""
    starts, _, pitches = part(band(style=style, density=density), BASS)
    for begin, _, label in progression(DRIFTING)[1:]:
        at = np.flatnonzero(np.abs(starts - begin) < 0.001)
        assert len(at) == 1
        assert pitches[at[0]] % 12 == BASSES[label]
    assert pitches.min() >= 28
    assert pitches.max() <= 48


@pytest.mark.parametrize("style", STYLES)
def test_chords_hold_only_tones_of_the_chord_that_sounds(style: str):
    """Given chords, then every note of the chord part is of the chord heard at its start, and ends with it."""
    starts, ends, pitches = part(band(style=style, density=1.0), CHORDS)
    spans = progression(DRIFTING)
    for start, end, pitch in zip(starts, ends, pitches, strict=True):
        _, until, label = next(span for span in reversed(spans) if span[0] <= start + 0.001)
        assert pitch % 12 in PITCHES[label]
        assert end <= until + 0.002
    assert pitches.min() >= 48
    assert pitches.max() <= 79


def test_voices_move_little_from_chord_to_chord():
    """Given six chords in turn, then from one voicing to the next no voice moves further than a fourth."""
    starts, _, pitches = part(band(style="ballad", density=0.0), CHORDS)
    voicings = [sorted(pitches[starts == start].tolist()) for start in np.unique(starts)]
    for before, after in pairwise(voicings):
        assert len(after) >= 3
        assert max(min(abs(pitch - other) for other in before) for pitch in after) <= 5


@pytest.mark.parametrize("style", STYLES)
def test_the_same_request_gives_the_same_bytes_and_another_seed_others(style: str):
    """Given a seed, then its bytes are its own; another seed varies the performance."""
    first, again, other = (write_midi(band(style=style, seed=seed, humanise_ms=6)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert not np.array_equal(part(band(style=style, seed=7), DRUMS)[2], part(band(style=style, seed=9), DRUMS)[2])


def test_a_fresh_process_gives_the_same_bytes():
    """Given the same request in another process, then the file is the same to the byte."""
    script = (
        "import sys, hashlib; sys.path.insert(0, 'tests/algorithms');"
        "from test_accompaniment import band, write_midi; sys.stdout.write(write_midi(band(humanise_ms=9.0)).hex())"
    )
    root = Path(__file__).parents[2]
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert there.stdout == write_midi(band(humanise_ms=9.0)).hex()


def test_bars_are_filled_every_fourth_bar_and_crash_after_the_eighth():
    """Given 24 bars, then the drums of bars 4, 8, … differ from the pattern and bars 1, 9, 17 begin with a crash."""
    starts, _, pitches = part(band(density=0.0), DRUMS)
    crashes = [int(np.argmin(np.abs(np.array(DRIFTING) - start))) for start in starts[pitches == 49]]
    assert crashes[:3] == [0, 32, 64]
    bars = np.searchsorted(np.array(DRIFTING[::4]) - 0.001, starts, side="right") - 1
    plain = sorted(pitches[bars == 1].tolist())
    assert plain == sorted(pitches[bars == 2].tolist())
    for bar in (3, 7, 11, 15):
        assert sorted(pitches[bars == bar].tolist()) != plain


def test_density_adds_notes_and_a_level_of_0_leaves_a_part_out():
    """Given more density, then more is played; given no bass, then only the bass is gone."""
    sparse, dense, without = band(density=0.0), band(density=1.0), band(bass_level=0)
    assert len(sparse) < len(band()) < len(dense)
    assert not (without.channel == BASS).any()
    whole = band()
    for channel in (CHORDS, DRUMS):
        np.testing.assert_array_equal(part(without, channel)[2], part(whole, channel)[2])


def test_swing_moves_off_beats_to_the_last_third():
    """Given full swing on a steady grid, then what fell on halves falls on two thirds of the beat, beats stay."""
    beats = tuple(np.arange(0, 16, 0.5))
    given = {"density": 0.4, "humanise_ms": 0}
    straight, swung = (
        accompany(request(beats, 16.0, parameters={**given, "swing": swing})).start_s % 0.5 for swing in (0, 1)
    )
    assert np.any(np.isclose(straight, 0.25, atol=1e-6))
    places = np.unique(swung.round(4))
    assert any(np.isclose(places, 1 / 3, atol=1e-4))
    assert not any(np.isclose(places, 0.25, atol=1e-3))


def test_humanising_moves_notes_by_no_more_than_it_says():
    """Given 10 ms, then the bass lies within 10 ms of where it lies without, and not exactly there."""
    still, moved = (accompany(request(parameters={"humanise_ms": ms}, duration_s=30.0)) for ms in (0, 10))
    away = np.sort(part(moved, BASS)[0]) - np.sort(part(still, BASS)[0])
    assert 0.002 < np.abs(away).max() <= 0.0101


@pytest.mark.parametrize(("chords", "key"), [((), ("F#", "minor")), (((0.0, 9.0, "N"),), ("F#", "minor"))])
def test_without_chords_the_tonic_sounds(chords: tuple[tuple[float, float, str], ...], key: tuple[str, str]):
    """Given no chords or only N, then the chord part is the key's tonic triad."""
    notes = accompany(request((), 9.0, chords=chords, key=key))
    assert set((part(notes, CHORDS)[2] % 12).tolist()) == {6, 9, 1}


def test_no_chord_between_chords_holds_the_one_before():
    """Given C, nothing, G, then C goes on until G."""
    chords = ((0.0, 2.0, "C"), (2.0, 6.0, "N"), (6.0, 8.0, "G"))
    starts, _, pitches = part(accompany(request((), 8.0, chords=chords, parameters={"humanise_ms": 0})), CHORDS)
    assert set((pitches[starts < 6] % 12).tolist()) == {0, 4, 7}
    assert set((pitches[starts >= 6] % 12).tolist()) == {7, 11, 2}


@pytest.mark.parametrize(
    ("beats_s", "duration_s"),
    [
        ((), 0.0),
        ((), 0.01),
        ((), 7.3),
        ((2.2,), 7.3),
        ((9.0,), 7.3),
        ((1.0, 1.0, 1.0), 5.0),
        ((3.0, 2.0, 1.0), 5.0),
        (tuple(np.arange(0, 5, 0.01)), 5.0),
        ((0.0, 20.0, 40.0), 50.0),
        ((0.0, 0.5, 1.0, 1.5, 30.0, 30.5), 40.0),
        ((1e-9, 0.5, 1.0), 3.0),
        ((119.0, 119.5), 120.0),
    ],
)
def test_odd_beats_give_a_file_that_ends_with_the_source(beats_s: tuple[float, ...], duration_s: float):
    """Given no beats, one, doubled, unsorted, crowded or gaping ones, then a file comes out, within the duration."""
    given = request(beats_s, duration_s, chords=((0.0, duration_s, "D:min7"),))
    notes = read_midi(write_midi(accompany(given)))
    assert notes.duration_s <= duration_s + 0.003
    assert (len(notes) > 0) == (duration_s > 0.1)
    first = min((beat for beat in beats_s if beat < duration_s), default=0.0)
    assert not len(notes) or notes.start_s.min() >= first % 0.5 - 0.01


def test_a_single_beat_sets_the_phase_of_a_steady_grid():
    """Given one beat at 2.2 s, then drums lie on 120 a minute through it."""
    starts, _, _ = part(accompany(request((2.2,), 8.0, parameters={"humanise_ms": 0, "density": 0.0})), DRUMS)
    assert np.any(np.isclose(starts, 2.2))
    assert np.any(np.isclose(starts, 0.2))


def test_length_is_bounded():
    """Given a day of music, then the limit is told."""
    with pytest.raises(LimitExceeded):
        accompany(request((), 86_400.0))


def test_the_event_says_what_was_made(tmp_path: Path):
    """Given a request, when it is handled, then asset, facts and sources are those of the file in the store."""
    blobs, given = FileBlobs(tmp_path), request((), 8.0)
    event = write_accompaniment.handle(given, blobs)
    notes = read_midi(blobs.path(event.content.sha256))
    assert (event.facts.notes, event.facts.format, event.facts.tracks) == (len(notes), "midi 1", 3)
    assert event.asset_id == ids.asset_id(given.project_id, event.content.sha256)
    assert (event.generation_id, event.source_ids) == (given.generation_id, (given.asset_id,))
    assert (event.name, event.content.media_type) == ("with a band", "audio/midi")


@pytest.mark.parametrize(
    ("label", "tones", "bass"),
    [
        ("C", {0, 4, 7}, 0),
        ("A:min", {9, 0, 4}, 9),
        ("Db:maj7/5", {1, 5, 8, 0}, 8),
        ("G:7(*5,b9)", {7, 11, 5, 8}, 7),
        ("E:(1,3,5)", {4, 8, 11}, 4),
        ("D:sus4(b7)/b7", {2, 7, 9, 0}, 0),
        ("Cb:dim7", {11, 2, 5, 8}, 11),
    ],
)
def test_labels_are_read_as_harte_defines_them(label: str, tones: set[int], bass: int):
    """Given labels worked out by hand from Harte's syntax, then tones and bass are those."""
    found = harmony(label)
    assert found is not None
    assert (set(found.tones), found.bass) == (tones, bass)


@pytest.mark.parametrize("label", ["H", "", "c:maj", "C:major", "C/x", "C:maj(0)", "C" * 400])
def test_what_is_no_label_is_named(label: str):
    """Given what is no chord label, then the error repeats it."""
    with pytest.raises(Malformed, match=r"chord label|degree"):
        harmony(label)


def test_no_chord_is_none_and_accidentals_add_up():
    """Given N and X, then there is no harmony; given double accidentals, then they add up."""
    assert harmony("N") is None
    assert harmony("X") is None
    assert (pitch_class("Bb"), pitch_class("B"), pitch_class("F##"), pitch_class("Cb")) == (10, 11, 7, 11)


def test_parameters_take_their_defaults_and_refuse_what_is_outside():
    """Given nothing, then defaults; given a wrong value or name, then the message has name, range and value."""
    assert validate(ACCOMPANIMENT_PARAMETERS, {})["style"] == "pop"
    assert validate(ACCOMPANIMENT_PARAMETERS, {"density": 1})["density"] == 1.0
    for given, words in (
        ({"density": 1.5}, "density must be a number from 0 to 1, not 1.5"),
        ({"density": True}, "density"),
        ({"density": float("nan")}, "density"),
        ({"density": 10**400}, "density"),
        ({"humanise_ms": "loose"}, "from 0 to 30 ms, not 'loose'"),
        ({"style": "polka"}, "one of pop, ballad, swing, four-on-the-floor, not 'polka'"),
        ({"tempo": 3}, "no parameter 'tempo'"),
    ):
        with pytest.raises(Malformed, match=words):
            validate(ACCOMPANIMENT_PARAMETERS, given)


def test_a_parameter_s_control_reaches_both_ends_and_is_skewed_between():
    """Given skew 2, then half way is a quarter of the range."""
    declared = Parameter(name="delay_ms", default=0.0, minimum=0.0, maximum=100.0, unit="ms", skew=2.0, help="")
    assert [declared.at(way) for way in (-1, 0, 0.5, 1, 2)] == [0, 0, 25, 100, 100]
    with pytest.raises(Malformed):
        Parameter(name="lost", default=0.0, help="")

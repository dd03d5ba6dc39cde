"""What the evaluation set of `benchmarks/hearing` says is true of a piece is true, and scoring knows good from bad."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import mido
import mir_eval
import numpy as np
import pytest
import soundfile
from music21 import meter, note, stream

from benchmarks.hearing import arrange, corpus, instruments, melodies, page, recipes, render, scores
from benchmarks.hearing.answers import Beats, Keys, Pitch
from benchmarks.hearing.material import Item, write_json
from benchmarks.hearing.measuring import Run, fallen
from benchmarks.hearing.sheet import DRUMS, Clock, Played, Sheet, Span, cut, ramp
from benchmarks.hearing.smf import write_midi
from benchmarks.hearing.truth import HOP_S, Truth, from_json, to_json, truth_of

RATE_HZ = render.RATE_HZ
SEED = 5


def _part(signature: str, *lengths_q: float) -> stream.Part:
    """A part whose measures are of these lengths, each filled by one note."""
    part = stream.Part()
    at_q = 0.0
    for number, length_q in enumerate(lengths_q):
        measure = stream.Measure(number=number)
        if not number:
            measure.append(meter.TimeSignature(signature))
        measure.append(note.Note("C4", quarterLength=length_q))
        part.insert(at_q, measure)
        at_q += length_q
    return part


def _steady(**values: object) -> Sheet:
    """A sheet of one part at 120 to the minute."""
    plain = {"name": "x", "kind": "score", "programs": (0,), "notes": (), "tempi": ((0.0, 120.0),), "end_q": 8.0}
    return Sheet(**(plain | values))  # type: ignore[arg-type]  # the names are the fields'


@pytest.fixture(scope="module")
def pieces() -> list[Sheet]:
    """Arrangements in every metre, with swing, modulation and ramps among them."""
    return [arrange.arrangement(f"arrangement-{index:02d}", index, SEED) for index in range(24)]


def test_a_pickups_beats_count_back_from_the_first_bar_line() -> None:
    """Given 3/4 with a pickup of two quarters, when read, then both are beats and the downbeat comes after them."""
    bars = corpus.bar_lines(_part("3/4", 2, 3, 3))
    assert [beat for bar in bars for beat in bar.beats_q] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [bar.start_q for bar in bars if bar.begins] == [2, 5]


def test_a_pickup_shorter_than_a_beat_has_none() -> None:
    """Given 6/8 with an eighth before the bar, when read, then beats are dotted quarters from the bar line on."""
    bars = corpus.bar_lines(_part("6/8", 0.5, 3, 3))
    assert [beat for bar in bars for beat in bar.beats_q] == [0.5, 2.0, 3.5, 5.0]
    assert [bar.start_q for bar in bars if bar.begins] == [0.5, 3.5]


def test_a_bar_parted_by_a_repeat_is_one_bar() -> None:
    """Given 4/4 with a bar of three and one quarters, when read, then it has one downbeat and four beats."""
    bars = corpus.bar_lines(_part("4/4", 4, 3, 1, 4))
    assert [beat for bar in bars for beat in bar.beats_q] == list(range(12))
    assert [bar.start_q for bar in bars if bar.begins] == [0, 4, 8]


def test_a_chorales_analysis_lies_on_its_notes() -> None:
    """Given a chorale and its Roman numerals, when read, then nine of ten basses are that of the chord told."""
    work = next(work for work in corpus.WORKS if work.path == "bach/bwv281")
    score = corpus.parsed(work.path)
    notes = [note for index, part in enumerate(score.parts) for note in corpus.notes_of(part, index, 999.0)]
    _, _, chords = corpus.harmony(work.analysis or "", 999.0)
    right = 0
    for span in chords:
        root, _, bass = mir_eval.chord.encode(span.label)
        sounding = min(n.pitch for n in notes if n.onset_q <= span.start_q < n.end_q)
        right += sounding % 12 == (root + bass) % 12
    assert right >= 0.9 * len(chords)


def test_an_arrangements_chords_are_what_is_played(pieces: list[Sheet]) -> None:
    """Given arrangements, when chords are told, then bass and accompaniment play their tones, on the bass told."""
    for piece in pieces:
        for span in piece.chords:
            root, tones, bass = mir_eval.chord.encode(span.label)
            told = {(root + int(tone)) % 12 for tone in np.flatnonzero(tones)} | {(root + bass) % 12}
            within = [n for n in piece.notes if n.part in (1, 2) and span.start_q <= n.onset_q < span.end_q]
            assert {n.pitch % 12 for n in within} <= told, f"{piece.name} at {span}"
            lowest = min((n for n in within if n.part == 1), key=lambda n: n.onset_q)
            assert lowest.pitch % 12 == (root + bass) % 12, f"{piece.name} at {span}"


def test_an_arrangement_is_told_without_gaps(pieces: list[Sheet]) -> None:
    """Given arrangements, when told, then chords, keys and sections follow one another from the start to the end."""
    for piece in pieces:
        for spans in (piece.chords, piece.keys, piece.sections):
            assert spans[0].start_q == 0
            assert spans[-1].end_q == pytest.approx(piece.end_q)
            assert all(one.end_q == pytest.approx(two.start_q) for one, two in pairwise(spans))


def test_the_same_seed_writes_the_same_pieces() -> None:
    """Given a seed, when written twice, then nothing differs; and another seed differs."""
    assert arrange.arrangement("a", 3, SEED) == arrange.arrangement("a", 3, SEED)
    assert arrange.arrangement("a", 3, SEED).notes != arrange.arrangement("a", 3, SEED + 1).notes


def test_swing_delays_the_second_half_of_a_beat(pieces: list[Sheet]) -> None:
    """Given a swung arrangement, when its offbeats are measured, then they lie where the truth's share says."""
    swung = [piece for piece in pieces if piece.swing and piece.swing > 0.5]
    assert swung
    for piece in swung:
        inside = [n.onset_q % 1 for n in piece.notes if 0.3 < n.onset_q % 1 < 0.8]
        assert np.median(inside) == pytest.approx(piece.swing, abs=0.01)


def test_halves_share_no_piece() -> None:
    """Given recipes, when split, then each piece is in one half, the halves are as large, and again the same."""
    sheets = arrange.sheets(SEED) + melodies.sheets(SEED)
    dealt = recipes.dealt(sheets)
    halves = {split: {one.name for one in dealt if one.split == split} for split in ("dev", "test")}
    assert not halves["dev"] & halves["test"]
    assert halves["dev"] | halves["test"] == {sheet.name for sheet in sheets}
    assert abs(len(halves["dev"]) - len(halves["test"])) <= 1
    assert [(one.name, one.split) for one in recipes.dealt(sheets)] == [(one.name, one.split) for one in dealt]


def test_each_instrument_is_of_one_family() -> None:
    """Given the families, when their instruments are counted, then none is in two."""
    programs = [program for programs in instruments.FAMILIES.values() for program in programs]
    assert len(programs) == len(set(programs))


def test_a_ramp_takes_the_time_of_its_closed_form() -> None:
    """Given a tempo going evenly from 100 to 150 over 64 quarters, then they take 64·60·ln(1.5)/50 seconds."""
    clock = Clock(tuple(ramp(0, 64, 100, 150)))
    assert clock.seconds(64) == pytest.approx(64 * 60 * np.log(1.5) / 50, rel=1e-4)
    assert clock.place(clock.seconds(17.3)) == pytest.approx(17.3)


def test_a_cut_ends_on_a_bar_line() -> None:
    """Given a piece, when cut, then it ends on a bar line within the length, and nothing sounds beyond."""
    whole = arrange.arrangement("arrangement-00", 0, SEED)
    part = cut(whole, 20.0)
    assert 15 < part.length_s <= 20
    assert part.end_q in whole.downbeats_q
    assert max(n.end_q for n in part.notes) <= part.end_q
    assert part.chords[-1].end_q == part.end_q


def test_a_note_is_written_when_the_truth_says(tmp_path: Path) -> None:
    """Given two sheets in one MIDI file, when read by mido, then each onset is at its sheet's start plus its truth."""
    notes = (Played(0, 1, 60, 90, 0), Played(1.5, 2, 67, 90, 0))
    sheets = [_steady(notes=notes, end_q=2.0), _steady(notes=notes, end_q=2.0, lead_s=0.5)]
    starts_s = write_midi(sheets, tmp_path / "x.mid")
    now, onsets = 0.0, []
    for message in mido.MidiFile(str(tmp_path / "x.mid")):
        now += message.time
        if message.type == "note_on":
            onsets.append(now)
    told = [
        start + onset
        for start, sheet in zip(starts_s, sheets, strict=False)
        for onset, _, _ in truth_of(sheet).notes or []
    ]
    assert onsets == pytest.approx(told, abs=0.001)


def test_tuning_moves_notes_and_melody_alike() -> None:
    """Given a piece 30 cents high, when told, then its A is at 440·2^(30/1200) Hz and its notes are .3 higher."""
    truth = truth_of(_steady(notes=(Played(0, 4, 69, 90, 0),), melody=0, tuning_cents=30.0, lead_s=0.0))
    assert truth.notes == [(0.0, 2.0, 69.3)]
    assert truth.melody_hz is not None
    assert truth.melody_hz[100] == pytest.approx(440 * 2 ** (30 / 1200), abs=0.01)
    assert truth.melody_hz[-1] == 0


def test_a_sung_pitch_is_what_sounds() -> None:
    """Given a synthetic voice, when its period is measured, then it is that of the truth within 10 cents."""
    sheet = melodies.tune("sung-00", 52, SEED, sung=True)
    samples, hz = melodies.sing(sheet, 1)
    around_each = np.lib.stride_tricks.sliding_window_view(hz, 9)
    steady = (around_each.min(axis=1) > 0) & (np.ptp(around_each, axis=1) < 0.01 * around_each[:, 4])
    voiced = np.flatnonzero(steady) + 4
    assert len(voiced) > 100
    errors = []
    for k in voiced[:: len(voiced) // 50]:
        centre = round(k * HOP_S * RATE_HZ)
        window = samples[0, centre - 1323 : centre + 1323]
        lag = RATE_HZ / hz[k]
        around = np.arange(int(0.9 * lag), int(1.1 * lag) + 2)
        fits = np.array([np.dot(window[:-shift], window[shift:]) / (len(window) - shift) for shift in around])
        best = int(fits[1:-1].argmax()) + 1
        low, mid, high = fits[best - 1 : best + 2]
        period = around[best] + (low - high) / (2 * (low - 2 * mid + high))
        errors.append(1200 * np.log2(lag / period))
    assert np.median(np.abs(errors)) < 10


def test_a_note_is_there_until_it_has_faded() -> None:
    """Given a tone that falls by 60 dB a second and rings on behind its note, then it is there for half a second."""
    sheet = _steady(kind="melody", notes=(Played(0, 0.2, 69, 90, 0), Played(4, 5, 71, 90, 0)), melody=0, lead_s=0.0)
    at_s = np.arange(3 * RATE_HZ) / RATE_HZ
    levels = np.where(at_s < 2, 10 ** (-3 * at_s), 10 ** (-3 * (at_s - 2)))
    hz = melodies.ringing(sheet, np.stack([levels * np.sin(2 * np.pi * 440 * at_s)] * 2))
    assert np.flatnonzero(hz[:200])[-1] * HOP_S == pytest.approx(0.5, abs=0.03)
    assert set(np.round(hz[hz > 0], 2)) == {440.0, 493.88}


@pytest.mark.parametrize("how", render.DEGRADATIONS)
def test_a_degradation_moves_nothing(how: str) -> None:
    """Given a click, when degraded, then it is still there within a millisecond, and the length is the same."""
    clicks = np.zeros((2, 2 * RATE_HZ), np.float32)
    clicks[:, RATE_HZ : RATE_HZ + 40] = np.hanning(40)
    heard = render.degrade(clicks, how, seed=3)
    assert heard.shape == clicks.shape
    assert abs(int(np.abs(heard[0]).argmax()) - RATE_HZ - 20) < RATE_HZ // 1000


def test_what_was_written_is_read(tmp_path: Path, pieces: list[Sheet]) -> None:
    """Given an item's files, when loaded, then truth and sound are those that were written."""
    truth = truth_of(pieces[3])
    write_json(tmp_path / "one.json", to_json(truth))
    tone = (0.5 * np.sin(np.arange(4410) / 20)).astype(np.float32)
    soundfile.write(tmp_path / "one.flac", np.stack([tone, -tone], axis=1), RATE_HZ, subtype="PCM_16")
    item = Item("one", "arrangement", "dev", "fluidr3", "clean", (), tmp_path)
    samples, rate_hz = item.audio()
    assert item.truth == truth
    assert (samples.shape, samples.dtype, rate_hz) == ((2, 4410), np.float32, RATE_HZ)
    assert np.abs(samples[0] - tone).max() < 1e-4


def _perfect(truth: Truth) -> dict[str, dict[str, float]]:
    hz = np.array(truth.melody_hz)
    times_s = np.array(truth.beats_s)
    beats = Beats(times_s, truth.tempo_bpm, np.array(truth.downbeats_s), truth.beats_per_bar, swing=truth.swing)
    return {
        "beats": scores.beats(beats, truth),
        "key": scores.key(Keys(truth.key, truth.keys), truth),
        "chords": scores.chords(truth.chords or [], truth),
        "sections": scores.sections(truth.sections or [], truth),
        "melody": scores.melody(Pitch(np.arange(len(hz)) * HOP_S, hz), truth),
        "notes": scores.notes(truth.notes or [], truth),
    }


def test_the_truth_itself_scores_one(pieces: list[Sheet]) -> None:
    """Given the truth as the answer, when scored, then every measure is 1; of a ramp too, told by its beats."""
    for piece in (pieces[0], pieces[3], pieces[6]):
        for task, found in _perfect(truth_of(piece)).items():
            assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=1e-6), task
    ramped = next(piece for piece in pieces if "ramp" in piece.tags)
    truth = truth_of(ramped)
    assert scores.ramp(Beats(np.array(truth.beats_s)), truth)["median"] > 0.99


def test_poor_answers_score_what_the_measures_say(pieces: list[Sheet]) -> None:
    """Given offbeats, a relative key, no chord and silence, when scored, then 0, MIREX's 0.3, 0 and 0."""
    truth = truth_of(next(piece for piece in pieces if (piece.metre == "4/4" and piece.key == ("D", "major")) or piece))
    beats = np.array(truth.beats_s)
    off = Beats(beats[:-1] + np.diff(beats) / 2, 2 * (truth.tempo_bpm or 0), np.array(truth.downbeats_s) + 0.2)
    found = scores.beats(off, truth)
    assert (found["f"], found["downbeat_f"], found["tempo"]) == (0, 0, 0)
    major = Truth(1.0, key=("C", "major"))
    assert scores.key(Keys(("A", "minor")), major) == {"exact": 0.0, "mirex": 0.3}
    assert scores.key(Keys(None), major) == {"exact": 0.0, "mirex": 0.0}
    assert max(scores.chords([(0.0, 999.0, "N")], truth).values()) == 0
    assert scores.melody(Pitch(np.zeros(0), np.zeros(0)), truth)["rpa"] == 0
    assert scores.notes([], truth)["onset_f"] == 0
    assert scores.family("flute", Truth(1.0, family="reed")) == {"right": 0.0}


def test_numerals_are_compared_as_chords_in_their_key() -> None:
    """Given figures, when compared, then an inversion costs `full` alone, another key or degree costs both."""
    truth = Truth(4.0, numerals=[(0.0, 2.0, "C major:V6/5"), (2.0, 4.0, "C major:V/V")])
    assert scores.numerals([(0.0, 2.0, "C major:V6/5"), (2.0, 4.0, "C major:II")], truth) == {
        "degree": 1.0,
        "full": 1.0,
    }
    assert scores.numerals([(0.0, 4.0, "C major:V7")], truth) == {"degree": 0.5, "full": 0.0}
    assert scores.numerals([(0.0, 4.0, "G major:I")], truth) == {"degree": 0.0, "full": 0.0}
    assert scores.numerals([(0.0, 4.0, "C major:nonsense")], truth) == {"degree": 0.0, "full": 0.0}


def test_a_figure_that_fell_everywhere_is_told_and_one_item_alone_is_noise(tmp_path: Path) -> None:
    """Given kept figures, when most items are worse, then that is told; when one of twenty is, it is not."""
    kept, worse, noisy = Run(), Run(), Run()
    for index in range(20):
        kept.add("beats.f", f"item {index}", 0.9)
        worse.add("beats.f", f"item {index}", 0.9 - 0.05 * (index % 4 > 0))
        noisy.add("beats.f", f"item {index}", 0.9 - 0.3 * (index == 7))
    page.write_kept(kept, "test", tmp_path / "figures.json")
    assert page.complaints(kept, "test", tmp_path / "figures.json") == []
    assert page.complaints(noisy, "test", tmp_path / "figures.json") == []
    assert "beats.f fell" in page.complaints(worse, "test", tmp_path / "figures.json")[0]
    assert fallen(kept.table["beats.f"], worse.table["beats.f"])[0] == pytest.approx(0.0375)


def test_the_table_replaces_only_what_is_between_its_markers(tmp_path: Path) -> None:
    """Given a page with words around the table, when written twice, then they stay and there is one table."""
    path = tmp_path / "analysis.md"
    path.write_text(f"# Before\n\n{page.BEGIN}\nold\n{page.END}\n\nbehind\n", encoding="utf-8")
    page.write_page("| new |\n", path)
    page.write_page("| newer |\n", path)
    assert path.read_text(encoding="utf-8") == f"# Before\n\n{page.BEGIN}\n| newer |\n{page.END}\n\nbehind\n"


def test_drums_are_no_notes_to_be_transcribed() -> None:
    """Given a kit and a piano, when told, then the truth's notes are the piano's."""
    notes = (Played(0, 1, 36, 90, 0), Played(0, 1, 60, 90, 1))
    truth = truth_of(_steady(programs=(DRUMS, 0), notes=notes, sections=(Span(0, 8, "A"),)))
    assert [pitch for _, _, pitch in truth.notes or []] == [60]
    assert from_json(to_json(truth)) == truth

"""The built-in instrument, listened to by measuring: pitch, level, onsets, clicks, and the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from notes_material import FileBlobs, imported, imported_notes, notes
from scipy.signal import resample_poly

from domain import ids
from domain.errors import LimitExceeded
from processors.midi.notes import write_midi
from processors.synthesis.render import INSTRUMENT_MODEL, play, render_notes, to_flac
from processors.synthesis.timbres import RATE_HZ, frequency_hz

PROGRAMS = {"piano": 0, "bell": 11, "organ": 19, "guitar": 25, "bass": 33, "strings": 48, "brass": 61, "reed": 65}
PROGRAMS |= {"flute": 73, "lead": 80, "pad": 89, "koto": 107, "timpani": 47, "choir": 52}
KIT = {"kick": 36, "snare": 38, "rim": 37, "clap": 39, "closed hat": 42, "open hat": 46, "tom": 45, "crash": 49}
KIT |= {"ride": 51, "conga": 64, "cowbell": 56, "shaker": 70}


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    """An empty store."""
    return FileBlobs(tmp_path)


def peak_hz(sound: np.ndarray, *, near_hz: float) -> float:
    """The frequency of the strongest partial near a frequency, by a parabola through the log spectrum's peak."""
    size = 2**19
    level = np.log(np.abs(np.fft.rfft(sound * np.blackman(len(sound)), size)) + 1e-12)
    low, high = (int(near_hz * factor * size / RATE_HZ) for factor in (0.97, 1.03))
    top = low + int(np.argmax(level[low : high + 1]))
    before, at, after = level[top - 1 : top + 2]
    return (top + (before - after) / (2 * (before - 2 * at + after))) * RATE_HZ / size


def dbtp(audio: np.ndarray) -> float:
    """True peak of all of it, oversampled eight times."""
    return 20 * np.log10(max(np.abs(resample_poly(channel, 8, 1)).max() for channel in audio.astype(np.float64)))


def onset_s(sound: np.ndarray, share: float = 0.05) -> float:
    """When it first passes a share of its peak."""
    level = np.abs(sound)
    return int(np.argmax(level > share * level.max())) / RATE_HZ


@pytest.mark.parametrize("program", [0, 19, 33, 65, 73], ids=["piano", "organ", "bass", "reed", "flute"])
@pytest.mark.parametrize("pitch", [33, 69, 96], ids=["A1", "A4", "C7"])
def test_a_note_sounds_at_its_pitch(program: int, pitch: int):
    """Given A1, A4 and C7, then the fundamental is that of equal temperament within half a cent."""
    sound = play(notes((0, 2, pitch, 100, 0, program)))[0]
    hz = 440 * 2 ** ((pitch - 69) / 12)
    heard = peak_hz(sound[2000:80000], near_hz=hz)
    assert 1200 * abs(np.log2(heard / hz)) < 0.5
    assert frequency_hz(69) == 440


@pytest.mark.parametrize("program", [48, 52, 80, 89])
def test_a_detuned_timbre_is_in_tune_on_the_whole(program: int):
    """Given two detuned voices, then the middle between them is A4 within two cents."""
    sound = play(notes((0, 8, 69, 100, 0, program)))[0]
    spectrum = np.abs(np.fft.rfft(sound[20000:340000] * np.hanning(320000))) ** 2
    hz = np.fft.rfftfreq(320000, 1 / RATE_HZ)
    near = (hz > 435) & (hz < 445)
    middle = (spectrum[near] * hz[near]).sum() / spectrum[near].sum()
    assert 1200 * abs(np.log2(middle / 440)) < 2


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_nothing_aliases(program: int):
    """Given a high note, then what lies below its fundamental is 60 dB down: no partial folds back."""
    sound = play(notes((0, 3, 97, 127, 0, program)))[0][5000:100000]
    spectrum = np.abs(np.fft.rfft(sound * np.blackman(len(sound))))
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    below = spectrum[(hz > 60) & (hz < frequency_hz(97) * 0.9)]
    assert 20 * np.log10(below.max() / spectrum.max()) < -60


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_note_begins_and_ends_without_a_click(program: int):
    """Given notes cut short, then above 15 kHz, where a click shows, note ends are quiet beside the note's level."""
    sound = play(notes(*((s, s + 0.333, 57, 110, 0, program) for s in (0.1, 1.1, 2.1))))[0].astype(np.float64)
    spectrum = np.fft.rfft(sound)
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE_HZ) < 15_000] = 0
    high = np.abs(np.fft.irfft(spectrum, len(sound)))
    for begin in (0.1, 1.1, 2.1):
        ending = slice(round((begin + 0.32) * RATE_HZ), round((begin + 0.75) * RATE_HZ))
        assert high[ending].max() < 0.002 * np.abs(sound).max()
    assert abs(sound[0]) < 1e-4
    assert abs(sound[-1]) < 1e-4


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_no_sample_jumps_further_than_the_wave_itself(program: int):
    """Given a note let go, then no step between samples around its end is larger than the largest while it sounded."""
    sound = play(notes((0.1, 0.7, 64, 100, 0, program)))[1]
    steps = np.abs(np.diff(sound.astype(np.float64)))
    held = steps[round(0.15 * RATE_HZ) : round(0.69 * RATE_HZ)].max()
    assert steps[round(0.69 * RATE_HZ) :].max() <= 1.02 * held


@pytest.mark.parametrize(
    ("program", "within_s"), [(0, 0.004), (25, 0.004), (33, 0.006), (19, 0.006), (61, 0.02), (48, 0.04)]
)
def test_onsets_fall_on_note_starts(program: int, within_s: float):
    """Given notes at odd times, then each is heard within its attack of where it is written, and never before."""
    for start in (0.05, 0.313, 1.7071):
        sound = play(notes((start, start + 1, 60, 100, 0, program)))[0]
        assert 0 <= onset_s(sound) - start + 1 / RATE_HZ < within_s


@pytest.mark.parametrize("pitch", KIT.values(), ids=KIT)
def test_drums_are_struck_at_their_time_and_die_away(pitch: int):
    """Given a drum, then it is heard within 3 ms, is over in two seconds and ends without a step."""
    sound = play(notes((0.25, 0.3, pitch, 110, 9, 0, 1)))[0]
    assert 0 <= onset_s(sound) - 0.25 + 1 / RATE_HZ < 0.003
    assert len(sound) < 2.4 * RATE_HZ
    assert np.abs(sound[-2400:]).max() < 0.01 * np.abs(sound).max()


def test_kick_snare_and_hat_lie_in_their_own_registers():
    """Given a kick, a snare and a hat, then their spectra's centres lie below 300 Hz, in between and above 4 kHz."""

    def centre_hz(pitch: int) -> float:
        power = np.abs(np.fft.rfft(play(notes((0, 0.1, pitch, 110, 9, 0, 1)))[0], RATE_HZ)) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert centre_hz(36) < 300 < centre_hz(38) < 4000 < centre_hz(42)


def test_an_open_hat_is_closed_by_the_next_closed_one():
    """Given an open hat, then a closed one 0.1 s later cuts it off."""
    alone = play(notes((0, 0.1, 46, 110, 9, 0, 1), (1, 1.1, 36, 110, 9, 0, 1)))[0]
    closed = play(notes((0, 0.1, 46, 110, 9, 0, 1), (0.1, 0.2, 42, 1, 9, 0, 1), (1, 1.1, 36, 110, 9, 0, 1)))[0]
    after = slice(round(0.2 * RATE_HZ), round(0.4 * RATE_HZ))
    assert np.abs(closed[after]).max() < 0.1 * np.abs(alone[after]).max()


def test_velocity_makes_louder_and_brighter():
    """Given the same note soft and hard in one piece, then the hard one is louder and has more upper partials."""
    sound = play(notes((0, 1, 48, 30, 0, 0), (2, 3, 48, 120, 0, 0)))[0].astype(np.float64)
    soft, hard = (np.abs(np.fft.rfft(sound[at * RATE_HZ : (at + 1) * RATE_HZ])) for at in (0, 2))
    assert 20 * np.log10(np.linalg.norm(hard) / np.linalg.norm(soft)) > 10
    assert hard[800:].sum() / hard[:300].sum() > 1.5 * soft[800:].sum() / soft[:300].sum()


def crowd(count: int, *, same: bool) -> list[tuple[float, ...]]:
    """Many loud notes, all at once or spread over half a minute."""
    random = np.random.default_rng(3)
    starts = np.zeros(count) if same else random.uniform(0, 30, count)
    channels = random.integers(0, 16, count)
    pitches = np.where(channels == 9, random.choice([36, 38, 42, 46, 49], count), random.integers(0, 128, count))
    columns = (starts, starts + 0.5, pitches, np.full(count, 127), channels, channels * 8, channels == 9)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize(
    "rows",
    [
        [(0, 1, 69, 1, 0, 0)],
        [(0, 3, 21, 127, 0, 19), (0, 3, 33, 127, 1, 61)],
        [(0, 0.1, 49, 127, 9, 0, 1), (0, 0.1, 38, 127, 9, 0, 1)],
        crowd(400, same=True),
        crowd(3000, same=False),
    ],
    ids=["one soft note", "low organ and brass", "crash and snare", "four hundred at once", "a dense piece"],
)
def test_the_true_peak_stays_below_minus_1_dbtp(rows: list[tuple[float, ...]]):
    """Given whatever is played, then the file's true peak is below -1 dBTP, and it is not faint either."""
    audio, _ = soundfile.read(io.BytesIO(to_flac(play(notes(*rows)))))
    assert dbtp(audio.T) < -1.0
    assert np.abs(audio).max() > 0.1


@pytest.mark.parametrize("pitch", [0, 1, 126, 127])
@pytest.mark.parametrize("program", [0, 47, 80])
def test_the_ends_of_the_range_sound(pitch: int, program: int):
    """Given the lowest and highest MIDI pitches, then something finite is heard."""
    sound = play(notes((0, 0.5, pitch, 100, 0, program)))
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0.02


def test_notes_of_no_length_and_at_the_same_place_are_played():
    """Given zero-length and doubled notes, then they are played, not refused."""
    assert np.abs(play(notes((0, 0, 60, 90), (0, 0, 60, 90), (0, 0, 36, 90, 9, 0, 1)))).max() > 0.02


def test_a_file_without_notes_gives_a_second_of_silence(blobs: FileBlobs):
    """Given no notes, then a render is still due: a second of digital silence."""
    event = render_notes.handle(imported(blobs, write_midi(notes())), blobs)
    audio, rate = soundfile.read(blobs.path(event.content.sha256))
    assert (audio.shape, rate) == ((44100, 2), 44100)
    assert not audio.any()


def test_more_than_half_an_hour_is_refused():
    """Given notes that last for hours, then the limit is told before any memory is taken."""
    with pytest.raises(LimitExceeded, match="1800"):
        play(notes((0, 1, 60, 90), (4 * 3600, 4 * 3600 + 1, 60, 90)))


def test_the_event_says_what_the_file_holds(blobs: FileBlobs):
    """Given an import, when rendered, then asset, source, instrument and facts are those of the FLAC in the store."""
    given = imported_notes(blobs, (0, 1, 60, 90), (1, 2, 64, 90))
    event = render_notes.handle(given, blobs)
    info = soundfile.info(blobs.path(event.content.sha256))
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", "PCM_16", 44100, 2)
    assert event.facts.frames == info.frames
    assert (event.facts.container, event.facts.encoding, event.content.media_type) == ("flac", "pcm_16", "audio/flac")
    assert event.asset_id == ids.asset_id(given.project_id, event.content.sha256)
    assert (event.source_id, event.name, event.container_id) == (
        given.asset_id,
        "a tune (rendered)",
        given.container_id,
    )
    assert event.model_version_id == ids.model_version_id(*INSTRUMENT_MODEL)


def test_the_same_notes_give_the_same_bytes_here_and_in_a_fresh_process():
    """Given the same piece twice and in another process, then the FLAC is the same to the byte."""
    script = (
        "import hashlib, sys; sys.path.insert(0, 'tests/algorithms');"
        "from test_render import crowd, notes, play, to_flac;"
        "print(hashlib.sha256(to_flac(play(notes(*crowd(150, same=False))))).hexdigest())"
    )
    here = [hashlib.sha256(to_flac(play(notes(*crowd(150, same=False))))).hexdigest() for _ in range(2)]
    root = Path(__file__).parents[2]
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert here == [there.stdout.strip()] * 2


def test_stereo_is_spread_by_channel_and_sums_to_mono():
    """Given parts on channels, then they lie at different places and none is lost in mono."""
    balances = []
    for channel in range(1, 5):
        left, right = play(notes((0, 1, 60, 100, channel, 0)))
        balances.append(round(20 * np.log10(np.linalg.norm(left) / np.linalg.norm(right)), 1))
        assert np.linalg.norm(left + right) > max(np.linalg.norm(left), np.linalg.norm(right))
    assert len(set(balances)) == 4
    assert max(map(abs, balances)) < 9

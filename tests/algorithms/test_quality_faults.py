"""Faults of known size are found, and what musicians mean is not blamed."""

from __future__ import annotations

import numpy as np
import pytest
from audio_material import LOOP_NAMES, analyse, load_loop, noise, sine

from events.quality import QualityAssessed
from processors.audio.signal import Signal
from processors.quality.assess import assess_quality

RATE_HZ = 44_100


def music(duration_s: float = 9.0, *, seed: int = 3) -> np.ndarray:
    """Plucked chords over a little room, wide by a tenth, shape (2, frames), rounded to 16 bits."""
    rng, times = np.random.default_rng(seed), np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    since = times % 0.5
    root = rng.choice([131.0, 165.0, 196.0], int(duration_s * 2) + 1)[(times / 0.5).astype(int)]
    one, two = (
        sum(0.7**k * np.sin(2 * np.pi * root * step * k * since + k) for k in range(1, 12) for step in (1, 1.5))
        * (np.minimum(1, since / 0.004) * np.exp(-2 * since) * np.clip((0.5 - since) / 0.02, 0, 1))
        for _ in range(2)
    )
    room = rng.normal(size=(2, len(times))) * 1e-4
    return np.round((np.stack([one, 0.9 * two]) * 0.08 + room) * 32768) / 32768


def assessed(samples: np.ndarray, rate_hz: int = RATE_HZ) -> QualityAssessed:
    """What is said of samples."""
    found = analyse(assess_quality, Signal(samples, rate_hz))
    assert isinstance(found, QualityAssessed)
    return found


def kinds(found: QualityAssessed) -> set[str]:
    """The kinds of faults."""
    return {fault.kind for fault in found.faults}


def test_clean_music_has_no_fault() -> None:
    """Given plucked chords, then nothing is wrong with them."""
    assert not assessed(music()).faults


def test_every_cut_peak_of_a_sine_is_counted() -> None:
    """Given 3 s of 100 Hz cut at 0.8 of its height, then 600 clipped peaks: two a period."""
    found = assessed(np.clip(sine(100, 3, rate_hz=RATE_HZ), -0.8, 0.8))
    assert found.clipped_peaks == 600
    assert kinds(found) == {"clipping"}


def test_a_round_wave_at_full_scale_a_square_and_saturation_are_not_clipped() -> None:
    """Given waves that reach a ceiling without being cut at it, then no peak is clipped."""
    loud = sine(50, 3, rate_hz=RATE_HZ)
    for wave in (loud, 0.5 * np.sign(loud + 1e-9), np.tanh(3 * loud)):
        assert assessed(np.round(wave * 32767) / 32768).clipped_peaks == 0


def test_clicks_are_found_where_they_are() -> None:
    """Given three samples that jump, in one channel, then three clicks within a millisecond of them."""
    samples, places = music(), (1.3, 4.77, 7.2)
    for at_s in places:
        samples[1, round(at_s * RATE_HZ)] += 0.3
    found = assessed(samples)
    assert found.clicks == 3
    assert [fault.start_s for fault in found.faults] == pytest.approx(places, abs=1e-3)


def test_drum_hits_are_no_clicks() -> None:
    """Given bursts of noise that die away within 10 ms, four a second, then no click."""
    times = np.arange(6 * RATE_HZ) / RATE_HZ
    hits = 0.5 * noise(6, seed=4)[0] * np.exp(-(times % 0.25) / 0.01)
    assert assessed(hits[None]).clicks == 0


def test_dropouts_are_found_from_start_to_end() -> None:
    """Given 20 ms of silence and 60 ms of a held sample inside notes, then these two dropouts."""
    samples = music()
    for at_s, length_s, held in ((2.1, 0.02, False), (5.6, 0.06, True)):
        start, end = round(at_s * RATE_HZ), round((at_s + length_s) * RATE_HZ)
        samples[:, start:end] = samples[:, start : start + 1] if held else 0
    found = [(fault.start_s, fault.end_s) for fault in assessed(samples).faults if fault.kind == "dropout"]
    assert np.array(found) == pytest.approx(np.array([(2.1, 2.12), (5.6, 5.66)]), abs=2e-3)


def test_rests_between_notes_are_no_dropouts() -> None:
    """Given staccato notes with digital silence between them, then no dropout."""
    samples = music()
    samples *= np.clip((0.2 - np.arange(samples.shape[1]) / RATE_HZ % 0.5) / 0.01, 0, 1)
    assert assessed(samples).dropouts == 0


def test_an_offset_is_measured() -> None:
    """Given 0.02 added to the second channel, then it is told within a thousandth of full scale."""
    samples = music()
    samples[1] += 0.02
    found = assessed(samples)
    assert found.dc == pytest.approx(0.02, abs=1e-3)
    assert kinds(found) == {"dc"}


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_told_with_its_mains_and_level(mains_hz: int) -> None:
    """Given a line of -45 dBFS peak and its third harmonic 6 dB below, then mains and power within 1.5 dB."""
    times = np.arange(9 * RATE_HZ) / RATE_HZ
    line = 10 ** (-45 / 20)
    hum = line * np.sin(2 * np.pi * mains_hz * times) + line / 2 * np.sin(6 * np.pi * mains_hz * times)
    found = assessed(music() + hum)
    assert found.hum_hz == mains_hz
    assert found.hum_dbfs == pytest.approx(10 * np.log10(line**2 / 2 * 1.25), abs=1.5)
    assert kinds(found) == {"hum"}


def test_noise_under_music_is_measured() -> None:
    """Given white noise of -50 dBFS under music, then it is a fault and the floor is told within 2 dB."""
    samples = music() + np.random.default_rng(5).normal(size=(2, 9 * RATE_HZ)) * 10 ** (-50 / 20)
    found = assessed(samples)
    assert kinds(found) == {"noise"}
    assert assessed(noise(9) * 10 ** (-36 / 20)).noise_floor_dbfs == pytest.approx(-50, abs=2)


def test_a_brick_wall_is_a_cut_and_a_filter_is_not() -> None:
    """Given noise cut at 11 kHz by a brick wall, then 11 kHz; by a filter of 24 dB an octave, then no cut."""
    from scipy.signal import butter, firwin, oaconvolve, sosfilt

    white = noise(8, channels=2)
    cut = assessed(oaconvolve(white, firwin(601, 11_000, fs=RATE_HZ)[None], mode="same", axes=1))
    assert cut.bandwidth_hz == pytest.approx(11_000, abs=300)
    assert "bandwidth" in kinds(cut)
    sloped = assessed(sosfilt(butter(4, 5000, fs=RATE_HZ, output="sos"), white))
    assert "bandwidth" not in kinds(sloped)


@pytest.mark.parametrize("delay_ms", [0.5, -3.0])
def test_a_delay_between_channels_is_measured(delay_ms: float) -> None:
    """Given the second channel later, or earlier, then by how much within 0.05 ms."""
    samples = noise(8, channels=1)[0]
    samples = np.stack([samples, np.roll(samples, round(delay_ms * RATE_HZ / 1000))])
    found = assessed(samples)
    assert found.delay_ms == pytest.approx(delay_ms, abs=0.05)
    assert "delay" in kinds(found)


def test_a_channel_turned_over_is_told_with_what_mono_loses() -> None:
    """Given the same in both channels, one turned over, then correlation -1 and hardly anything left in mono."""
    one = music()[0]
    found = assessed(np.stack([one, -one]))
    assert "phase" in kinds(found)
    assert found.correlation == pytest.approx(-1)
    assert found.mono_loss_db is not None
    assert found.mono_loss_db > 40
    assert assessed(np.stack([one, one])).mono_loss_db == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("block_frames", [997, 65_536])
def test_in_whatever_blocks_a_sound_comes_the_same_is_found(block_frames: int) -> None:
    """Given a sound with faults in blocks of any length, then the answer is that of one block."""
    samples = music(13.0)
    samples[0, 6 * RATE_HZ] += 0.4
    samples[:, 265_000:267_000] = 0
    whole = analyse(assess_quality, Signal(samples, RATE_HZ, block_frames=1 << 30))
    assert analyse(assess_quality, Signal(samples, RATE_HZ, block_frames=block_frames)) == whole
    assert {fault.kind for fault in whole.faults} == {"click", "dropout"}


@pytest.mark.parametrize("samples", [np.zeros((2, RATE_HZ)), np.full((1, 1), 0.5)])
def test_of_next_to_nothing_nothing_is_said(samples: np.ndarray) -> None:
    """Given silence or one sample, then no figure, no fault and no confidence."""
    found = assessed(samples)
    assert (found.faults, found.confidence) == ((), 0)
    assert (found.snr_db, found.hum_hz, found.correlation) == (None, None, None)


@pytest.mark.parametrize("name", [name for name in LOOP_NAMES if name != "amen_full"])
def test_recorded_loops_are_clean(name: str) -> None:
    """Given a recorded loop, then nothing is wrong with it."""
    assert not analyse(assess_quality, load_loop(name)).faults


def test_the_one_loop_that_is_cut_at_its_ceiling_is_told() -> None:
    """Given a loop that was limited hard, over a thousand samples at its very highest value, then it is clipped."""
    loop = load_loop("amen_full")
    assert np.count_nonzero(np.abs(loop.samples) >= loop.peak) > 1000
    found = analyse(assess_quality, loop)
    assert {fault.kind for fault in found.faults} == {"clipping"}

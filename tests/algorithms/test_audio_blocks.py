"""A sound that is cut into blocks, and kept on disk, is heard as one that is whole."""

from __future__ import annotations

import io
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import soundfile
from audio_material import analyse, chord, clicks, noise

from domain.errors import LimitExceeded, Unavailable
from domain.values import unpack_floats
from events.analyses import EmbeddingComputed
from events.imports import AudioAdded
from infra.wiring import HANDLERS
from processors.audio.signal import WHOLE_S, Signal
from processors.handler import consumes
from processors.media import samples
from processors.media.decode import decode_audio
from processors.media.samples import Gatherer, Scratch

PROCESSORS = [handler for handler in HANDLERS if consumes(handler) is AudioAdded]
RATE_HZ = 44_100


def music() -> np.ndarray:
    """Nine seconds of chords, clicks, noise and a pause, two channels."""
    chords = np.concatenate([chord(pitches, 2) for pitches in ([48, 52, 55], [53, 57, 60], [43, 47, 50, 53])])
    played = chords + clicks(120, 6)[0][0] + 0.01 * noise(6)[0]
    both = np.concatenate([played, np.zeros(RATE_HZ), played[: 2 * RATE_HZ]])
    return np.stack([both, 0.5 * np.roll(both, 20)]).astype(np.float32)


@pytest.fixture(scope="module")
def whole() -> Signal:
    """The sound in one piece."""
    return Signal(music(), RATE_HZ, block_frames=1 << 30)


@pytest.fixture(scope="module", params=[1 << 15, 1999])
def cut(request, tmp_path_factory) -> Signal:
    """The same in blocks, on disk, with nothing kept in memory."""
    gathered = Gatherer(RATE_HZ, 2, folder=tmp_path_factory.mktemp("scratch"), held_bytes=0, block_frames=request.param)
    for start in range(0, music().shape[1], 5000):
        gathered.add(music()[:, start : start + 5000])
    kept = gathered.samples()
    assert isinstance(kept, Scratch)
    return Signal(kept, folder=tmp_path_factory.mktemp("scratch"), held_bytes=0, block_frames=request.param)


def assert_alike(found: Any, expected: Any, where: str) -> None:
    """Equal, numbers within 1e-4 of each other or 0.02 where they are rounded; blobs are compared by content."""
    if isinstance(expected, dict) and "sha256" in expected:
        return
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected:
            assert_alike(found[name], expected[name], f"{where}.{name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            assert_alike(found[index], value, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-4, abs_tol=0.02), f"{where}: {found}, whole {expected}"
    else:
        assert found == expected, where


def arrays_of(blobs: Any) -> list[dict[str, np.ndarray]]:
    """The arrays of every blob that holds any."""
    kept = [data for data in blobs.contents.values() if data[:2] == b"PK"]
    return [dict(np.load(io.BytesIO(data), allow_pickle=False)) for data in kept]


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_an_analysis_of_blocks_agrees_with_that_of_the_whole(processor, whole, cut, blobs):
    """Given a sound in blocks of any size, kept on disk, when analysed, then the answer is that of the whole."""
    expected = analyse(processor, whole, blobs)
    of_whole = arrays_of(blobs)
    blobs.contents.clear()
    found = analyse(processor, cut, blobs)
    told, wanted = found.model_dump(mode="json"), expected.model_dump(mode="json")
    if isinstance(expected, EmbeddingComputed):
        vector = unpack_floats(told.pop("vector"))
        np.testing.assert_allclose(vector, unpack_floats(wanted.pop("vector")), atol=1e-3)
    assert_alike(told, wanted, expected.KIND)
    for one, other in zip(of_whole, arrays_of(blobs), strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-4, atol=1e-4 * np.abs(one[name]).max(initial=1))


@pytest.mark.parametrize(("n_fft", "hop"), [(2048, 512), (4096, 1024), (1024, 256), (512, 512)])
def test_spectra_of_blocks_are_those_of_the_whole(whole, cut, n_fft, hop):
    """Given a sound in blocks, when its spectra are taken, then they are bit by bit those of the whole."""
    expected = np.concatenate(list(whole.spectra(n_fft, hop)))
    assert len(expected) == 1 + len(whole.analysis_mono) // hop
    np.testing.assert_array_equal(np.concatenate(list(cut.spectra(n_fft, hop))), expected)


@pytest.mark.parametrize("frames", [1, 4095, 4096, 4097, 20_000])
def test_what_is_kept_on_disk_comes_back(tmp_path, frames):
    """Given samples of any number, when kept on disk, then they come back, in order, and leave no file behind."""
    expected = noise(frames / RATE_HZ, channels=3)
    gathered = Gatherer(RATE_HZ, 3, folder=tmp_path, held_bytes=100, block_frames=4096)
    for start in range(0, frames, 1000):
        gathered.add(expected[:, start : start + 1000])
    kept = gathered.samples()
    np.testing.assert_array_equal(np.concatenate(list(kept.blocks()), axis=1), expected)
    np.testing.assert_array_equal(kept.whole(), expected)
    assert list(tmp_path.iterdir()) == []


def test_a_file_past_the_limit_is_decoded_to_disk(tmp_path):
    """Given a file longer than may be held, when decoded, then it is on disk and holds the same samples."""
    path, expected = tmp_path / "long.wav", noise(3, channels=2)
    soundfile.write(path, expected.T, RATE_HZ, subtype="FLOAT")
    heard: list[float] = []
    found = decode_audio(path, folder=tmp_path, held_bytes=100_000, tell=heard.append)
    assert isinstance(found, Scratch)
    np.testing.assert_array_equal(found.whole(), expected)
    assert (heard, heard[-1]) == (sorted(heard), 1)


def test_a_disk_without_room_is_told_before_anything_is_decoded(tmp_path, monkeypatch):
    """Given less room than the samples take, when a file is decoded, then it is unavailable for now."""
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(1).T, RATE_HZ)
    monkeypatch.setattr(samples, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(Unavailable, match="MiB are free"):
        decode_audio(path, folder=tmp_path, held_bytes=1000)


class Endless:
    """Silence of any length that takes no room."""

    channels, rate_hz = 1, 8000

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def blocks(self):
        """As of `Samples`."""
        for start in range(0, self.frames, 1 << 20):
            yield np.zeros((1, min(1 << 20, self.frames - start)), np.float32)

    def whole(self):
        """As of `Samples`."""
        raise AssertionError("all of it was asked for")


@pytest.mark.parametrize("name", ["samples", "mono", "analysis_mono", "spectrogram"])
def test_what_is_too_long_is_not_given_in_one_array(name, tmp_path):
    """Given a sound of more than 20 minutes, when all of it is asked for at once, then that is refused."""
    signal = Signal(Endless(8000 * WHOLE_S + 1), folder=tmp_path)
    with pytest.raises(LimitExceeded, match=r"go by (blocks|mono_blocks|analysis_blocks|spectra)"):
        getattr(signal, name)


def test_what_is_shared_is_made_once(whole):
    """Given analyses in several threads that need the same, when all ask, then it is made for the first of them."""
    made = []

    def make(signal: Signal) -> float:
        time.sleep(0.05)
        made.append(signal)
        return signal.duration_s

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: whole.once(make), range(8))) == {whole.duration_s}
    assert made == [whole]

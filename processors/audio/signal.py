"""A decoded asset and what its analyses share: each is computed once, when the first of them asks.

Nothing here needs a sound to fit into memory: what is as long as the sound comes in blocks, what is kept of it is
compact. `samples`, `mono`, `analysis_mono` and `spectrogram` hold all of it and are for sounds of minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from domain.errors import LimitExceeded, Unanalysable
from processors.audio import chroma, frames, spectra
from processors.audio.levels import Levels, levels_of, mixed_channels
from processors.media.samples import BLOCK_FRAMES, HELD_BYTES, Gatherer, Held, Samples

T = TypeVar("T")

ANALYSIS_RATE_HZ = frames.RATE_HZ
N_FFT = spectra.N_FFT
HOP = spectra.HOP
FRAME_RATE_HZ = ANALYSIS_RATE_HZ / HOP
SPECTRUM: dict[str, int] = {"rate_hz": ANALYSIS_RATE_HZ, "n_fft": N_FFT, "hop": HOP}
"""How the shared spectrogram is made, for the parameters of events that come of it."""
WHOLE_S = 20 * 60
"""The longest sound that is given in one array."""
KEPT_S = 8 * 60
"""The longest sound whose spectrogram is kept, some 9 MiB a minute, rather than made again for who asks."""

_LOUDEST = 1e9


@dataclass(slots=True)
class _Made(Generic[T]):
    """What was made of a signal, once it was."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    values: list[T] = field(default_factory=list)


class Signal:
    """Samples of one asset with lazily filled views of them; none of the arrays is to be written to.

    samples: shape (channels, frames), float32, full scale at 1; or samples kept elsewhere.
    folder and held_bytes: where, and from how many bytes on, what is made of them is kept on disk meanwhile.
    Raises: Unanalysable, for another shape, for no samples, and for samples that are not numbers.
    """

    def __init__(
        self,
        samples: np.ndarray | Samples,
        rate_hz: int | None = None,
        *,
        folder: Path | None = None,
        held_bytes: int = HELD_BYTES,
        block_frames: int = BLOCK_FRAMES,
    ) -> None:
        if isinstance(samples, np.ndarray):
            if samples.ndim != 2 or rate_hz is None:
                raise Unanalysable(f"audio of shape {samples.shape} at {rate_hz} Hz, not (channels, frames) at a rate")
            samples = Held(np.ascontiguousarray(samples, np.float32), rate_hz, block_frames=block_frames)
        if not samples.frames or not samples.channels:
            raise Unanalysable("audio without a sample; there is nothing to be heard")
        self.kept = samples
        self.gatherer = partial(
            Gatherer, ANALYSIS_RATE_HZ, 1, folder=folder, held_bytes=held_bytes, block_frames=block_frames
        )
        self._made: dict[Callable[[Signal], Any], _Made[Any]] = {}  # Any: whatever each maker makes
        self.rate_hz = samples.rate_hz
        self.kept_s = KEPT_S if held_bytes else 0
        self._lock = threading.Lock()
        if not self.levels.peak <= _LOUDEST:
            raise Unanalysable("audio with samples that are not finite or past 180 dB over full scale")

    def once(self, make: Callable[[Signal], T]) -> T:
        """Return what `make` makes of this signal; it is asked the first time only, whichever thread comes first."""
        with self._lock:
            made: _Made[T] = self._made.setdefault(make, _Made())
        with made.lock:
            if not made.values:
                made.values.append(make(self))
        return made.values[0]

    @property
    def channels(self) -> int:
        """How many channels."""
        return self.kept.channels

    @property
    def frames(self) -> int:
        """How many samples a channel."""
        return self.kept.frames

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate_hz

    # As blocks

    def blocks(self) -> Iterator[np.ndarray]:
        """All samples in order, shape (channels, n) each, float32."""
        return self.kept.blocks()

    def mono_blocks(self) -> Iterator[np.ndarray]:
        """The mean of the channels, shape (n,) each; the strongest channel where they cancel each other."""
        levels = self.levels
        for block in self.blocks():
            if self.channels == 1 or levels.cancelled:
                yield block[levels.strongest]
            else:
                yield mixed_channels(block)

    def analysis_blocks(self) -> Iterator[np.ndarray]:
        """Mono at 22,050 Hz, shape (n,) each, float32."""
        return (block[0] for block in self._analysis.blocks())

    def spectra(self, n_fft: int = N_FFT, hop: int = HOP) -> Iterator[np.ndarray]:
        """Magnitudes under a Hann window, shape (128, n_fft // 2 + 1) each and fewer frames at the end, float32.

        Frame k is centred on sample k * hop of the mono at 22,050 Hz; there is silence beyond the ends.
        """
        if (n_fft, hop) == (N_FFT, HOP) and self.duration_s <= self.kept_s:
            whole = self.spectrogram
            return (whole[at : at + spectra.AT_ONCE] for at in range(0, len(whole), spectra.AT_ONCE))
        return spectra.magnitudes(self.analysis_blocks(), n_fft=n_fft, hop=hop)

    # Whole

    @property
    def levels(self) -> Levels:
        """Peak, means and powers."""
        return self.once(_levels)

    @property
    def peak(self) -> float:
        """The largest magnitude of any sample."""
        return self.levels.peak

    @property
    def samples(self) -> np.ndarray:
        """All samples, shape (channels, frames), float32. Raises: LimitExceeded, for more than 20 minutes."""
        self._check_short("samples", "blocks")
        return self.once(_samples)

    @property
    def mono(self) -> np.ndarray:
        """`mono_blocks` in one array, shape (frames,). Raises: LimitExceeded, as `samples`."""
        self._check_short("mono", "mono_blocks")
        return self.once(_mono)

    @property
    def analysis_mono(self) -> np.ndarray:
        """`analysis_blocks` in one array, shape (n,). Raises: LimitExceeded, as `samples`."""
        self._check_short("analysis_mono", "analysis_blocks")
        return self.once(_analysis_mono)

    @property
    def spectrogram(self) -> np.ndarray:
        """`spectra` in one array, shape (frames, 1025). Raises: LimitExceeded, as `samples`."""
        self._check_short("spectrogram", "spectra")
        return self.once(_spectrogram)

    @property
    def spectral_frames(self) -> int:
        """How many frames the shared spectrogram has."""
        return 1 + self._analysis.frames // HOP

    @property
    def _analysis(self) -> Samples:
        return self.once(_analysed)

    def _check_short(self, what: str, instead: str) -> None:
        if self.duration_s > WHOLE_S:
            raise LimitExceeded(
                f"{what} of {self.duration_s:.0f} s do not fit into memory, {WHOLE_S} s do; go by {instead}",
                limit=WHOLE_S,
            )

    # What is kept of each frame

    @property
    def mel_db(self) -> np.ndarray:
        """128 mel bands in dB, within 80 dB of the loudest, shape (frames, 128), float32."""
        return self.once(frames.hear_frames).mel_db

    @property
    def mel_power(self) -> np.ndarray:
        """The sum of each frame's mel bands as power, shape (frames,), float32."""
        return self.once(frames.hear_frames).mel_power

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Features a frame by name, shape (frames,) or (frames, n) each, float32; see `frames`."""
        return self.once(frames.features)

    @property
    def onset_strength(self) -> np.ndarray:
        """Mean rise of the mel bands in dB, shape (frames,), float32."""
        return self.once(frames.hear_frames).features["onset_strength"]

    @property
    def tuning_semitones(self) -> float:
        """By how much the sound is tuned above A440, -0.5 to 0.5, to a hundredth."""
        return self.once(frames.hear_frames).tuning_semitones

    @property
    def tones(self) -> chroma.Tones:
        """The spectral peaks that stand out as tones."""
        return self.once(frames.hear_frames).tones

    @property
    def chroma(self) -> np.ndarray:
        """Strength of the twelve pitch classes from C, in the file's own tuning, shape (steps, 12), float32.

        A step is 8 frames of the spectrogram; one without a tone is all zeros.
        """
        return self.once(frames.tone_chroma)


def _levels(signal: Signal) -> Levels:
    return levels_of(signal.blocks())


def _samples(signal: Signal) -> np.ndarray:
    return signal.kept.whole()


def _mono(signal: Signal) -> np.ndarray:
    return np.concatenate(list(signal.mono_blocks()))


def _analysed(signal: Signal) -> Samples:
    gathered = signal.gatherer()
    for block in spectra.resampled(signal.mono_blocks(), signal.rate_hz, ANALYSIS_RATE_HZ, frames=signal.frames):
        gathered.add(block[None])
    return gathered.samples()


def _analysis_mono(signal: Signal) -> np.ndarray:
    return np.concatenate(list(signal.analysis_blocks()))


def _spectrogram(signal: Signal) -> np.ndarray:
    found = np.empty((signal.spectral_frames, N_FFT // 2 + 1), np.float32)
    for at, block in spectra.placed(spectra.magnitudes(signal.analysis_blocks(), n_fft=N_FFT, hop=HOP)):
        found[at : at + len(block)] = block
    return found

"""The quality of a recording: what is measured of it, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from events.imports import AudioAdded
from events.quality import Fault as HeardFault
from events.quality import QualityAssessed
from processors.audio.signal import Signal
from processors.handler import processor
from processors.quality.bandwidth import bandwidth
from processors.quality.clicks import Clicks
from processors.quality.clipping import FLAT, SHORTEST, Clipping
from processors.quality.dc import Offsets
from processors.quality.dropouts import SHORTEST_S, Dropouts
from processors.quality.faults import Fault, Piece, pieces, share
from processors.quality.hum import Found, Hum
from processors.quality.longterm import LongTerm
from processors.quality.noise import Noise, noise_floor
from processors.quality.stereo import Stereo, Sums, stereo

MOST = 200
"""So many faults of a kind are told one by one, those of which most is heard; the rest are counted."""
_KNOWN_S = (0.5, 6.0)
_LOUD = 0.02


@dataclass(frozen=True, slots=True)
class Quality:
    """What one pass over a sound tells of it. counts: how many clipped peaks, clicks and dropouts there are."""

    dc: float
    noise: Noise
    bandwidth_hz: float | None
    hum: Found
    stereo: Stereo | None
    counts: dict[str, int]
    faults: list[Fault]
    confidence: float


def quality_of(signal: Signal) -> Quality:
    """Look for all faults in one pass over the samples."""
    clipping, clicks, dropouts = Clipping(), Clicks(), Dropouts()
    spectrum, hum, sums, offsets = LongTerm(signal.rate_hz), Hum(signal.rate_hz), Sums(), Offsets()
    for piece in pieces(signal.blocks(), signal.rate_hz, signal.channels):
        runs = _flat_runs(piece)
        clipping.add(piece, runs)
        dropouts.add(piece, runs)
        for finder in (clicks, spectrum, hum, sums, offsets):
            finder.add(piece)
    band = bandwidth(spectrum)
    gaps = dropouts.found(signal.rate_hz)
    momentary = {
        "clipped_peaks": clipping.found(signal.rate_hz),
        "clicks": clicks.found(signal.rate_hz, beside=gaps[1]),
        "dropouts": gaps,
    }
    lasting = _Lasting(
        offset=offsets.found(), noise=noise_floor(spectrum, band.cut_hz), hum=hum.found(), stereo=stereo(sums, spectrum)
    )
    faults = [fault for _, some in momentary.values() for fault in _strongest(some)]
    faults += lasting.faults(signal.duration_s)
    if band.cut_hz is not None:
        lost = share(band.cut_hz, min(20_000.0, signal.rate_hz / 2), 4000)
        faults.append(Fault("bandwidth", 0.0, signal.duration_s, lost, band.confidence))
    return Quality(
        dc=lasting.offset[0],
        noise=lasting.noise,
        bandwidth_hz=band.highest_hz,
        hum=lasting.hum,
        stereo=lasting.stereo,
        counts={name: count for name, (count, _) in momentary.items()},
        faults=sorted(faults, key=lambda fault: (fault.start_s, fault.kind)),
        confidence=share(signal.duration_s, *_KNOWN_S) if signal.peak > 1e-4 else 0.0,  # -80 dBFS
    )


@dataclass(frozen=True, slots=True)
class _Lasting:
    """Faults that are there from one end to the other."""

    offset: tuple[float, float]
    noise: Noise
    hum: Found
    stereo: Stereo | None

    def faults(self, duration_s: float) -> list[Fault]:
        """Those that are there."""
        found: list[tuple[str, float, float]] = []
        offset, sure = self.offset
        if sure > 0:
            found.append(("dc", share(abs(offset), 0, 0.1) ** 0.5, sure))
        if self.hum.mains_hz is not None and self.hum.level_dbfs is not None:
            found.append(("hum", share(self.hum.level_dbfs, -80, -20), self.hum.confidence))
        if self.noise.noisy and self.noise.snr_db is not None:
            found.append(("noise", share(self.noise.snr_db, 60, 0), self.noise.confidence))
        if self.stereo is not None and self.stereo.inverted:
            found.append(("phase", share(self.stereo.mono_loss_db, 0, 20), share(-self.stereo.agreed, 0, 0.5)))
        if self.stereo is not None and self.stereo.delayed:
            found.append(("delay", share(abs(self.stereo.delay_s), 0, 0.01), share(abs(self.stereo.agreed), 0, 0.5)))
        return [Fault(kind, 0.0, duration_s, severity, confidence) for kind, severity, confidence in found]


def _flat_runs(piece: Piece) -> list:  # type: ignore[type-arg]
    from processors.quality.scanning import flat_runs

    long = max(SHORTEST + 1, int(SHORTEST_S * piece.rate_hz))
    return [flat_runs(channel, FLAT, SHORTEST, _LOUD, long) for channel in piece.samples]


def _strongest(faults: Sequence[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: -fault.severity * fault.confidence)[:MOST]


@processor("1")
def assess_quality(event: AudioAdded, signal: Signal) -> QualityAssessed:
    """Assess a recording: levels of noise and hum, bandwidth, how the channels go together, and what is wrong."""
    found = signal.once(quality_of)
    two = found.stereo
    return QualityAssessed(
        asset_id=event.asset_id,
        parameters={"most_of_a_kind": MOST},
        confidence=round(found.confidence, 3),
        dc=round(found.dc, 6),
        noise_floor_dbfs=found.noise.floor_dbfs,
        snr_db=found.noise.snr_db,
        bandwidth_hz=None if found.bandwidth_hz is None else round(found.bandwidth_hz, 1),
        hum_hz=found.hum.mains_hz,
        hum_dbfs=found.hum.level_dbfs,
        correlation=None if two is None else round(two.correlation, 4),
        mono_loss_db=None if two is None else round(two.mono_loss_db, 2),
        delay_ms=None if two is None else round(1000 * two.delay_s, 3),
        fault_kinds=len(Counter(fault.kind for fault in found.faults)),
        **found.counts,
        faults=tuple(_heard(fault) for fault in found.faults),
    )


def _heard(fault: Fault) -> HeardFault:
    return HeardFault(
        kind=fault.kind,
        start_s=round(fault.start_s, 5),
        end_s=round(fault.end_s, 5),
        severity=round(fault.severity, 3),
        confidence=round(fault.confidence, 3),
    )

"""Quality: what is measured of a recording, and what is wrong with it."""

from __future__ import annotations

from typing import ClassVar, Literal

from domain.values import Seconds, Value
from events.analyses import Analysis, Confidence


class Fault(Value):
    """What is wrong from when to when, how bad it is and how surely it is no intent."""

    kind: Literal["clipping", "click", "dropout", "dc", "hum", "noise", "bandwidth", "phase", "delay"]
    start_s: Seconds
    end_s: Seconds
    severity: Confidence
    confidence: Confidence


class QualityAssessed(Analysis):
    """The quality of a recording; null where it cannot be told.

    dc: mean of the channel that has most of it. noise_floor_dbfs: at most this, nothing quieter was heard.
    bandwidth_hz: up to where there is sound. mono_loss_db: power that the mean of both channels lacks. delay_ms: by
    how much the second channel comes later. faults: at most 200 of each kind; clipped_peaks, clicks and dropouts
    count all.
    """

    TYPE: ClassVar[str] = "disco.quality.assessed"
    KIND: ClassVar[str] = "quality"
    FACTS: ClassVar[tuple[str, ...]] = (
        "fault_kinds",
        "clipped_peaks",
        "clicks",
        "dropouts",
        "noise_floor_dbfs",
        "snr_db",
        "bandwidth_hz",
        "hum_hz",
        "correlation",
        "confidence",
    )
    confidence: Confidence
    dc: float
    noise_floor_dbfs: float | None
    snr_db: float | None
    bandwidth_hz: float | None
    hum_hz: float | None
    hum_dbfs: float | None
    correlation: float | None
    mono_loss_db: float | None
    delay_ms: float | None
    fault_kinds: int
    clipped_peaks: int
    clicks: int
    dropouts: int
    faults: tuple[Fault, ...]

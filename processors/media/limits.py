"""What a file may ask for at most; far above what music needs, far below what a machine breaks on."""

from __future__ import annotations

from processors.media.source import Source

MAX_CHANNELS = 64
MAX_DURATION_S = 12 * 3600
RATES_HZ = (1_000, 3_072_000)
MAX_FRAMES_PER_BYTE = 8192  # FLAC packs 65535 equal samples into some ten bytes; nothing else comes near


def check_shape(source: Source, *, rate_hz: int, channels: int, frames: int | None) -> None:
    """Refuse what no recording has; `frames` is what the file promises, None where it does not say.

    Raises: Malformed, LimitExceeded.
    """
    if channels < 1:
        raise source.malformed("has 0 channels; export it again with at least one")
    if channels > MAX_CHANNELS:
        raise source.limit(
            f"has {channels} channels, the limit is {MAX_CHANNELS}; split it into several files",
            limit=MAX_CHANNELS,
            channels=channels,
        )
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise source.malformed(
            f"has a sample rate of {rate_hz} Hz, audio has {RATES_HZ[0]} to {RATES_HZ[1]}; "
            "its header is damaged or it was exported wrongly",
            rate_hz=rate_hz,
        )
    if frames is not None:
        check_frames(source, rate_hz=rate_hz, frames=frames)


def check_frames(source: Source, *, rate_hz: int, frames: int) -> None:
    """Refuse a length of nothing, a length that the file's bytes cannot hold, and one past the limit.

    Raises: Malformed, LimitExceeded.
    """
    if frames < 1:
        raise source.malformed("has 0 frames: a header and no sound; record or export it again")
    if frames > source.size_bytes * MAX_FRAMES_PER_BYTE:
        raise source.malformed(
            f"promises {frames} frames, which its {source.size_bytes} bytes cannot hold; its header is damaged",
            frames=frames,
        )
    check_duration(source, frames / rate_hz)


def check_duration(source: Source, duration_s: float) -> None:
    """Refuse what is too long. Raises: LimitExceeded."""
    if duration_s > MAX_DURATION_S:
        raise source.limit(
            f"is {duration_s / 3600:.1f} hours long, the limit is {MAX_DURATION_S // 3600}; cut it into parts",
            limit=MAX_DURATION_S,
            duration_s=duration_s,
        )

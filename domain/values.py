"""Values that events and ports share: blobs, media facts, musical material."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from domain.errors import Malformed

Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\s,]+$")]
DEEPEST = 32


def storable(value: Any, depth: int = 0) -> Any:  # Any: JSON, whatever its shape
    """Return JSON that every store can hold: integers of 64 bits, text that is Unicode, bounded depth.

    Raises: ValueError, which pydantic reports with the field's name.
    """
    if depth > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError(f"the integer {value} does not fit in 64 bits; give it as text")
    if isinstance(value, str):
        _unicode(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _unicode(key)
            storable(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            storable(inner, depth + 1)
    return value


def _unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text {text!r} is not valid Unicode") from error


Metadata = Annotated[dict[str, JsonValue], AfterValidator(storable)]
Text = Annotated[str, AfterValidator(storable)]
LONGEST_NAME = 500
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(storable)]
Integer = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
Seconds = Annotated[float, Field(ge=0)]
PackedFloats = Annotated[
    str,
    Field(
        description="little-endian float32 values in base64",
        json_schema_extra={"contentEncoding": "base64"},
    ),
]


class Value(BaseModel):
    """A frozen value: unknown fields and non-finite numbers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Blob(Value):
    """Large data, named by its content."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]
    media_type: str


class AudioFacts(Value):
    """What an audio file's header says, checked against its samples."""

    container: str
    encoding: str
    rate_hz: Annotated[int, Field(ge=1)]
    channels: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate_hz


class NoteFacts(Value):
    """What a MIDI file or score holds."""

    format: str
    notes: Annotated[int, Field(ge=0)]
    tracks: Annotated[int, Field(ge=0)]
    duration_s: Seconds


class Chord(Value):
    """One chord, in seconds; the label in Harte's syntax, N for none. Source: Harte et al. 2005."""

    start_s: Seconds
    end_s: Seconds
    label: str


class ChordLine(Value):
    """Chords one after the other: chord i is `labels[i]`, from `boundaries_s[i]` to `boundaries_s[i + 1]`."""

    boundaries_s: tuple[Seconds, ...] = ()
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _matched(self) -> Self:
        if len(self.boundaries_s) != (len(self.labels) + 1 if self.labels else 0):
            raise ValueError(f"{len(self.labels)} chords need one boundary more, not {len(self.boundaries_s)}")
        return self

    @classmethod
    def of(cls, chords: Iterable[Chord]) -> Self:
        """The line of chords in order; N between two that do not meet."""
        boundaries: list[float] = []
        labels: list[str] = []
        for chord in chords:
            if boundaries and boundaries[-1] < chord.start_s:
                labels.append("N")
                boundaries.append(chord.start_s)
            labels.append(chord.label)
            boundaries += [chord.end_s] if boundaries else [chord.start_s, chord.end_s]
        return cls(boundaries_s=tuple(boundaries), labels=tuple(labels))

    @property
    def chords(self) -> tuple[Chord, ...]:
        """The chords with their spans."""
        spans = zip(self.boundaries_s, self.boundaries_s[1:], self.labels, strict=False)
        return tuple(Chord(start_s=start, end_s=end, label=label) for start, end, label in spans)


def pack_floats(values: np.ndarray) -> PackedFloats:
    """Pack numbers of any shape as little-endian float32 in base64."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")


def suffixed(name: str, suffix: str) -> str:
    """A name with what it was made into behind it, cut where it would be too long."""
    return name[: LONGEST_NAME - len(suffix)] + suffix


def unpack_floats(packed: PackedFloats) -> np.ndarray:
    """Return the packed numbers, shape (n,), float32.

    Raises: Malformed, if the text is not base64 of whole float32 values.
    """
    return np.frombuffer(unpack_bytes(packed), dtype="<f4")


def unpack_bytes(packed: PackedFloats) -> bytes:
    """Return the packed numbers as little-endian float32 bytes.

    Raises: Malformed, if the text is not base64 of whole float32 values.
    """
    try:
        raw = binascii.a2b_base64(packed, strict_mode=True)
    except binascii.Error as error:
        raise Malformed(f"packed floats are not base64: {error}", field="vector") from error
    if len(raw) % 4:
        raise Malformed(f"packed floats hold {len(raw)} bytes, not a multiple of 4", field="vector")
    return raw

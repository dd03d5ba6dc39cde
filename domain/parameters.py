"""What can be set on a generator, effect, instrument or analysis: declared once as data, validated in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from domain.errors import Malformed
from domain.values import Metadata

Setting = float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that can be set: a number within `minimum` and `maximum`, or one of `choices`.

    unit: "ms", "Hz", "dB", …, empty for a bare number. skew: the exponent that turns a control's way, 0 to 1, into
    its share of the range; 1 is even, above 1 gives more of the way to small values.
    """

    name: str
    default: Setting
    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    skew: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.choices) == (self.minimum is not None and self.maximum is not None):
            raise Malformed(f"parameter {self.name!r} needs either choices or both ends of a range", field=self.name)
        if self.skew <= 0:
            raise Malformed(f"parameter {self.name!r} has skew {self.skew}; it must be above 0", field=self.name)
        self.checked(self.default)

    @property
    def range(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return f"a number from {self.minimum:g} to {self.maximum:g}{' ' + self.unit if self.unit else ''}"

    def checked(self, given: JsonValue) -> Setting:
        """Return the value if it may be set, numbers as float. Raises: Malformed, with the range."""
        if self.choices:
            if isinstance(given, str) and given in self.choices:
                return given
        elif isinstance(given, int | float) and not isinstance(given, bool) and self._low <= given <= self._high:
            return float(given)
        raise Malformed(f"{self.name} must be {self.range}, not {given!r}", field=self.name)

    def at(self, way: float) -> float:
        """The value at `way`, 0 to 1, along a control. Raises: Malformed, for a parameter of choices."""
        if self.choices:
            raise Malformed(f"{self.name} is a choice, not a range", field=self.name)
        return self._low + (self._high - self._low) * math.pow(min(max(way, 0.0), 1.0), self.skew)

    @property
    def _low(self) -> float:
        return math.inf if self.minimum is None else self.minimum

    @property
    def _high(self) -> float:
        return -math.inf if self.maximum is None else self.maximum


def validate(declared: Iterable[Parameter], given: Mapping[str, JsonValue]) -> Metadata:
    """Return every declared parameter with the value given for it, or its default, in the order of declaration.

    Raises: Malformed, naming the parameter, its range and the value, or a name that is not declared.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    unknown = sorted(set(given) - set(by_name))
    if unknown:
        known = ", ".join(by_name)
        raise Malformed(f"there is no parameter {unknown[0]!r}; those that can be set are {known}", field=unknown[0])
    return {name: parameter.checked(given.get(name, parameter.default)) for name, parameter in by_name.items()}


def _share(name: str, default: float, help: str) -> Parameter:
    return Parameter(name=name, default=default, minimum=0.0, maximum=1.0, help=help)


ACCOMPANIMENT_MODEL = ("accompaniment", "1")
"""Name and version of the generator that these parameters are for."""

ACCOMPANIMENT_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="style",
        default="pop",
        choices=("pop", "ballad", "swing", "four-on-the-floor"),
        help="The patterns that bass, chords and drums are drawn from.",
    ),
    _share("density", 0.5, "How much is played: 0 leaves the bare pulse, 1 plays every figure of the style."),
    _share("swing", 0.0, "How late the off-beats fall: 0 straight, 1 triplets; the swing style has at least 0.85."),
    _share("bass_level", 0.8, "How loud the bass is; 0 leaves it out."),
    _share("chords_level", 0.7, "How loud the chords are; 0 leaves them out."),
    _share("drums_level", 0.8, "How loud the drums are; 0 leaves them out."),
    Parameter(
        name="humanise_ms",
        default=6.0,
        unit="ms",
        minimum=0.0,
        maximum=30.0,
        skew=2.0,
        help="How far a note may fall before or behind its place.",
    ),
)
"""What can be set on a generated accompaniment."""

"""What the product needs from outside, each port served by an embedded and a server adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from domain.ids import EventId, ProjectId, ResourceId
from domain.values import Blob
from events.envelope import Proposed, Recorded


class Clock(Protocol):
    """The time, passed in so that tests can set it."""

    def now_us(self) -> int:
        """Microseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a write answers with; a read that gets it waits until its view has come so far."""

    project: ProjectId
    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the events of one append lie; for ids that were known already, where they lay before."""

    project: ProjectId
    positions: tuple[int, ...]
    sequences: tuple[int, ...]
    written: int

    @property
    def token(self) -> Token:
        """The token of the last event."""
        return Token(self.project, self.sequences[-1], self.positions[-1])


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a reader wants; an empty field wants all."""

    types: tuple[str, ...] = ()
    subject: ResourceId | None = None
    project: ProjectId | None = None
    correlation: str | None = None


ALL = Selection()


class EventLog(Protocol):
    """The truth: every event, in one order."""

    def append(self, events: Sequence[Proposed], *, expected: Mapping[ResourceId, int] | None = None) -> Appended:
        """Write all events of one project or none, durably; ids that are known are not written again.

        expected: subject -> sequence of the last event about it (0: none) that the events were decided from.
        Raises: Conflict, with `current` in its details; Unavailable, where the store cannot write.
        """

    def read(
        self, after: int, *, limit: int = 1000, upto: int | None = None, selection: Selection = ALL
    ) -> list[Recorded]:
        """Return the next events behind position `after`, in order, at most `limit`.

        Raises: Corrupted, naming the position of an event that does not match its checksum.
        """

    def about(self, subject: ResourceId, *, after: int = 0) -> list[Recorded]:
        """Return every event about a resource, in order."""

    def at(self, positions: Sequence[int]) -> dict[int, Recorded]:
        """Return the events at these positions."""

    def places(self, ids: Iterable[EventId], *, subject: ResourceId | None = None) -> dict[EventId, int]:
        """Return the positions of those ids that are in the log; a finding is only found within its subject."""

    def head(self) -> int:
        """The position of the last event, 0 in an empty log."""

    def wait(self, after: int, timeout_s: float) -> int:
        """Block until the head is past `after`, or the time is up; return the head. Sees other processes' appends."""

    def on_append(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(head)` soon after every append, from any process; returns a function that stops it."""


class Staged(Protocol):
    """A copy that is not a blob yet, and vanishes unless it is kept."""

    @property
    def path(self) -> Path:
        """Where the copy lies."""

    @property
    def sha256(self) -> str:
        """The name it would have."""

    def keep(self, media_type: str) -> Blob:
        """Make it a blob, durably."""


class Blobs(Protocol):
    """Large data by content: the same bytes are stored once."""

    def put(self, data: bytes, media_type: str) -> Blob:
        """Store bytes durably and return their name."""

    def put_stream(self, chunks: Iterable[bytes], media_type: str, *, limit_bytes: int | None = None) -> Blob:
        """Store a stream, hashed on the way; nothing is left behind if it breaks off.

        Raises: LimitExceeded, past `limit_bytes`; Unavailable, where the disk is full.
        """

    def put_file(self, path: Path, media_type: str) -> Blob:
        """Store a copy of a file."""

    def staged(self, path: Path) -> AbstractContextManager[Staged]:
        """Copy a file to look at before it is kept. Raises: NotFound, Forbidden, Unavailable."""

    def open(self, sha256: str) -> BinaryIO:
        """Open for reading. Raises: NotFound."""

    def path(self, sha256: str) -> Path:
        """A local file with the content, for libraries that want one. Raises: NotFound."""

    def has(self, sha256: str) -> bool:
        """Whether it is here."""

    def size(self, sha256: str) -> int:
        """Its length in bytes. Raises: NotFound."""

    def names(self) -> Iterator[str]:
        """Every sha256 here."""


@dataclass(frozen=True, slots=True)
class UploadForm:
    """Leave to send one file straight to the blob store: POST the fields, then the file as `file`, to the address.

    upload: names what was sent when it is to be accepted.
    """

    upload: str
    url: str
    fields: Mapping[str, str]
    limit_bytes: int


class DirectTransfers(Protocol):
    """Transfers between a client and a blob store that can be reached from outside; not every store has them.

    What is signed may be used by whoever has it, so it lives for seconds to an hour. Raises: Malformed, past that.
    """

    def download(self, sha256: str, *, file_name: str, media_type: str, seconds: int = 300) -> str:
        """An address that gives a blob as a file of this name. Raises: NotFound."""

    def upload(self, *, limit_bytes: int, seconds: int = 900) -> UploadForm:
        """A form by which the store takes one file of at most so many bytes; it is no blob yet."""

    def accept(self, upload: str, media_type: str, *, limit_bytes: int, sha256: str | None = None) -> Blob:
        """Make a blob of what was uploaded, once its hash is known; `sha256` is what the client says it is.

        Raises: NotFound; LimitExceeded; Malformed, if it is something else.
        """


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a piece of work is; goes to whoever listens and is forgotten.

    pieces: how many of the job's answers the work is to give; eta_s: what is left of the whole job as far as it is
    known, None where nothing has been measured yet.
    """

    job: str
    resource_id: ResourceId
    step: str
    done: int
    total: int
    failed: int = 0
    eta_s: float | None = None
    pieces: int = 1


class ProgressFeed(Protocol):
    """Progress from whichever process does the work to whoever listens in any; nobody keeps it."""

    def tell(self, progress: Progress) -> None:
        """Tell it; never raises and never waits for a listener elsewhere, who may miss all but the newest of a step."""

    def listen(self, listener: Callable[[Progress], None]) -> Callable[[], None]:
        """Call `listener` with what is told from now on, from any thread; returns a function that stops it."""

    def close(self) -> None:
        """Stop listening; what was told last still goes out."""

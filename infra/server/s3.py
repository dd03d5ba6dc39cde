"""A bucket of an S3 server: its address, its client, and what the client's errors mean."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import BaseHTTPResponse

from domain.errors import DiscoError, LimitExceeded, Malformed, NotFound, Unavailable

PART_BYTES = 16 << 20
CONNECT_S = 3.0
READ_S = 30.0
ATTEMPTS = 3
CONNECTIONS = 32
RETRY_S = 2
REGION = "us-east-1"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TOO_LARGE = frozenset({"EntityTooLarge", "MaxMessageLengthExceeded"})
_FULL = frozenset({"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"})
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"})


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where a bucket is and how to get in; `folder` is what every key begins with, empty or ending in a slash.

    public: the address under which clients outside reach the same server, for what is signed for them.
    """

    endpoint: str
    bucket: str
    key: str
    secret: str = field(repr=False)
    secure: bool = False
    folder: str = ""
    region: str = REGION
    public: str | None = None

    @classmethod
    def parse(cls, url: str) -> S3Address:
        """Read `http[s]://KEY:SECRET@HOST:PORT/BUCKET[/FOLDER][?region=…&public=http[s]://HOST:PORT]`.

        Raises: Malformed, which never tells the secret.
        """
        message = "the address of the blobs cannot be read; give http[s]://KEY:SECRET@HOST:PORT/BUCKET"
        try:
            parts = urlsplit(url)
            host, port, options = parts.hostname, parts.port, parse_qs(parts.query)
        except ValueError:
            raise Malformed(message, field="s3") from None  # the cause tells the address, and so the secret
        bucket, _, folder = parts.path.strip("/").partition("/")
        if not (
            host
            and _BUCKET.fullmatch(bucket)
            and parts.username
            and parts.password
            and parts.scheme in ("http", "https")
        ):
            raise Malformed(message, field="s3")
        return cls(
            endpoint=f"{host}:{port}" if port else host,
            bucket=bucket,
            key=unquote(parts.username),
            secret=unquote(parts.password),
            secure=parts.scheme == "https",
            folder=f"{folder}/" if folder else "",
            region=options.get("region", [REGION])[0],
            public=options.get("public", [None])[0],
        )

    @property
    def where(self) -> str:
        """What to call it in a message."""
        return f"the bucket {self.bucket} at {self.endpoint}"


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there."""

    name: str
    size_bytes: int
    modified: datetime


class Bucket:
    """The objects under an address, by their name behind its folder. Made, if need be, at the first use."""

    def __init__(self, address: S3Address) -> None:
        self.address = address

    @contextmanager
    def _asked(self, *, of: str = "") -> Iterator[Minio]:
        with translated(self.address, of):
            yield _ready(self.address)

    def key(self, name: str) -> str:
        """The whole key of an object."""
        return self.address.folder + name

    def ready(self) -> None:
        """Have the bucket made, if it is not there. Raises: Unavailable."""
        with self._asked():
            pass

    @property
    def public_url(self) -> str:
        """The bucket's address for clients outside."""
        address = self.address
        server = address.public or f"{'https' if address.secure else 'http'}://{address.endpoint}"
        return f"{server.rstrip('/')}/{address.bucket}"

    def find(self, name: str) -> Found | None:
        """The object, if it is there. Raises: Unavailable."""
        try:
            with self._asked() as client:
                told = client.stat_object(self.address.bucket, self.key(name))
        except NotFound:
            return None
        return Found(name, told.size or 0, _time(told.last_modified))

    def put(self, name: str, file: BinaryIO, size_bytes: int, media_type: str) -> None:
        """Write an object from a file, in parts where it is large; it is there at once and whole, or not at all.

        Raises: Unavailable, LimitExceeded.
        """
        with self._asked() as client:
            client.put_object(self.address.bucket, self.key(name), file, size_bytes, media_type, part_size=PART_BYTES)

    def begin(self, name: str, offset: int) -> BaseHTTPResponse:
        """The bytes of an object, from an offset within it, as they come; to be closed and released by the caller.

        Raises: NotFound, Unavailable.
        """
        with self._asked(of=name) as client:
            return client.get_object(self.address.bucket, self.key(name), offset=offset)

    def move(self, name: str, to: str) -> None:
        """Copy an object within the server, then remove the first. Raises: NotFound, Unavailable."""
        with self._asked(of=name) as client:
            source = ComposeSource(self.address.bucket, self.key(name))
            client.compose_object(self.address.bucket, self.key(to), [source])  # of any size; in one part where it can
            client.remove_object(self.address.bucket, self.key(name))

    def remove(self, name: str) -> None:
        """Remove an object; one that is not there is gone already. Raises: Unavailable."""
        with self._asked() as client:
            client.remove_object(self.address.bucket, self.key(name))

    def list(self, prefix: str) -> Iterator[Found]:
        """The objects whose name begins with this, in order of name. Raises: Unavailable."""
        with self._asked() as client:
            whole = self.key(prefix)
            for each in client.list_objects(self.address.bucket, prefix=whole, recursive=True):
                name = (each.object_name or "").removeprefix(self.address.folder)
                yield Found(name, each.size or 0, _time(each.last_modified))

    def abort_uploads(self, before: datetime, *, dry_run: bool = False) -> int:
        """Give up uploads in parts that began before a time and never ended; return how many. Raises: Unavailable."""
        found = 0
        with self._asked() as client:
            for key, upload in self._uploads(client, before):
                found += 1
                if not dry_run:
                    client._abort_multipart_upload(self.address.bucket, key, upload)  # the client has no public way
        return found

    def _uploads(self, client: Minio, before: datetime) -> Iterator[tuple[str, str]]:
        """Key and id of the uploads that began before a time.

        All of the bucket are asked for and sifted here: MinIO answers none for a prefix that is not a whole key.
        """
        marker: str | None = ""
        while marker is not None:
            told = client._list_multipart_uploads(self.address.bucket, key_marker=marker or None)
            for upload in told.uploads:
                ours = upload.object_name.startswith(self.address.folder)
                if ours and upload.upload_id and _time(upload.initiated_time) < before:
                    yield upload.object_name, upload.upload_id
            marker = told.next_key_marker if told.is_truncated else None


@lru_cache(maxsize=16)
def client_of(address: S3Address, *, public: bool = False) -> Minio:
    """The client of an address, one a process; `public` signs for the address that clients outside know."""
    endpoint, secure = address.endpoint, address.secure
    if public and address.public:
        outside = urlsplit(address.public)
        endpoint, secure = outside.netloc, outside.scheme == "https"
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        maxsize=CONNECTIONS,
        retries=urllib3.Retry(total=ATTEMPTS - 1, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
    )
    return Minio(endpoint, address.key, address.secret, secure=secure, region=address.region, http_client=http)


_made: set[S3Address] = set()
_making = threading.Lock()


def _ready(address: S3Address) -> Minio:
    """The client, once the bucket is known to be there and to let us in; made where there is none.

    Asked for by listing: to a stat with a wrong key, versitygw answers that there is no such object.
    """
    client = client_of(address)
    if address not in _made:
        with _making:
            if address not in _made:
                _make(client, address.bucket)
                _made.add(address)
    return client


def _make(client: Minio, bucket: str) -> None:
    try:
        next(client.list_objects(bucket, prefix="nothing/"), None)  # of "/", MinIO finds nothing in no bucket too
    except S3Error as error:
        if error.code != "NoSuchBucket":
            raise
        try:
            client.make_bucket(bucket)
        except S3Error as crossed:
            if crossed.code != "BucketAlreadyOwnedByYou":  # another process was as quick
                raise


def forget(address: S3Address) -> None:
    """Look for the bucket again at the next use."""
    _made.discard(address)


@contextmanager
def translated(address: S3Address, of: str = "") -> Iterator[None]:
    """Turn the client's errors into ours; `of` is the object that was asked for."""
    where = address.where
    try:
        yield
    except DiscoError:
        raise
    except S3Error as error:
        raise _meaning(error, address, of) from error
    except (ServerError, InvalidResponseError, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"{where} does not answer ({_told(error)}); see that it runs", retry_s=RETRY_S) from error


def _meaning(error: S3Error, address: S3Address, of: str) -> DiscoError:
    where, code = address.where, error.code or ""
    if code == "NoSuchKey":
        return NotFound(f"there is no {of} in {where}")
    if code == "NoSuchBucket":
        forget(address)
        return Unavailable(f"{where} is gone; it is made anew at the next try", retry_s=RETRY_S)
    if code in _TOO_LARGE:
        return LimitExceeded(f"{where} takes nothing as large: {error.message}")
    if code in _FULL:
        return Unavailable(f"{where} is full ({code}); free some space and try again", retry_s=RETRY_S)
    if code in _REFUSED:
        return Unavailable(f"{where} refuses our key ({code}); see DISCO_S3 and what the key may do", retry_s=RETRY_S)
    if code == "RequestTimeTooSkewed":
        return Unavailable(f"the clocks of this machine and of {where} differ too much; set them", retry_s=RETRY_S)
    return Unavailable(f"{where} cannot do it now: {code}: {error.message}", retry_s=RETRY_S)


def _told(error: Exception) -> str:
    """The first line of what went wrong; an address in it has no secret in it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _time(told: datetime | None) -> datetime:
    return told or datetime.now(UTC)

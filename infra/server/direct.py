"""Transfers between a client and the bucket itself: signed addresses with a limit and a short life."""

from __future__ import annotations

import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from minio.datatypes import PostPolicy

from domain.errors import LimitExceeded, Malformed, NotFound
from domain.ids import parse_id
from domain.ports import UploadForm
from domain.values import Blob
from infra import spool
from infra.server.blobs import RemoteFile, S3Blobs, name_of
from infra.server.s3 import client_of

LONGEST_S = 3600


class S3Transfers:
    """`DirectTransfers` for a bucket.

    What is uploaded lies in `incoming/` until it is accepted: read, hashed, and written under its hash from the copy
    that was hashed. Whoever still has the form may send another file in its place; that changes no blob.
    """

    def __init__(self, blobs: S3Blobs) -> None:
        self._blobs = blobs
        self._bucket = blobs.bucket

    def download(self, sha256: str, *, file_name: str, media_type: str, seconds: int = 300) -> str:
        """See `DirectTransfers.download`. Always as an attachment: nothing is shown under the store's own origin."""
        self._blobs.size(sha256)
        headers: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": f"attachment; filename*=UTF-8''{quote(file_name, safe='')}",
            "response-content-type": media_type,
        }
        address = self._bucket.address
        return client_of(address, public=True).presigned_get_object(
            address.bucket, self._bucket.key(name_of(sha256)), _life(seconds), response_headers=headers
        )

    def upload(self, *, limit_bytes: int, seconds: int = 900) -> UploadForm:
        """See `DirectTransfers.upload`."""
        address, upload = self._bucket.address, str(uuid.uuid4())
        key = self._bucket.key(_incoming(upload))
        policy = PostPolicy(address.bucket, datetime.now(UTC) + _life(seconds))
        policy.add_equals_condition("key", key)
        policy.add_content_length_range_condition(1, limit_bytes)
        self._bucket.ready()
        client = client_of(address, public=True)
        fields = {**client.presigned_post_policy(policy), "key": key}
        return UploadForm(upload, self._bucket.public_url, fields, limit_bytes)

    def accept(self, upload: str, media_type: str, *, limit_bytes: int, sha256: str | None = None) -> Blob:
        """See `DirectTransfers.accept`. Accepted or refused, what was uploaded is gone; after Unavailable it is not."""
        name = _incoming(upload)
        found = self._bucket.find(name)
        if found is None:
            raise NotFound(f"nothing was uploaded as {upload}, or it was too long ago", upload=upload)
        try:
            if found.size_bytes > limit_bytes:
                raise LimitExceeded(f"the upload is larger than {limit_bytes:,} bytes", limit=limit_bytes)
            with closing(RemoteFile(self._bucket, found)) as remote:
                blob = self._kept(remote, media_type, limit_bytes, sha256)
        except (LimitExceeded, Malformed):
            self._bucket.remove(name)
            raise
        self._bucket.remove(name)
        return blob

    def _kept(self, remote: RemoteFile, media_type: str, limit_bytes: int, sha256: str | None) -> Blob:
        chunks = iter(lambda: remote.read(spool.CHUNK_BYTES), b"")
        with self._blobs.received(chunks, limit_bytes=limit_bytes) as staged:
            if sha256 not in (None, staged.sha256):
                raise Malformed(f"what was uploaded hashes to {staged.sha256}, not {sha256}; send it again")
            return staged.keep(media_type)


def _incoming(upload: str) -> str:
    """The object that an upload is. Raises: Malformed, if that names none."""
    return f"incoming/{parse_id(upload)}"


def _life(seconds: int) -> timedelta:
    if not 1 <= seconds <= LONGEST_S:
        raise Malformed(f"a signed address lives for 1 to {LONGEST_S} seconds, not {seconds}", field="seconds")
    return timedelta(seconds=seconds)

"""Blobs in a bucket of a real S3 server, for the contract and for what only such a store has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio.deleteobjects import DeleteObject

from infra.server.blobs import S3Blobs
from infra.server.s3 import Bucket, S3Address, client_of
from tests.servers import fresh_name, servers


class S3Adapter:
    """Blobs in a fresh bucket, through handles that share this machine's cache."""

    def __init__(self, folder: Path, url: str, made_by: str) -> None:
        self.made_by = made_by
        server, _, _ = url.rpartition("/")
        self.address = S3Address.parse(f"{server}/{fresh_name('disco-test-')}/some/folder")
        self.folder = folder / "cache"
        self.bucket = Bucket(self.address)

    def open(self) -> S3Blobs:
        """See `BlobsAdapter.open`."""
        return S3Blobs(self.address, self.folder)

    def elsewhere(self, name: str) -> S3Blobs:
        """A handle as another machine has it, with a cache of its own."""
        return S3Blobs(self.address, self.folder.with_name(name))

    def leftovers(self) -> int:
        """See `BlobsAdapter.leftovers`."""
        begun = self.bucket.abort_uploads(datetime.now(UTC) + timedelta(hours=1), dry_run=True)
        objects = sum(not found.name.startswith("blobs/") for found in self.bucket.list(""))
        return begun + objects + sum(1 for _ in self.folder.rglob("incoming-*"))

    def close(self) -> None:
        """See `BlobsAdapter.close`."""
        client, name = client_of(self.address), self.address.bucket
        if client.bucket_exists(name):
            self.bucket.abort_uploads(datetime.now(UTC) + timedelta(hours=1))
            listed = client.list_objects(name, recursive=True)
            for fault in client.remove_objects(name, (DeleteObject(each.object_name or "") for each in listed)):
                raise AssertionError(fault)
            client.remove_bucket(name)


def s3_adapter(folder: Path) -> S3Adapter:
    """Over the server that is to be used; skips where there is none."""
    return S3Adapter(folder, servers().s3, "s3")


def versity_adapter(folder: Path) -> S3Adapter:
    """Over versitygw, as a second make of S3; skips where there is none."""
    url = servers().versity
    if url is None:
        pytest.skip("there is no versitygw here; run: make servers")
    return S3Adapter(folder, url, "versity")


S3 = {"s3": s3_adapter, "versity": versity_adapter}

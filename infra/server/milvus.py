"""Milvus: a connection, collections of vectors, and what the driver's errors mean.

The driver takes two seconds to import, so it is imported when something is first asked of the server.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from domain.errors import DiscoError, Malformed, Unavailable

CONNECT_S = 5.0
READ_S = 10.0
WRITE_S = 60.0
MANAGE_S = 120.0
RETRY_S = 2
ROWS = 5_000
MOST_FOUND = 16_384
"""The most that the server gives for one question."""
_GONE = re.compile(r"collection.*(not found|not exist|can't find)", re.IGNORECASE)
_FULL = frozenset({9, 15})  # writing denied: memory or disk quota

# FLAT looks at every vector. The others lose hits under a filter: HNSW and IVF, asked for all their lists even, gave
# half of the ten nearest of a project in a segment that still grows, for which Milvus makes a coarse index of its own
# unless the index is FLAT. At 100,000 of 128 dimensions FLAT is as fast as they are. See docs/how-to/milvus.md.
INDEX, METRIC = "FLAT", "COSINE"
KEY = "id"
"""The field of the keys. Servers before 2.4 call it so in their answers, whatever its name is."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column beside the vector; `length` is the most bytes of a text, 0 of an integer."""

    name: str
    length: int = 0


class Milvus:
    """Connections to one server, made when first needed."""

    def __init__(self, url: str) -> None:
        self._user, self._password, self._server = _parts(url)
        self.where = f"Milvus at {urlsplit(self._server).netloc}"
        self._lock = threading.Lock()
        self._client: Any = None  # Any: the driver is untyped, here and wherever it is used
        self._schemas: dict[str, Any] = {}

    def create(self, collection: str, fields: Sequence[Field], dimensions: int) -> None:
        """Make a collection of vectors under integer keys, and make it ready to be asked; what is there stays."""
        with self._asked() as client:
            from pymilvus import DataType

            if not client.has_collection(collection, timeout=MANAGE_S):
                schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
                schema.add_field(KEY, DataType.INT64, is_primary=True)
                for field in fields:
                    if field.length:
                        schema.add_field(field.name, DataType.VARCHAR, max_length=field.length)
                    else:
                        schema.add_field(field.name, DataType.INT64)
                schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
                client.create_collection(collection, schema=schema, timeout=MANAGE_S)
            if not client.list_indexes(collection, timeout=MANAGE_S):
                params = client.prepare_index_params()
                params.add_index("vector", index_type=INDEX, metric_type=METRIC, params={})
                # an index of nothing is nothing to wait for
                client.create_index(collection, params, timeout=MANAGE_S, sync=False)
            client.load_collection(collection, timeout=MANAGE_S)

    def collections(self, prefix: str) -> list[str]:
        """The collections whose names begin with this."""
        with self._asked() as client:
            return [name for name in client.list_collections(timeout=MANAGE_S) if name.startswith(prefix)]

    def drop(self, collection: str) -> None:
        """Drop a collection and its other names."""
        self._schemas.pop(collection, None)
        with self._asked() as client:
            if client.has_collection(collection, timeout=MANAGE_S):
                for alias in client.list_aliases(collection, timeout=MANAGE_S).get("aliases", ()):
                    client.drop_alias(alias, timeout=MANAGE_S)
                client.drop_collection(collection, timeout=MANAGE_S)

    def seal(self, collection: str) -> None:
        """Have what was written packed and indexed; until it is, it is found as well, but more slowly."""
        with self._asked() as client:
            client.flush(collection, timeout=MANAGE_S)

    def name(self, alias: str, collection: str) -> None:
        """Give a collection another name, whoever had it before."""
        with self._asked() as client:
            taken = alias in client.list_aliases(timeout=MANAGE_S).get("aliases", ())
            (client.alter_alias if taken else client.create_alias)(collection, alias, timeout=MANAGE_S)

    def write(
        self,
        collection: str,
        columns: Mapping[str, Sequence[int] | Sequence[str]],
        vectors: Sequence[bytes],
        *,
        fresh: bool,
    ) -> int:
        """Write rows, and return the time (Milvus's) at which a read sees them.

        Rows under keys that are there already take their place; `fresh` says that there are none, which is faster.
        columns: by field, the key among them. vectors: little-endian float32.
        """
        written = 0
        with self._asked() as client:
            connection = client._get_connection()  # the client's own methods take no columns and do not tell the time
            write = connection.batch_insert if fresh else connection.upsert
            if collection not in self._schemas:  # else the driver asks for it at every write
                self._schemas[collection] = client.describe_collection(collection, timeout=WRITE_S)
            schema = self._schemas[collection]
            for start in range(0, len(vectors), ROWS):
                rows = _entities(columns, vectors, slice(start, start + ROWS))
                told = write(collection, rows, timeout=WRITE_S, schema=schema)
                written = int(told.timestamp)
        return written

    def near(
        self, collection: str, vector: np.ndarray, *, limit: int, where: str, since: int
    ) -> list[tuple[int, float]]:
        """Keys and cosines of the nearest that fit, nearest first; at most `MOST_FOUND`.

        vector: shape (dimensions,), float32. since: the time of a write that must be seen.
        """
        with self._asked() as client:
            found = client.search(
                collection, [vector], filter=where, limit=limit, output_fields=[], timeout=READ_S, **_seeing(since)
            )
        return [(int(hit[KEY]), float(hit["distance"])) for hit in found[0]]

    def vectors(self, collection: str, keys: Sequence[int], *, since: int) -> dict[int, bytes]:
        """The vectors under these keys, as little-endian float32; those that are there."""
        if not keys:
            return {}
        with self._asked() as client:
            where = f"{KEY} in [{','.join(map(str, keys))}]"
            found = client.query(collection, where, output_fields=["vector"], timeout=READ_S, **_seeing(since))
        return {int(row[KEY]): np.asarray(row["vector"], dtype="<f4").tobytes() for row in found}

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        with self._translated():
            yield self._connected()

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                from pymilvus import MilvusClient

                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # what it logs, it raises as well
                self._client = MilvusClient(
                    self._server, user=self._user, password=self._password, timeout=CONNECT_S, dedicated=True
                )
            return self._client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the driver's errors into ours."""
        try:
            yield
        except DiscoError:
            raise
        except Exception as error:
            meaning = _meaning(error, self.where)
            if meaning is None:
                raise
            raise meaning from error

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


def _parts(url: str) -> tuple[str, str, str]:
    """User, password, and the address without them. Raises: Malformed, which never tells the password."""
    message = "the address of Milvus cannot be read; give http://[USER:PASSWORD@]HOST:PORT"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Malformed(message, field="milvus") from None  # the cause tells the address, and so the password
    if parts.scheme not in ("http", "https") or not host:
        raise Malformed(message, field="milvus")
    server = f"{parts.scheme}://{host}:{port or 19530}{parts.path}"
    return unquote(parts.username or ""), unquote(parts.password or ""), server


def _entities(
    columns: Mapping[str, Sequence[int] | Sequence[str]], vectors: Sequence[bytes], part: slice
) -> list[dict[str, Any]]:
    """Some rows as the driver sends them: by column, which takes it half the time that rows do."""
    from pymilvus import DataType

    floats = np.frombuffer(b"".join(vectors[part]), dtype="<f4").reshape(len(vectors[part]), -1)
    found = [
        {
            "name": name,
            "type": DataType.VARCHAR if isinstance(values[0], str) else DataType.INT64,
            "values": values[part],
        }
        for name, values in columns.items()
    ]
    return [*found, {"name": "vector", "type": DataType.FLOAT_VECTOR, "values": floats.tolist()}]


def _seeing(since: int) -> dict[str, Any]:
    """How a read waits until it sees what was written by then, and no longer.

    A read of the level Strong waits for Milvus's next tick, some 200 ms, though nothing was written for hours.
    """
    return {"consistency_level": "Customized", "guarantee_timestamp": max(1, since)}


def _meaning(error: Exception, where: str) -> DiscoError | None:
    """What an error of the driver means; None for a fault of ours."""
    import grpc
    from pymilvus.exceptions import MilvusException, ParamError

    if isinstance(error, ParamError):
        return None
    if isinstance(error, MilvusException):
        told = error.message.splitlines()[0][:300] if error.message else type(error).__name__
        if _GONE.search(told):
            return Unavailable(f"{where} has lost a collection ({told}); run: disco replay", retry_s=RETRY_S)
        if error.code in _FULL:
            return Unavailable(f"{where} has no room left ({told}); give it more", retry_s=RETRY_S)
        return Unavailable(f"{where} cannot do it now ({told}); see that it runs", retry_s=RETRY_S)
    if isinstance(error, grpc.RpcError | grpc.FutureTimeoutError | OSError):
        return Unavailable(f"{where} does not answer ({type(error).__name__}); see that it runs", retry_s=RETRY_S)
    return None

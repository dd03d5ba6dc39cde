"""Uploads, downloads in ranges, health: what REST promises by the standards' own words."""

from __future__ import annotations

import hashlib
import io
import socket
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.ranges import NotSatisfiable, parse_range
from infra.disco import open_disco
from infra.settings import Settings
from tests.api.client import Client
from tests.api.conftest import Ask, Served
from tests.api.making import Catalogue


def tone(frames: int = 4410) -> bytes:
    """A short square wave as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(
            b"".join((8000 if n // 50 % 2 else -8000).to_bytes(2, "little", signed=True) for n in range(frames))
        )
    return out.getvalue()


@pytest.fixture
def content(client: Client, made: Catalogue) -> str:
    """The path of an asset's content."""
    return f"/api/resources/{made.assets['song']}/content"


BODY = b"audio song" * 100


def test_a_download_names_its_content(client: Client, content: str) -> None:
    """Given an asset, when downloaded, then its bytes come with a strong ETag, for ever, under their own name."""
    answer = client.get(content)
    assert answer.content == BODY
    assert answer.headers["etag"] == f'"{hashlib.sha256(BODY).hexdigest()}"'
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''song.wav"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(content, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    head = client.head(content)
    assert (head.headers["content-length"], head.content) == (str(len(BODY)), b"")


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=990-", 990, 999),
        ("bytes=-5", 995, 999),
        ("bytes=5-99999", 5, 999),
    ],
)
def test_a_range_gives_exactly_its_bytes(client: Client, content: str, header: str, first: int, last: int) -> None:
    """Given a range, when downloaded, then 206, its bytes and where they lie."""
    answer = client.get(content, headers={"range": header})
    assert answer.status_code == 206
    assert answer.content == BODY[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(BODY)}"


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=-0", "bytes=99999999999999999999999-"])
def test_a_range_outside_is_not_satisfiable(client: Client, content: str, header: str) -> None:
    """Given a range behind the end, when downloaded, then 416 and the size."""
    answer = client.get(content, headers={"range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize("header", ["lines=1-2", "bytes=5-2", "bytes=", "bytes=a-b", "bytes=0-1,5-6"])
def test_a_range_of_no_sense_is_left_aside(client: Client, content: str, header: str) -> None:
    """Given what is no single range of bytes, when downloaded, then everything comes."""
    answer = client.get(content, headers={"range": header})
    assert (answer.status_code, answer.content) == (200, BODY)


@given(size=st.integers(0, 50), header=st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True))
def test_a_range_lies_within_its_content(size: int, header: str) -> None:
    """Given any range and size, when parsed, then its ends are in order and within, or it is refused."""
    try:
        found = parse_range(header, size)
    except NotSatisfiable:
        return
    if found is not None:
        assert 0 <= found[0] <= found[1] < size


def test_a_range_of_another_version_gives_everything(client: Client, content: str) -> None:
    """Given an If-Range of other content, when a range is asked, then everything comes."""
    assert client.get(content, headers={"range": "bytes=0-1", "if-range": '"other"'}).status_code == 200


def test_unknown_and_malformed_names_are_told_apart(client: Client, made: Catalogue) -> None:
    """Given blobs and resources that are not there, when fetched, then 404; ids that are none, 422; paths, never."""
    assert client.get("/api/blobs/" + "0" * 64).status_code == 404
    assert client.get("/api/blobs/..%2f..%2fetc%2fpasswd").status_code == 404
    assert client.get("/api/blobs/nonsense").json()["code"] == "not_found"
    assert client.get("/api/resources/nonsense/content").json()["code"] == "malformed"
    assert client.get(f"/api/resources/{made.project}/content").status_code == 404
    assert client.get(f"/api/lineage/{made.project}/other.json").status_code == 404


def test_the_service_says_whether_it_is_ready(client: Client, made: Catalogue) -> None:
    """Given a service, when probed, then it is alive, and ready with its views' lag."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert {view["lag"] for view in client.get("/readyz").json()["views"]} == {0}


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where uploads lie until they are looked at."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Any, Client]]:
    """A service that processes."""
    with open_disco(Settings(home=tmp_path / "running", workers=1)) as disco:
        app = create_app(disco, development=True, allowed_hosts=["localhost"])
        with Client(app, base_url="http://localhost") as client:
            yield disco, client


def test_an_upload_becomes_an_asset(running: tuple[Any, Client], uploads: Path) -> None:
    """Given a WAV file, when uploaded twice, then one asset; what is broken or misnamed is refused, leaves nothing."""
    disco, client = running
    query = 'mutation { createProject(name: "Up") { resourceId } }'
    project = client.post("/graphql", json={"query": query}).json()["data"]["createProject"]["resourceId"]
    url = f"/api/projects/{project}/files"
    data = tone()
    first = client.post(url, params={"name": "tone.wav"}, content=data, headers={"content-type": "audio/wav"})
    assert first.status_code == 201, first.text
    told = first.json()
    assert told["content"]["sha256"] == hashlib.sha256(data).hexdigest()
    again = client.post(url, params={"name": "tone.wav"}, content=data)
    assert (again.status_code, again.json()["resourceId"]) == (200, told["resourceId"])
    assert client.get(told["content"]["url"]).content == data
    query = "query($id: ID!, $after: Cursor) { resource(id: $id, after: $after) { name facts } }"
    asked = {"query": query, "variables": {"id": told["resourceId"], "after": told["token"]}}
    found = client.post("/graphql", json=asked).json()["data"]["resource"]
    assert found["facts"]["rate_hz"] == 44100

    head = disco.log.head()
    for name, body, status in (
        ("empty.wav", b"", (415, 422)),
        ("broken.wav", b"RIFF\x00\x00\x00\x00WAVE", (415, 422)),
        ("zip.wav", b"PK\x03\x04" + b"\x00" * 100, (415, 422)),
        ("../up.wav", data, (422,)),
        ("", data, (422,)),
    ):
        answer = client.post(url, params={"name": name}, content=body)
        assert answer.status_code in status, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert body == data or not disco.blobs.has(hashlib.sha256(body).hexdigest()), name
    unknown = "/api/projects/00000000-0000-0000-0000-000000000000/files"
    assert client.post(unknown, params={"name": "a.wav"}, content=data).status_code == 404
    track = f"/api/projects/{told['resourceId']}/files"
    assert client.post(track, params={"name": "a.wav"}, content=data).json()["code"] == "malformed"
    assert [*uploads.iterdir()] == []
    imports = [event for event in disco.log.read(head) if event.type == "disco.audio.imported"]
    assert imports == []


def test_an_import_under_a_command_id_is_done_once(running: tuple[Any, Client], uploads: Path) -> None:
    """Given an upload and an import of a blob, each under an id, when sent again, then nothing is written, same answer.

    Without an id, the content is known already; another file under the same id is a conflict, told with the first.
    """
    disco, client = running

    def ask(query: str, **variables: str) -> dict[str, Any]:
        return client.post("/graphql", json={"query": query, "variables": variables}).json()

    project = ask('mutation { createProject(name: "Up") { resourceId } }')["data"]["createProject"]["resourceId"]
    url, named = f"/api/projects/{project}/files", {"name": "tone.wav", "commandId": "up-1"}
    first = client.post(url, params=named, content=tone())
    head = disco.log.head()
    again = client.post(url, params=named, content=tone())
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert client.post(url, params={"name": "tone.wav"}, content=tone()).json()["new"] is False
    other = client.post(url, params=named, content=tone(8820))
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert first.json()["resourceId"] in other.json()["detail"]

    mutation = """mutation($s: String!, $p: ID!, $n: String!, $c: String) {
        importBlob(sha256: $s, fileName: $n, projectId: $p, commandId: $c) { resourceId token job written new } }"""
    blob = disco.blobs.put(tone(4000), "audio/wav").sha256
    answers = [ask(mutation, s=blob, p=project, n="b.wav", c="up-2")["data"]["importBlob"] for _ in range(2)]
    assert [answer["written"] for answer in answers] == [1, 0]
    assert {**answers[0], "written": 0} == answers[1]
    assert answers[1]["new"] is True
    told = ask(mutation, s=blob, p=project, n="c.wav", c="up-2")["errors"][0]
    assert told["extensions"]["code"] == "conflict"
    imports = [event.id for event in disco.log.read(head) if event.type.endswith(".imported")]
    assert len(imports) == 1


def test_an_upload_past_the_limit_leaves_nothing(running: tuple[Any, Client], uploads: Path) -> None:
    """Given a limit, when an upload says it is larger, or is so without saying, then 413 and no blob."""
    disco, client = running
    disco.blob_limit_bytes = 1 << 20
    query = 'mutation { createProject(name: "Big") { resourceId } }'
    project = client.post("/graphql", json={"query": query}).json()["data"]["createProject"]["resourceId"]
    url = f"/api/projects/{project}/files?name=a.wav"
    assert client.post(url, content=b"x" * (2 << 20)).status_code == 413
    assert client.post(url, content=(b"x" * 65536 for _ in range(64))).status_code == 413
    assert list(disco.blobs.names()) == []
    assert [path for path in disco.blobs.root.iterdir() if path.is_file()] == []
    assert [*uploads.iterdir()] == []


def begun(served: Served, project: str, length: int, part: bytes = b"") -> socket.socket:
    """An upload that has sent its head and part of its body."""
    sock = socket.create_connection(("127.0.0.1", int(served.host.rpartition(":")[2])), timeout=5)
    head = (
        f"POST /api/projects/{project}/files?name=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
    )
    sock.sendall(head.encode() + part)
    return sock


def soon(true: Callable[[], bool]) -> bool:
    """Whether it comes true within seconds."""
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_an_upload_that_breaks_off_leaves_nothing(served: Served, made: Catalogue, uploads: Path) -> None:
    """Given an upload under way, when its sender goes, then its temporary file goes, and there is no blob of it."""
    blobs = sorted(made.service.blobs.names())
    with begun(served, made.project, 3 << 20, b"x" * (2 << 20)):
        assert soon(lambda: any(path.stat().st_size for path in uploads.glob("*/*")))
        assert [folder.stat().st_mode & 0o077 for folder in uploads.iterdir()] == [0]
    assert soon(lambda: not any(uploads.iterdir()))
    assert sorted(made.service.blobs.names()) == blobs


def test_where_an_upload_goes_is_looked_at_first(served: Served, made: Catalogue) -> None:
    """Given what is no project, when an upload to it has said its length, then it is refused before a byte is sent."""
    for id, status in ((made.assets["song"], b"422"), ("00000000-0000-0000-0000-000000000000", b"404")):
        with begun(served, id, 1 << 20) as sock:
            assert sock.recv(1000).split(b" ")[1] == status


def test_an_upload_that_stands_still_is_let_go(
    served: Served, made: Catalogue, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an upload that sends no more, when its time is up, then 503 and nothing is left."""
    monkeypatch.setattr("api.rest.STALLED_S", 0.1)
    with begun(served, made.project, 1 << 20, b"x") as sock:
        assert sock.recv(1000).split(b" ")[1] == b"503"
    assert [*uploads.iterdir()] == []


def test_a_download_survives_in_the_document(ask: Ask, client: Client, made: Catalogue) -> None:
    """Given the url that GraphQL tells, when fetched, then it is the content."""
    url = ask("query($id: ID!) { resource(id: $id) { content { url } } }", id=made.assets["song"])
    assert client.get(url["resource"]["content"]["url"]).content == BODY

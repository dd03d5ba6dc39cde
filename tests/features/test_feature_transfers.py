"""Uploads and downloads past the service, and what refused uploads leave behind."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import urllib3

from api.app import create_app
from domain.commands import CreateProject
from tests.api.client import Client
from tests.given import ADA, RATE_HZ, SETTLE_S, Given, sine

Json = dict[str, Any]  # Any: JSON
on_servers = pytest.mark.parametrize("profile", ["server"], indirect=True)
in_a_folder = pytest.mark.parametrize("profile", ["embedded"], indirect=True)


@pytest.fixture
def client(disco: Given) -> Iterator[Client]:
    """The service's routes."""
    with Client(create_app(disco.service, development=False), base_url="http://localhost") as made:
        yield made


@pytest.fixture
def project(disco: Given) -> str:
    """An empty project."""
    return disco.service.execute(CreateProject(name="Tests"), actor=ADA).resource_id


@pytest.fixture
def take(tmp_path: Path) -> bytes:
    """A second of sound as a WAV file."""
    soundfile.write(tmp_path / "take.wav", sine(), RATE_HZ)
    return (tmp_path / "take.wav").read_bytes()


def _begin(client: Client, project: str, size: int) -> Json:
    answer = client.post(f"/api/projects/{project}/uploads", params={"size": size})
    assert answer.status_code == 201, answer.text
    begun: Json = answer.json()
    return begun


def _send(form: Json, data: bytes) -> int:
    fields = {**form["fields"], "file": ("take.wav", data)}
    return urllib3.request("POST", form["url"], fields=fields, retries=False).status


def _complete(client: Client, project: str, upload: str, data: bytes, **told: str) -> Any:  # Any: an answer of httpx
    told = {"name": "take.wav", "sha256": hashlib.sha256(data).hexdigest(), **told}
    return client.post(f"/api/projects/{project}/uploads/{upload}", params=told)


@on_servers
def test_a_file_sent_straight_to_the_store_is_an_asset_and_comes_straight_back(
    disco: Given, client: Client, project: str, take: bytes
) -> None:
    """Given leave to send, when a file is sent and completed, twice, then one asset; a link gives the same bytes."""
    form, id = _begin(client, project, len(take)), str(uuid.uuid4())
    assert int(form["limit"]) == len(take)
    assert _send(form, take) < 300
    assert list(disco.service.blobs.names()) == []
    answer = _complete(client, project, form["upload"], take, commandId=id)
    assert answer.status_code == 201, answer.text
    assert answer.json()["content"]["size"] == str(len(take))
    assert _complete(client, project, form["upload"], take, commandId=id).json() == answer.json()
    disco.service.settle(SETTLE_S)
    link = client.get(f"/api/resources/{answer.json()['resourceId']}/link", params={"seconds": 60}).json()
    got = urllib3.request("GET", link["url"])
    assert (got.status, got.data) == (200, take)
    assert "take.wav" in got.headers["content-disposition"]


@on_servers
def test_what_was_sent_to_the_store_and_is_not_what_was_said_is_named_by_no_event(
    disco: Given, client: Client, project: str, take: bytes
) -> None:
    """Given an upload of another hash, of no sound, or none at all, then a clear error, and no new event."""
    form, head = _begin(client, project, len(take)), disco.service.log.head()
    assert _complete(client, project, form["upload"], take).status_code == 404
    assert _send(form, take + b"more") >= 400
    assert _send(form, take) < 300
    wrong = _complete(client, project, form["upload"], b"other")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "malformed")
    assert hashlib.sha256(take).hexdigest() in wrong.json()["detail"]
    assert _complete(client, project, form["upload"], take).status_code == 404
    noise = _begin(client, project, 100)
    assert _send(noise, b"no sound at all") < 300
    assert _complete(client, project, noise["upload"], b"no sound at all").status_code in (415, 422)
    assert disco.service.log.head() == head


@on_servers
def test_leave_to_send_is_within_limits(disco: Given, client: Client, project: str) -> None:
    """Given a size past the limit, a life past an hour, or no such project, then there is no leave."""
    path, limit = f"/api/projects/{project}/uploads", disco.service.blob_limit_bytes
    assert client.post(path, params={"size": limit + 1}).status_code == 413
    assert client.post(path, params={"seconds": 3601}).status_code == 422
    assert client.post(path, params={"size": "-1"}).status_code == 422
    assert client.post(f"/api/projects/{uuid.uuid4()}/uploads").status_code == 404
    assert client.post(f"{path}/{uuid.uuid4()}", params={"name": "a.wav", "sha256": "A" * 64}).status_code == 422


@in_a_folder
def test_a_folder_sends_transfers_to_the_services_own_routes(client: Client, project: str) -> None:
    """Given the embedded profile, when leave is asked for, then `unsupported`, naming the routes that do the same."""
    begun = client.post(f"/api/projects/{project}/uploads")
    linked = client.get(f"/api/resources/{project}/link")
    for answer in (begun, linked):
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported")
        assert "/api/projects/{id}/files" in answer.json()["detail"]


def test_a_refused_upload_leaves_no_content(disco: Given, client: Client, project: str, take: bytes) -> None:
    """Given another command's id, or no such track, when an upload comes with it, then its content is not kept."""
    id = str(uuid.uuid4())
    disco.service.execute(CreateProject(name="Other"), actor=ADA, command_id=id)
    path = f"/api/projects/{project}/files"
    refused = client.post(path, params={"name": "take.wav", "commandId": id}, content=take)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    nowhere = client.post(path, params={"name": "take.wav", "container": str(uuid.uuid4())}, content=take)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert list(disco.service.blobs.names()) == []
    assert client.post(path, params={"name": "take.wav"}, content=take).status_code == 201
    assert list(disco.service.blobs.names()) == [hashlib.sha256(take).hexdigest()]

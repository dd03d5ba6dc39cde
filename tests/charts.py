"""Render the chart by the real Helm, and hold what comes out against Kubernetes's own schemas.

Helm and the schemas are fetched once into the cache of `make servers`, pinned and verified. Where they cannot be had,
the test is skipped loudly; under CI it fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from domain.errors import DiscoError
from infra.local_servers import Places
from infra.local_servers.helm import KUBERNETES, Helm, install_helm
from infra.settings import LocalServersSettings
from tests.servers import go_without

CHART = Path(__file__).parents[1] / "infra/helm/disco-musica"
RELEASE, NAMESPACE = "studio", "music"
Manifest = dict[str, Any]  # a document of YAML
NOTHING: Mapping[str, Any] = {}
SERVERS = ("kafka", "postgres", "neo4j", "milvus", "s3")
RESOURCES = {"requests": {"cpu": 1, "memory": "3Gi"}, "limits": {"cpu": 2, "memory": "6Gi"}}
MINIMAL: dict[str, Any] = {
    "workers": [],
    "networkPolicy": {"enabled": False},
    "settings": {"replication_factor": None, "min_insync_replicas": None},
}
ALL: dict[str, Any] = {
    "image": {"repository": "registry.example.org/disco-musica", "tag": "0.1.0-3", "pullSecrets": ["registry"]},
    "servers": {name: {"secret": f"{name}-of-ours", "key": "uri"} for name in SERVERS},
    "settings": {
        "outbox_limit": 20_000_000,
        "task_timeout_s": 1800.5,
        "runner": "plain",
        "kafka_security": "sasl_ssl",
        "kafka_user": "disco",
        "topic_prefix": "studio",
        "series_keep_days": 400,
        "otlp_endpoint": "http://127.0.0.1:4318",
        "development": False,
    },
    "api": {
        "port": 9000,
        "tag": "0.1.0-2",
        "allowHosts": ["disco.internal"],
        "autoscaling": {"enabled": True},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "4g"},
            "hosts": ["disco.example.org"],
            "tlsSecret": "disco-tls",
        },
    },
    "workers": [
        {"name": "answers", "replicas": 3, "views": [], "resources": RESOURCES},
        {
            "name": "views",
            "replicas": 2,
            "processors": [],
            "views": ["lineage_graph", "catalogue"],
            "resources": RESOURCES,
        },
        {"name": "beats", "replicas": 1, "processors": ["track_beats"], "views": [], "resources": RESOURCES},
    ],
    "worker": {
        "metricsPort": 9100,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
    },
    "kafka": {"password": {"secret": "disco", "key": "password"}, "ca": {"secret": "studio-ca", "key": "ca.crt"}},
    "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "audio", "operator": "Exists", "effect": "NoSchedule"}],
}
CHOICES = {"by default": NOTHING, "minimal": MINIMAL, "all options": ALL}
"""Values to render the chart with."""


@cache
def _found() -> Helm | str:
    """Helm, or why there is none."""
    try:
        helm = install_helm(Places.of(LocalServersSettings()))
        subprocess.run([helm.program, "version"], check=True, capture_output=True)
    except (DiscoError, OSError, subprocess.CalledProcessError) as error:
        return f"Helm is needed to test the chart, and cannot be had: {error}"
    return helm


def helm() -> Helm:
    """The real Helm; the test is skipped, or under CI failed, where it cannot be had."""
    found = _found()
    return found if isinstance(found, Helm) else go_without(found)


def ask(*arguments: str, values: Mapping[str, Any] = NOTHING) -> subprocess.CompletedProcess[str]:
    """Run Helm with values of a user's, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [helm().program, *arguments, "--values", "-"],
            input=yaml.safe_dump(dict(values)),
            env={**os.environ, "HOME": home, "KUBECONFIG": f"{home}/none"},
            capture_output=True,
            text=True,
            check=False,
        )


def render(values: Mapping[str, Any] = NOTHING, *, kubernetes: str = KUBERNETES[-1]) -> list[Manifest]:
    """All manifests of a release. Raises: AssertionError, with what Helm says, where it refuses."""
    told = ask(
        *("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", kubernetes), values=values
    )
    assert told.returncode == 0, told.stderr
    return [document for document in yaml.safe_load_all(told.stdout) if document is not None]


@cache
def _definitions(kubernetes: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(helm().definitions(kubernetes).read_text())
    return found


def faults(manifest: Manifest, kubernetes: str) -> list[str]:
    """What a release of Kubernetes would refuse of a manifest, unknown fields included."""
    definitions = _definitions(kubernetes)
    group, _, version = manifest["apiVersion"].rpartition("/")
    wanted = {"group": group, "kind": manifest["kind"], "version": version}
    kinds = definitions["$defs"].items()
    names = [name for name, kind in kinds if wanted in kind.get("x-kubernetes-group-version-kind", [])]
    if len(names) != 1:
        return [f"Kubernetes {kubernetes} has no {wanted}"]
    schema = {"$ref": f"#/$defs/{names[0]}", "$defs": definitions["$defs"]}
    return [
        f"{manifest['kind']} {manifest['metadata']['name']}: {fault.json_path}: {fault.message}"
        for fault in jsonschema.Draft7Validator(schema).iter_errors(manifest)
    ]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """The manifests of one kind."""
    return [one for one in manifests if one["kind"] == kind]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Each Deployment's name, its pods' specification, and their one container."""
    for deployment in of_kind(manifests, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        yield deployment["metadata"]["name"], spec, container


def environment(container: Manifest) -> dict[str, Manifest]:
    """A container's variables by name. Raises: AssertionError, where one is told twice."""
    told = {one["name"]: one for one in container["env"]}
    assert len(told) == len(container["env"])
    return told


@contextmanager
def answering(statuses: list[int], asked: list[str]) -> Iterator[int]:
    """A port on loopback that answers with one status after the other, and notes what it is asked."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the standard library's name
            asked.append(self.path)
            self.send_response(statuses.pop(0))
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def succeeds(command: list[str]) -> bool:
    """Whether a probe's command does, by the Python at hand."""
    python, *arguments = command
    assert python == "python"
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=False).returncode == 0

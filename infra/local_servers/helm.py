"""Helm, and the schemas of Kubernetes's API: no server, but installed like one, for the chart's tests."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Corrupted
from infra.local_servers.installing import install_one
from infra.local_servers.places import Places
from infra.local_servers.sources import wheel
from infra.local_servers.steps import Steps

VERSION = "4.1.4"
KUBERNETES = ("1.28", "1.37")
"""The oldest release of Kubernetes that the chart is for, and the newest there is."""


@dataclass(frozen=True)
class Helm:
    """Its program, and a folder of schemas for each release in KUBERNETES."""

    folder: Path

    @property
    def program(self) -> Path:
        """What is run."""
        return self.folder / "bin/helm"

    def definitions(self, kubernetes: str) -> Path:
        """The JSON Schemas of every kind of a release, in one file; they allow no field that is not in them."""
        return self.folder / "schemas" / kubernetes / "_definitions.json"


@dataclass(frozen=True)
class _Tool:
    name: str = "helm"
    version: str = VERSION

    def install(self, steps: Steps, into: Path) -> None:
        """Unpack both wheels, and keep of them what is asked for."""
        wheel(steps, into)
        steps.tell("unpacking its program")
        _take_program(into)
        schemas = into / "kubernetes_validate/kubernetes-json-schema"
        for release in KUBERNETES:
            kept = into / "schemas" / release / "_definitions.json"
            kept.parent.mkdir(parents=True)
            (schemas / f"v{release}.0-local-strict/_definitions.json").rename(kept)
        shutil.rmtree(into / "aws_cdk")
        shutil.rmtree(into / "kubernetes_validate")


def _take_program(into: Path) -> None:
    """Move the program out of a zip in a tar in the wheel. Raises: Corrupted, where it is not there."""
    packed = next(into.glob("aws_cdk/*/_jsii/*.tgz"))
    with tarfile.open(packed) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        if layer is None:
            raise Corrupted(f"{packed.name} has no layer.zip with Helm in it")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            program = into / "bin/helm"
            program.parent.mkdir()
            program.write_bytes(inner.read("helm/helm"))
    program.chmod(0o755)


def install_helm(places: Places) -> Helm:
    """Helm in the cache of servers; fetched and verified if it is not there (59 MB, seconds).

    Raises: Unavailable, with the step that failed.
    """
    tool = _Tool()
    install_one(tool, places, lambda _name, _what: None)
    return Helm(places.installed(tool.name, tool.version))

"""Two S3 servers: MinIO, and versitygw, which keeps objects as files of a folder and is quick to build."""

from __future__ import annotations

from pathlib import Path

from infra.local_servers import probes
from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Command, Recipe, Site
from infra.local_servers.sources import go_program
from infra.local_servers.steps import Steps

MINIO_PACKAGE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
VERSITYGW_PACKAGE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
BUCKET = "disco"


def _address(site: Site) -> str:
    return f"http://{site.secrets['key']}:{site.secrets['secret']}@{HOST}:{site.port}/{BUCKET}"


def _install_minio(steps: Steps, into: Path) -> None:
    go_program(steps, into, MINIO_PACKAGE)


def _start_minio(site: Site) -> Command:
    return Command(
        [str(site.programs / "bin/minio"), "server", "--address", f"{HOST}:{site.port}", str(site.data)],
        {
            "MINIO_ROOT_USER": site.secrets["key"],
            "MINIO_ROOT_PASSWORD": site.secrets["secret"],
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        },
    )


def _install_versitygw(steps: Steps, into: Path) -> None:
    go_program(steps, into, VERSITYGW_PACKAGE)


def _prepare_versitygw(site: Site) -> None:
    for name in ("data", "facts"):
        (site.folder / name).mkdir(exist_ok=True)


def _start_versitygw(site: Site) -> Command:
    # Facts about objects in a folder of their own: not every file system has extended attributes.
    folders = ["posix", "--sidecar", str(site.folder / "facts"), str(site.data)]
    program = [str(site.programs / "bin/versitygw"), "--quiet", "--port", f"{HOST}:{site.port}", "--health", "/health"]
    return Command(
        [*program, *folders],
        {"ROOT_ACCESS_KEY": site.secrets["key"], "ROOT_SECRET_KEY": site.secrets["secret"]},
    )


MINIO = Recipe(
    name="minio",
    version="2026-02-12",
    install=_install_minio,
    prepare=lambda site: site.data.mkdir(exist_ok=True),
    command=_start_minio,
    ready=lambda site: probes.web(site.port, "/minio/health/ready"),
    addresses=lambda site: {"DISCO_S3": _address(site), "DISCO_S3_MINIO": _address(site)},
    ports={"port": 9000},
    secrets=("key", "secret"),
    builds=True,
)
VERSITYGW = Recipe(
    name="versitygw",
    version="1.8.0",
    install=_install_versitygw,
    prepare=_prepare_versitygw,
    command=_start_versitygw,
    ready=lambda site: probes.web(site.port, "/health"),
    addresses=lambda site: {"DISCO_S3": _address(site), "DISCO_S3_VERSITY": _address(site)},
    ports={"port": 7070},
    secrets=("key", "secret"),
    builds=True,
    stands_in_for="minio",
)

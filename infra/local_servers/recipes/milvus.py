"""Milvus standalone, and Milvus Lite's server as its stand-in where the real one cannot run."""

from __future__ import annotations

import lzma
import re
import sys
from pathlib import Path

from infra.local_servers import probes
from infra.local_servers.places import HERE, LOCKS
from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Command, Recipe, Site
from infra.local_servers.sources import REGISTRY, wheel
from infra.local_servers.steps import Steps

INNER_PORT = 19530
# By their path in the configuration: small where it only waits, quick to be back after a kill.
CHANGED = {
    "etcd.log.level": "error",
    "log.level": "warn",
    "log.file.rootPath": '""',
    "common.session.ttl": "5",
    "common.gracefulStopTimeout": "10",
}


def _install(steps: Steps, into: Path) -> None:
    wheel(steps, into)
    steps.tell("unpacking its programs")
    for packed in (into / "milvus/data/bin").glob("*.lzma"):
        program = packed.with_suffix("")
        program.write_bytes(lzma.decompress(packed.read_bytes()))
        program.chmod(0o755)
        packed.unlink()


def configured(template: str, folder: Path) -> str:
    """Milvus's own template, filled in: data in `folder`, addresses on loopback."""
    values = {
        "etcd_data_dir": folder / "etcd",
        "local_storage_dir": folder / "storage",
        "rocksmq_data_dir": folder / "rocksmq",
    }

    def fill(match: re.Match[str]) -> str:
        name, _, default = match[1].strip().partition(":")
        return str(values.get(name.partition("(")[0].strip(), default.strip()))

    filled = re.sub(r"\{\{(.*?)\}\}", fill, template)
    lines: list[str] = []
    path: list[str] = []
    for line in filled.splitlines():
        key = re.match(r"( *)(\w+):", line)
        if key:
            path = [*path[: len(key[1]) // 2], key[2]]
            wanted = CHANGED.get(".".join(path), HOST if key[2] == "ip" else None)
            line = line if wanted is None else f"{key[1]}{key[2]}: {wanted}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _prepare(site: Site) -> None:
    packed, configs = site.programs / "milvus/data", site.folder / "configs"
    for folder in (configs, site.data):
        folder.mkdir(exist_ok=True)
    (configs / "milvus.yaml").write_text(configured((packed / "config.yaml.template").read_text(), site.data))
    (configs / "glog.conf").write_text((packed / "glog.conf").read_text())


def _command(site: Site) -> Command:
    programs = site.programs / "milvus/data/bin"
    server = ["env", f"LD_LIBRARY_PATH={programs}", str(programs / "milvus"), "run", "standalone"]
    enclosed = [sys.executable, str(HERE / "enclosed.py"), str(site.port), str(INNER_PORT)]
    return Command([*enclosed, *server], {"MILVUSCONF": str(site.folder / "configs"), "DEPLOY_MODE": "STANDALONE"})


def _install_lite(steps: Steps, into: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    steps.run("making its environment", [str(uv), "venv", "--quiet", "--python", sys.executable, str(into / "venv")])
    install = [str(uv), "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKS / "milvus-lite.txt")]
    steps.run("fetching its packages", [*install, "--python", str(into / "venv")], hint=REGISTRY)


def _command_lite(site: Site) -> Command:
    # Not its script, whose first line names the folder that it was installed in before it was whole.
    run = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
    program = [str(site.programs / "venv/bin/python"), "-c", run, "server"]
    return Command([*program, "--data-dir", str(site.data), "--host", HOST, "--port", str(site.port)])


MILVUS = Recipe(
    name="milvus",
    version="2.3.5",
    install=_install,
    prepare=_prepare,
    command=_command,
    ready=lambda site: probes.web(site.port, "/v1/vector/collections", holding=b'"code":200'),
    addresses=lambda site: {"DISCO_MILVUS": f"http://{HOST}:{site.port}"},
    ports={"port": 19530},
    try_again_at=("LOCK: Resource temporarily unavailable",),
    hint="it listens on every interface, so it runs in a network namespace, which root may make, or anybody where user "
    "namespaces are allowed (kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0 by "
    "sysctl). milvus-lite may stand in for it: python -m infra.local_servers up milvus-lite",
)
MILVUS_LITE = Recipe(
    name="milvus-lite",
    version="3.2.2",
    install=_install_lite,
    prepare=lambda site: site.data.mkdir(exist_ok=True),
    command=_command_lite,
    ready=lambda site: probes.grpc(site.port),
    addresses=lambda site: {"DISCO_MILVUS": f"http://{HOST}:{site.port}"},
    ports={"port": 19531},
    stands_in_for="milvus",
)

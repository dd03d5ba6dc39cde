"""TimescaleDB on PostgreSQL 17: Debian's packages unpacked into a folder, run from there.

PostgreSQL refuses to run as root: started by root, it lives in a tree of its own in the run folder (hard links), which
it sees as the whole file system, and has a user number of its own. Anybody else runs it where it was unpacked.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from infra.local_servers import probes
from infra.local_servers.ports import HOST
from infra.local_servers.recipe import Command, Recipe, Site
from infra.local_servers.sources import debian_tree
from infra.local_servers.steps import Steps

SUITE = "trixie"
PACKAGES = ("dash", "postgresql-17", "postgresql-17-timescaledb")
WITHOUT = (
    *("adduser", "debconf", "init-system-helpers", "login", "passwd", "procps", "ucf"),
    *("libc-l10n", "libdb5", "libipc-run-perl", "libjson-perl", "libllvm", "libperl", "libz3", "locales", "perl"),
)
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/lib/postgresql/17/lib/bitcode")
BIN = "usr/lib/postgresql/17/bin"
WRAPPED = ("initdb", "pg_basebackup", "pg_controldata", "pg_dump", "pg_restore", "pg_verifybackup", "postgres", "psql")
# Debian's programs want Debian's C library, not that of the machine: its own loader starts them, wherever they lie.
WRAPPER = """\
#!/bin/sh
root=${0%/usr/lib/postgresql/17/bin/*}
real=$root/usr/lib/postgresql/17/real/${0##*/}
exec "$root/__LOADER__" --library-path "$root/__LIBRARIES__" --argv0 "$0" "$real" "$@"
"""
USER_ID = 70  # as in PostgreSQL's own images
ETC_PASSWD = f"root:x:0:0::/:/bin/sh\npostgres:x:{USER_ID}:{USER_ID}::/data:/bin/sh\n"
USER = DATABASE = "disco"
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_preload_libraries": "timescaledb",
    "timescaledb.license": "apache",
    "timescaledb.telemetry_level": "off",
    "timescaledb.max_background_workers": "16",
    "max_worker_processes": "32",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
}


def _install(steps: Steps, into: Path) -> None:
    debian_tree(steps, into, suite=SUITE, packages=PACKAGES, without=WITHOUT)
    steps.tell("laying out")
    for name in UNUSED:
        shutil.rmtree(into / name)
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (into / name).exists():
            (into / name).symlink_to(f"usr/{name}")
    for name in ("dev", "data"):
        (into / name).mkdir()
    (into / "dev/null").touch()  # a plain file does, and everybody may make one
    (into / "dev/null").chmod(0o666)
    (into / "etc/passwd").write_text(ETC_PASSWD)
    _wrap(into)


def _wrap(tree: Path) -> None:
    loader = next((tree / "usr").glob("lib*/ld-linux*.so.*"), None) or next((tree / "usr/lib").glob("*/ld-linux*.so.*"))
    libraries = next((tree / "usr/lib").glob("*-linux-gnu"))
    text = WRAPPER.replace("__LOADER__", str(loader.relative_to(tree)))
    text = text.replace("__LIBRARIES__", str(libraries.relative_to(tree)))
    (tree / BIN).parent.joinpath("real").mkdir()
    for name in WRAPPED:
        wrapper = tree / BIN / name
        wrapper.rename(wrapper.parents[1] / "real" / name)
        wrapper.write_text(text)
        wrapper.chmod(0o755)


def _as_root() -> bool:
    return os.geteuid() == 0


def _tree(site: Site) -> Path:
    return site.folder / "tree" if _as_root() else site.programs


def _program(site: Site, name: str) -> list[str]:
    if not _as_root():
        return [str(site.programs / BIN / name)]
    return ["/usr/sbin/chroot", f"--userspec={USER_ID}:{USER_ID}", str(_tree(site)), f"/{BIN}/{name}"]


def _data(site: Site) -> tuple[Path, str]:
    """The folder of data, as we see it and as PostgreSQL does."""
    seen = site.folder / "tree" / "data" if _as_root() else site.data
    return seen, "/data" if _as_root() else str(seen)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        shutil.copy2(source, target, follow_symlinks=False)


def _prepare(site: Site) -> None:
    data, seen = _data(site)
    if _as_root() and not _tree(site).exists():
        part = site.folder / "tree.part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(site.programs, part, symlinks=True, copy_function=_link_or_copy)
        part.rename(_tree(site))
    if not (data / "made").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        _make_cluster(site, data, seen)
        (data / "made").touch()


def _make_cluster(site: Site, data: Path, seen: str) -> None:
    password = data.with_name("password")
    password.write_text(site.secrets["password"])
    password.chmod(0o600)
    if _as_root():
        for path in (data, password):
            os.chown(path, USER_ID, USER_ID)
    options = ["-D", seen, "-U", USER, "--pwfile", seen.removesuffix("data") + "password", "-A", "scram-sha-256"]
    try:
        site.steps.run("making its cluster", [*_program(site, "initdb"), *options, "--locale=C.UTF-8", "-E", "UTF8"])
    finally:
        password.unlink()
    statement = f"create database {DATABASE}"
    single = [*_program(site, "postgres"), "--single", "-D", seen, "-c", "unix_socket_directories=", "template1"]
    site.steps.run("making its database", ["sh", "-c", f'echo "{statement}" | exec "$@"', "sh", *single])


def _command(site: Site) -> Command:
    options = OPTIONS | {"port": str(site.port)}
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return Command([*_program(site, "postgres"), "-D", _data(site)[1], *settings])


def _address(site: Site) -> dict[str, str]:
    return {"DISCO_POSTGRES": f"postgresql://{USER}:{site.secrets['password']}@{HOST}:{site.port}/{DATABASE}"}


TIMESCALEDB = Recipe(
    name="timescaledb",
    version="17-2.19",
    install=_install,
    prepare=_prepare,
    command=_command,
    ready=lambda site: probes.postgres(site.port, user=USER, database=DATABASE),
    addresses=_address,
    ports={"port": 5432},
    secrets=("password",),
    ends_by=2,  # SIGINT, PostgreSQL's “fast”: sessions are ended, nothing is lost
    try_again_at=("pre-existing shared memory block", 'lock file "postmaster.pid" already exists'),
)

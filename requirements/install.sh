#!/bin/sh
# Put one of our hashed locks into the virtual environment: install.sh tools|base|dev PYTHON VENV. Called by make.
# tools: the environment itself, with uv; base: what the product needs; dev: base, the tests' tools, and `disco` itself.
set -eu
what=$1 python=$2 venv=$3
cd "$(dirname "$0")/.."

fail() {
    echo "make: $*" >&2
    exit 1
}

make_tools() {
    command -v "$python" >/dev/null 2>&1 || fail "there is no $python; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python …"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version 2>&1) is too old; Disco Musica needs 3.11 or newer: make PYTHON=python3.12 …"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments; install its venv module (Debian: apt-get install python3-venv)"
    echo "making $venv with $("$python" --version 2>&1)"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
}

with_uv() {
    # uv does not read pip's settings: a mirror that is set for pip is one for uv, unless uv has its own.
    if [ -z "${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-}" ]; then
        index=${PIP_INDEX_URL:-$("$venv/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
        if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
    fi
    VIRTUAL_ENV="$PWD/$venv" "$venv/bin/uv" pip "$@"
}

case $what in
tools)
    make_tools
    ;;
base)
    # Added to what is there, never taken away: the same environment may be somebody's for development.
    echo "installing requirements/base.txt into $venv"
    with_uv install --quiet --require-hashes -r requirements/base.txt
    ;;
dev)
    echo "installing requirements/dev.txt into $venv"
    with_uv sync --quiet --require-hashes requirements/dev.txt
    with_uv install --quiet --no-deps --no-build-isolation -e .
    touch "$venv/.base"
    ;;
*)
    fail "install.sh takes tools, base or dev, not $what"
    ;;
esac
touch "$venv/.$what"

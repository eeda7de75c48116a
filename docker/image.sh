#!/bin/sh
# The images accord, accord-demo and accord-tables, as docker-compose.yml names them.
#
#     docker/image.sh             ACCORD_BASE: another base; ACCORD_IMAGE: another name; PYTHON: one with pip
#
# Where no registry gives the base, docker/base.sh makes a stand-in from Debian packages, once.
set -eu
cd "$(dirname "$0")/.."

base=${ACCORD_BASE:-python:3.11-slim-bookworm}
name=${ACCORD_IMAGE:-accord}

docker version >/dev/null 2>&1 || { echo "docker/image.sh: no Docker engine answers" >&2; exit 1; }
if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base" >/dev/null 2>&1; then
    echo "$base cannot be had here: a stand-in from Debian packages takes its place"
    base=accord-base
    docker image inspect "$base" >/dev/null 2>&1 || docker/base.sh "$base"
fi

"${PYTHON:-python3}" docker/host_pip.py
trap 'rm -f docker/pip.conf docker/ca.crt' EXIT
build() {
    docker build --quiet --build-arg "BASE=$base" --target "$1" --tag "$2" . >/dev/null
    echo "$2: $(($(docker image inspect --format '{{.Size}}' "$2") / 1000000)) MB"
}
build node "$name"
build demo "$name-demo"
build tables "$name-tables"

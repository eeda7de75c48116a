#!/bin/sh
# A stand-in for the base image, from Debian packages, for machines that reach a mirror of Debian but no image registry.
#
#     docker/base.sh [TAG]        needs root, debootstrap and a Docker engine
#
# SUITE says which Debian, MIRROR where from; without it, where this machine's own apt takes that suite from.
set -eu

tag=${1:-accord-base}
suite=${SUITE:-bookworm}
engine=${DOCKER:-docker}

[ "$(id -u)" = 0 ] || { echo "docker/base.sh: debootstrap makes a root file system, so run it as root" >&2; exit 1; }
command -v "$engine" >/dev/null || { echo "docker/base.sh needs a Docker engine: apt-get install docker.io" >&2; exit 1; }
command -v debootstrap >/dev/null || {
    echo "debootstrap is installed, once"
    { apt-get update && apt-get install --yes --no-install-recommends debootstrap; } >/dev/null
}

mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" "Created-By: Packages" | head -n 1)}
mirror=${mirror:-http://deb.debian.org/debian}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "$tag: $suite from Debian packages"
debootstrap --variant=minbase --include=python3,python3-venv "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
    cat "$root/debootstrap/debootstrap.log" "$root.log" >&2 2>/dev/null
    rm -f "$root.log"
    exit 1
}
rm -f "$root.log"

# As Debian's slim images: no manuals, no translations, no packages' lists. Copyright files stay.
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/var/cache/apt/* \
    "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/etc/machine-id
find "$root/usr/share/doc" -type f ! -name copyright -delete
: >"$root/etc/machine-id"
: >"$root/etc/resolv.conf"
echo "deb http://deb.debian.org/debian $suite main" >"$root/etc/apt/sources.list"

tar --numeric-owner --one-file-system --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* -C "$root" -c . |
    "$engine" import --change 'CMD ["python3"]' --message "stand-in from Debian $suite packages" - "$tag" >/dev/null

#!/bin/sh
# What a container begins with. The compiled kernels lie in the image, which nobody here can write; numba takes a cache
# only where it can write too (another machine's processor wants kernels of its own). So it gets a copy of a few MB.
set -eu
if [ -n "${NUMBA_CACHE_DIR:-}" ] && [ ! -w "$NUMBA_CACHE_DIR" ]; then
    copy=${TMPDIR:-/tmp}/accord-kernels
    [ -d "$copy" ] || cp -R --preserve=timestamps "$NUMBA_CACHE_DIR" "$copy"
    export NUMBA_CACHE_DIR="$copy"
fi
exec "$@"

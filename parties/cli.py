"""The command ``accord``."""

from __future__ import annotations

import argparse
import platform
import ssl
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import typer

from parties.charter_commands import add_charter_commands
from parties.client_commands import add_client_commands
from parties.command_app import make_app
from parties.commands.publish import add_publish_commands
from parties.doctor_command import add_doctor_command
from parties.founding_commands import add_founding_commands
from parties.identity_commands import add_identity_commands, run_identity_command
from parties.join_command import add_join_command
from parties.serve_command import add_serve_command

__all__ = ["main"]


async def _product(party: Any, mine: int) -> int:
    """Every party's number, multiplied without anybody seeing another's."""
    x, y, z = (party.input(mine, owner=i) for i in range(3))
    return int(await party.reveal(x * y * z))


def _check() -> int:
    """Three parties on this machine over TLS compute one product; says what works and what it took."""
    from mpc import LocalCluster
    from mpc.errors import AccordError

    print(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, TLS 1.3 {'yes' if ssl.HAS_TLSv1_3 else 'NO'}")
    begin = time.perf_counter()
    try:
        with LocalCluster(parties=3) as cluster:
            started = time.perf_counter() - begin
            answers = cluster.run(_product, [6, 7, 11])
            seconds = cluster.seconds
    except (AccordError, OSError) as error:
        print(f"three parties on loopback: failed, {type(error).__name__}: {error}")
        return 1
    good = answers == [462, 462, 462]
    print(f"three parties on loopback: started in {started:.1f} s, one product in {1000 * seconds:.0f} ms")
    print("ready" if good else f"wrong answer {answers}: do not use this installation")
    return 0 if good else 1


def _root() -> None:
    """No option of its own."""


def _typed(words: list[str]) -> int:
    """A command that has come to Typer already."""
    app = make_app("Private analytics for consortia.", _root)
    add_publish_commands(app)
    try:
        return int(typer.main.get_command(app).main(words, prog_name="accord", standalone_mode=False))
    except typer.TyperException as wrong:
        print(f"accord {words[0]}: WrongUsage: {wrong.format_message()}", file=sys.stderr)
        return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="accord", description="Private analytics for consortia.")
    parser.add_argument("--version", action="version", version=f"accord {metadata.version('accord')}")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("check", help="does this installation compute? three parties over TLS on this machine")
    add_identity_commands(commands)
    for name in ("publish", "tables"):
        commands.add_parser(name, help="what jobs may use of which tables", add_help=False)
    add_founding_commands(commands)
    add_join_command(commands)
    add_serve_command(commands)
    add_charter_commands(commands)
    add_doctor_command(commands)
    add_client_commands(commands)
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] in (["publish"], ["tables"]):
        return _typed(words)
    given = parser.parse_args(words)
    if given.command is None:
        parser.print_help()
        return 0
    if given.command == "check":
        return _check()
    if "run" in given:
        return int(given.run(given))
    return run_identity_command(given)


if __name__ == "__main__":
    sys.exit(main())

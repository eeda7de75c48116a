"""A consortium on this machine: its members' homes, files and nodes, made of the commands their people would type."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from examples.consortium_nodes import Member, Running, code_in, fingerprint_in, free_ports, key_in
from parties.client import Client
from parties.errors import NodeCallFailed

__all__ = ["ANALYST", "Founded", "place", "shown_command"]

ANALYST = "analyst"


class Founded:
    """Members' homes in the directory of their logs, and an analyst's. The first member founds. Steps in their order:
    found (or begin, and the others' invitations one by one), publish, remember, serve. All raise CommandFailed.

    Args:
        title: of the consortium.
        names: of three members or more.
        running: with the directory, of this user alone.
        say: is told each command, as it is typed in that directory.

    Attributes:
        fingerprint: the founder's, once it has one.
    """

    def __init__(self, title: str, names: Sequence[str], running: Running, say: Callable[[str], None]) -> None:
        self.directory = running.directory
        ports = free_ports(2 * len(names))
        self.members = [Member(n, self.directory / n, *ports[2 * i : 2 * i + 2]) for i, n in enumerate(names)]
        self.analyst = self.directory / ANALYST
        self.title, self.running, self.fingerprint = title, running, ""
        self._say = say

    @property
    def founder(self) -> Member:
        """Whose node the analyst asks."""
        return self.members[0]

    def found(self) -> None:
        """One member founds and invites, the others join; the analyst's key goes into the founder's node.toml."""
        self.begin()
        joining = {f"join-{member.name}": self.invite(member) for member in self.members[1:]}
        self.accord({"invite-wait": self.waiting(), **joining})

    def begin(self) -> None:
        """The charter with its founder alone, and the analyst's identity."""
        founder = self.founder
        self._made(founder, {})
        begun = self.accord({
            "found": ["found", self.title, "--name", founder.name, "--address", founder.address, *_home(founder)],
            "init": ["init", str(self.analyst)],
        })  # fmt: skip
        self.fingerprint = fingerprint_in(begun["found"])
        (founder.home / "node.toml").write_text(founder.settings({ANALYST: key_in(begun["init"])}))

    def invite(self, member: Member) -> list[str]:
        """What the member's engineer types then. It has the founder's fingerprint, which was read aloud, so to say."""
        return ["join", self.code(member), "--fingerprint", self.fingerprint, "--no-doctor", *_home(member)]

    def code(self, member: Member) -> str:
        """Of its invitation; good once."""
        self._made(member, {})
        invite = f"invite-{member.name}"
        words = ["invite", member.name, "--address", member.address, *_home(self.founder)]
        return code_in(self.accord({invite: words})[invite])

    def waiting(self) -> list[str]:
        """What the founder types, for those it invited to be let in."""
        return ["invite", "--wait", "--yes", *_home(self.founder)]

    def publish(self, words: Mapping[str, Sequence[str]]) -> None:
        """Tables, by member: `accord publish` and what it is given."""
        homes = {member.name: member for member in self.members}
        self.accord({f"publish-{name}": [*given, *_home(homes[name])] for name, given in words.items()})

    def remember(self) -> None:
        """The analyst keeps the key of the node that is asked."""
        found = self.accord({"fingerprint": ["fingerprint", str(self.founder.home)]})["fingerprint"]
        self.accord({"remember": ["remember", self.founder.url, key_in(found), "--home", str(self.analyst)]})

    def serve(self, member: Member) -> None:
        """Its node starts, and goes on."""
        words = ["serve", *_home(member)]
        self._say(shown_command(words, self.directory))
        self.running.start(member.name, *words)

    def meet(self, client: Client) -> None:
        """Wait until all nodes hear one another and have a mesh, as the asked one says."""

        def together() -> bool:
            with contextlib.suppress(NodeCallFailed):
                status = client.status()
                return all(member.up for member in status.members) and status.lanes > 0
            return False

        self.running.wait(together, "the nodes of all members are up and together")

    def accord(self, commands: Mapping[str, list[str]]) -> dict[str, str]:
        """Commands at the same time, by the names of their logs; what each printed."""
        for words in commands.values():
            self._say(shown_command(words, self.directory))
        return self.running.together(commands)

    def _made(self, member: Member, people: dict[str, str]) -> None:
        member.home.mkdir(mode=0o700)
        (member.home / "node.toml").write_text(member.settings(people))


def shown_command(words: Sequence[str], directory: Path) -> str:
    """For people: paths are of the directory."""
    return shlex.join(["accord", *words]).replace(f"{directory}/", "")


@contextlib.contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """A directory of this user's alone: removed in the end, unless it is to be kept."""
    if keep is not None:
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield keep.absolute()
        return
    directory = Path(tempfile.mkdtemp(prefix="accord-consortium-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _home(member: Member) -> list[str]:
    return ["--home", str(member.home)]

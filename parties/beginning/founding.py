"""A consortium in the making, in ``founding.json`` of its founder's node: who is invited, and who has come.

The file is a secret's: with the keys in it somebody could come in an invited member's place.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parties.beginning.invitation import Code, derive, new_code
from parties.disk.locking import held
from parties.disk.private_files import read_private, write_atomically
from parties.errors import CharterInvalid, FileMissing, FoundingInvalid
from parties.keys.fingerprints import read_public_key
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.setup.home import Home

__all__ = ["Founding", "Invitation", "changing", "founded_here", "read_founding"]

Role = Literal["compute", "input", "result"]
_Key = Annotated[str, Field(pattern=r"^ed25519:[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Invitation(_Strict):
    """One member that is invited.

    Attributes:
        name, address, roles: as the charter will have them; the member may state another address as it comes.
        expires: unix time, seconds.
        id, key: what invitation.derive made of its code; 32 and 64 hex digits.
        joined: public key of who came with the code first, as a charter has it; nobody else comes with it.
        settled: it has told that the charter is in force at its node.
    """

    name: str
    address: str | None
    roles: list[Role]
    expires: float
    id: str = Field(pattern="^[0-9a-f]{32}$")
    key: str = Field(pattern="^[0-9a-f]{64}$", repr=False)
    joined: _Key | None = None
    settled: bool = False

    def member(self, key: bytes) -> Member:
        """As the charter has it, with this key. CharterInvalid."""
        return Member(self.name, key, frozenset(self.roles), self.address)


class Founding(_Strict):
    """What the founder has said so far.

    Attributes:
        consortium: its title.
        threshold: of the charter; None: the most its compute members allow.
        name, address, roles: the founder's own.
        invitations: by the members' names.
    """

    format: Literal["accord founding 1"] = "accord founding 1"
    consortium: str
    threshold: int | None
    name: str
    address: str | None
    roles: list[Role]
    invitations: Mapping[str, Invitation] = Field(default_factory=dict)

    def check(self, founder: bytes) -> None:
        """CharterInvalid unless the founder's own part can stand in a charter. Of the rest nothing is known yet."""
        Member(self.name, founder, frozenset(self.roles), self.address)
        Charter(self.consortium, 1, None, 1, _three())
        if self.threshold is not None and self.threshold < 1:
            raise CharterInvalid(f"threshold {self.threshold}: at least 1, and fewer than half of the compute members")

    def invite(
        self, name: str, address: str | None, roles: list[Role], waits_at: str, founder: bytes, expires: float
    ) -> tuple[Founding, Code]:
        """With one more invited, or another code for one who has not come: the code before is void then.

        Raises FoundingInvalid for who has come, a name or an address that is taken; CharterInvalid for what no charter
        takes; CodeInvalid for no address to wait at.
        """
        known = self.invitations.get(name)
        if known is not None and known.joined is not None:
            raise FoundingInvalid(
                f"member {name} has come already, with the key the charter will have: `accord invite {name} --cancel` "
                "first, if it must come anew"
            )
        if name == self.name:
            raise FoundingInvalid(f"{name} is the founder itself: invite the others")
        self.check_address(name, address)
        code = new_code(waits_at, founder)
        handle, key = derive(code, founder)
        made = Invitation(name=name, address=address, roles=roles, expires=expires, id=handle, key=key.hex())
        made.member(founder)  # any key: the rest is checked
        return self.model_copy(update={"invitations": {**self.invitations, name: made}}), code

    def check_address(self, name: str, address: str | None) -> None:
        """FoundingInvalid if another than ``name`` has this address."""
        taken = {self.name: self.address, **{one.name: one.address for one in self.invitations.values()}}
        for other, theirs in taken.items():
            if other != name and address is not None and theirs == address:
                raise FoundingInvalid(f"{address} is the address of member {other}: each has its own")

    def without(self, name: str) -> Founding:
        """With one invited member less. FoundingInvalid if there is no such."""
        if name not in self.invitations:
            raise FoundingInvalid(f"nobody is invited as {name}: there are {', '.join(self.invitations) or 'none'}")
        rest = {other: one for other, one in self.invitations.items() if other != name}
        return self.model_copy(update={"invitations": rest})

    def changed(self, name: str, **changes: object) -> Founding:
        """With other fields of one invitation. FoundingInvalid if it was taken back meanwhile."""
        if name not in self.invitations:
            raise FoundingInvalid(f"the invitation of {name} was taken back while it was here: begin the meeting again")
        one = self.invitations[name].model_copy(update=changes)
        return self.model_copy(update={"invitations": {**self.invitations, name: one}})

    def missing(self) -> list[str]:
        """Who has not come yet."""
        return [one.name for one in self.invitations.values() if one.joined is None]

    def charter(self, founder: bytes) -> Charter:
        """Of the founder and all who are invited. FoundingInvalid while some have not come; CharterInvalid."""
        missing = self.missing()
        if missing:
            raise FoundingInvalid(f"not everybody has come: {', '.join(missing)}")
        mine = Member(self.name, founder, frozenset(self.roles), self.address)
        others = (one.member(read_public_key(one.joined or "")) for one in self.invitations.values())
        members = (mine, *others)
        most = (sum("compute" in member.roles for member in members) - 1) // 2
        return Charter(self.consortium, 1, None, max(1, most) if self.threshold is None else self.threshold, members)


def founded_here(home: Home) -> bool:
    """Whether something is, or was, being founded by this node."""
    return home.founding.exists()


def read_founding(home: Home) -> Founding:
    """Raises FoundingInvalid if nothing is founded here or the file was changed; FileExposed, FileUnusable."""
    try:
        content = read_private(home.founding)
    except FileMissing:
        raise FoundingInvalid(
            "nothing is being founded here: `accord found TITLE` begins; to come to another's, `accord join CODE`"
        ) from None
    try:
        return Founding.model_validate_json(content)
    except (ValidationError, ValueError):
        raise FoundingInvalid(
            f"{home.founding} was changed: restore it, or move it away and begin anew with `accord found`"
        ) from None


@contextlib.contextmanager
def changing(home: Home) -> Iterator[Callable[[Founding], None]]:
    """With the lock held: read_founding within, and call what this gives to write.

    So a code may be made while the founder waits for members in another process. Raises FileUnusable.
    """
    with held(home.directory / ".founding.lock"):
        yield lambda founding: _write(home, founding)


def _write(home: Home, founding: Founding) -> None:
    text = json.dumps(founding.model_dump(mode="json"), indent=1) + "\n"
    write_atomically(home.founding, text.encode(), replace=True)


def _three() -> tuple[Member, ...]:
    """Members enough for a charter to be checked for what else it says."""
    keys = [Identity.generate().public for _ in range(3)]
    return tuple(Member(f"m{i}", key, frozenset({"compute"}), f"m{i}:1") for i, key in enumerate(keys))

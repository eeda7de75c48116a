"""A charter as people look at it before they sign: all it says, and what is different from the one in force."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from parties.keys.fingerprints import show_fingerprint
from parties.membership.charter import ROLES, Charter, Member

__all__ = ["changes", "show_charter"]


def show_charter(console: Console, charter: Charter, me: str | None = None) -> None:
    """Print it whole, with every fingerprint in full, and the digest to compare.

    Args:
        me: this member's fingerprint, to mark its line.
    """
    m = len(charter.compute)
    console.print(
        f"[bold]{escape(charter.consortium)}[/bold], version {charter.version}: {len(charter.members)} members, "
        f"{m} of them compute, any {charter.threshold} of these learn nothing together"
    )
    for member in charter.members:
        mine = " (this node)" if member.fingerprint == me else ""
        roles = ", ".join(role for role in ROLES if role in member.roles)
        console.print(f"\n[bold]{member.name}[/bold]{mine}: {roles}; {escape(member.address or 'nobody dials it')}")
        console.print(_lines(member.fingerprint), highlight=False)
    console.print(f"\n[bold]digest[/bold] of all this\n{show_fingerprint(charter.digest)}", highlight=False)


def _lines(fingerprint: str) -> str:
    """In two lines."""
    first, second, third, fourth = show_fingerprint(fingerprint).splitlines()
    return f"  {first} {second}\n  {third} {fourth}"


def changes(charter: Charter, before: Charter | None) -> list[str]:
    """One line for each thing that is not as it was in the version before; none if there was no version before."""
    if before is None:
        return []
    lines = []
    if charter.threshold != before.threshold:
        lines.append(f"threshold: {before.threshold} -> {charter.threshold}")
    old = {member.name: member for member in before.members}
    new = {member.name: member for member in charter.members}
    lines += [f"{name}: leaves" for name in old if name not in new]
    lines += [f"{name}: new" for name in new if name not in old]
    for name in new.keys() & old.keys():
        lines += _member_changes(old[name], new[name])
    return sorted(lines)


def _member_changes(old: Member, new: Member) -> list[str]:
    lines = []
    if new.key != old.key:
        lines.append(f"{new.name}: ANOTHER KEY. {new.fingerprint} in place of {old.fingerprint}")
    if new.address != old.address:
        lines.append(f"{new.name}: address {old.address} -> {new.address}")
    if new.roles != old.roles:
        lines.append(f"{new.name}: roles {', '.join(sorted(old.roles))} -> {', '.join(sorted(new.roles))}")
    return lines

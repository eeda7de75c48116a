"""Three hospitals on this machine, a node each, found a consortium; an analyst asks it and gets joint answers.

    python -m examples.consortium                   found, publish, serve, ask; everything is removed in the end
    python -m examples.consortium --ask             the nodes go on, and more can be asked of them, until Ctrl-C
    python -m examples.consortium --keep DIR        the hospitals' files stay in DIR, to look at or to serve again

Each hospital does what its people would type: `accord found` or `accord join`, `accord publish`, `accord serve`. Its
node reads its own file only. The analyst has an identity, which one hospital lists in its node.toml, and asks through
parties.client. The column "truth" exists in this demonstration alone: it wrote the hospitals' files.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from examples import consortium_questions as asking
from examples import consortium_view as view
from examples.command import PICTURES, Parser, add_rows
from examples.consortium_nodes import (
    CommandFailed,
    Member,
    Running,
    code_in,
    ended_by_signals,
    fingerprint_in,
    free_ports,
    key_in,
)
from examples.consortium_plot import draw
from examples.consortium_questions import Answer, Question
from examples.consortium_tables import Study, parts, publish_arguments, study_of
from examples.datasets import load_support2
from examples.view import Stages, console
from mpc.errors import AccordError
from parties.client import Client
from parties.errors import NodeCallFailed

NAMES = ("harbour", "lakeside", "northgate")
TITLE = "Three hospitals"
ANALYST = "analyst"
MOST_EPSILON = 32


class Demonstration:
    """Homes, files and processes in one directory. Every step raises CommandFailed."""

    def __init__(self, directory: Path, study: Study, epsilon: float, running: Running, stages: Stages) -> None:
        ports = free_ports(2 * len(NAMES))
        self.members = [Member(n, directory / n, *ports[2 * i : 2 * i + 2]) for i, n in enumerate(NAMES)]
        self.analyst = directory / ANALYST
        self.seconds: dict[str, float] = {}
        self._directory, self._study, self._epsilon = directory, study, epsilon
        self._running, self._stages = running, stages

    @contextlib.contextmanager
    def stage(self, number: int, name: str, text: str) -> Iterator[None]:
        """One of five; how long it takes is kept."""
        self._stages(0, f"{number}/5 {text}")
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun

    def found(self) -> None:
        """One hospital founds and invites, the others join; the analyst's key goes into the founder's node.toml.

        The founder's fingerprint is read aloud, so to say: whoever joins compares it.
        """
        founder, *others = self.members
        home = ["--home", str(founder.home)]
        self._made(founder, {})
        begun = self._accord({
            "found": ["found", TITLE, "--name", founder.name, "--address", founder.address, *home],
            "init": ["init", str(self.analyst)],
        })  # fmt: skip
        founder_print, key = fingerprint_in(begun["found"]), key_in(begun["init"])
        (founder.home / "node.toml").write_text(founder.settings({ANALYST: key}))
        joining = {}
        for member in others:
            self._made(member, {})
            invite = f"invite-{member.name}"
            code = code_in(self._accord({invite: ["invite", member.name, "--address", member.address, *home]})[invite])
            joining[f"join-{member.name}"] = [
                "join", code, "--fingerprint", founder_print, "--no-doctor", "--home", str(member.home),
            ]  # fmt: skip
        self._accord({"invite-wait": ["invite", "--wait", "--yes", *home], **joining})

    def publish(self) -> None:
        """Each hospital publishes a file of its own. The analyst keeps the key of the node that is asked."""
        most = asking.most_epsilon(self._epsilon)
        commands = {}
        for member, rows in zip(self.members, parts(self._study, len(NAMES)), strict=True):
            file = self._directory / f"{member.name}.parquet"
            rows.to_parquet(file, index=False)
            words = publish_arguments(self._study, file, most)
            commands[f"publish-{member.name}"] = [*words, "--home", str(member.home)]
        founder = self.members[0]
        commands["fingerprint"] = ["fingerprint", str(founder.home)]
        self.node_key = key_in(self._accord(commands)["fingerprint"])
        self._accord({"remember": ["remember", founder.url, self.node_key, "--home", str(self.analyst)]})

    def serve(self, client: Client) -> None:
        """All nodes start; it is waited until they hear one another and have a mesh."""
        for member in self.members:
            words = ["serve", "--home", str(member.home)]
            self._say(words)
            self._running.start(member.name, *words)

        def together() -> bool:
            with contextlib.suppress(NodeCallFailed):
                status = client.status()
                return all(member.up for member in status.members) and status.lanes > 0
            return False

        self._running.wait(together, "the nodes of all hospitals are up and together")

    def ask(self, client: Client) -> tuple[list[Question], dict[str, Answer]]:
        """All questions, one after another."""
        asked = asking.questions(self._study, NAMES, self._epsilon)
        answers = {}
        for question in asked:
            self._stages.note(f"{ANALYST}: {question.title}")
            try:
                answers[question.name] = asking.ask(client, question, seldom(lambda text: self._stages(0, text)))
            except AccordError as error:
                self._running.check()  # a node that died says more
                raise CommandFailed(f"{question.title} {type(error).__name__}: {error}") from error
        return asked, answers

    def _made(self, member: Member, people: dict[str, str]) -> None:
        member.home.mkdir(mode=0o700)
        (member.home / "node.toml").write_text(member.settings(people))

    def _accord(self, commands: dict[str, list[str]]) -> dict[str, str]:
        for words in commands.values():
            self._say(words)
        return self._running.together(commands)

    def _say(self, words: Sequence[str]) -> None:
        text = shlex.join(["accord", *words]).replace(f"{self._directory}/", "")
        self._stages.note(f"$ {text if len(text) <= 110 else text[:107] + '...'}")


def seldom(tell: Callable[[str], None], every: float = 1.0) -> Callable[[str], None]:
    """The same, but silent for ``every`` seconds after a call that was let through."""
    last = -math.inf

    def told(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            tell(text)

    return told


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


def run(study: Study, epsilon: float, directory: Path, picture: Path, *, stay: bool) -> None:
    """The demonstration, from founding to the picture; ``stay``: until it is interrupted. Raises CommandFailed."""
    out = console()
    view.introduce(out, study, NAMES)
    with Running(directory) as running:
        with Stages() as stages:
            shown = Demonstration(directory, study, epsilon, running, stages)
            with shown.stage(1, "founding", "one hospital founds the consortium, two join it"):
                shown.found()
            with shown.stage(2, "publishing", "each hospital publishes its own patients"):
                shown.publish()
            with Client(shown.members[0].url, shown.analyst) as client:
                with shown.stage(3, "starting", "three nodes start, and find each other"):
                    shown.serve(client)
                with shown.stage(4, "asking", "an analyst asks"):
                    asked, answers = shown.ask(client)
            with shown.stage(5, "comparing", "the same in the open, and a picture"):
                truths = asking.truth(study)
                pair = asking.fitted(study, answers["model"].result)
                draw(study, answers, truths, pair, epsilon, picture)
        lines = []
        for question in asked[:-1]:
            found = view.lines_of(study, answers[question.name].result, truths[question.name])
            view.show(out, question, answers[question.name], found)
            lines += found
        view.show_model(out, study, asked[-1], answers["model"], pair)
        view.show_end(out, lines, asked, shown.seconds)
        print(f"Picture: {picture}")
        if stay:
            print(how_to_ask(shown, asked), flush=True)
            running.wait(lambda: False, "nobody waits so long", patience=float("inf"))


def how_to_ask(shown: Demonstration, asked: Sequence[Question]) -> str:
    """The commands to ask more, as they can be copied."""
    accord = Path(sys.executable).with_name("accord")
    where = f"export PATH={shlex.quote(str(accord.parent))}:$PATH" if accord.exists() else "# accord: make setup has it"
    return "\n".join([
        "\nThe nodes go on until Ctrl-C. In another terminal:\n",
        where,
        f"export ACCORD_HOME={shlex.quote(str(shown.analyst))} ACCORD_URL={shown.members[0].url}",
        "accord status",
        "accord catalogue",
        "accord jobs",
        *(question.command for question in asked if question.name in ("among", "model")),
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Gives the exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.epsilon > MOST_EPSILON:
        parser.error(f"argument --epsilon: at most {MOST_EPSILON}, half of which one model may cost")
    if chosen.keep is not None and chosen.keep.exists() and (not chosen.keep.is_dir() or any(chosen.keep.iterdir())):
        print(f"--keep {chosen.keep}: there is something in it; name another directory, or remove it", file=sys.stderr)
        return 2
    data = load_support2()
    if chosen.rows is not None:
        data = replace(data, columns={name: column[: chosen.rows] for name, column in data.columns.items()})
    try:
        with ended_by_signals(), place(chosen.keep) as directory:
            run(study_of(data), chosen.epsilon, directory, chosen.plot, stay=chosen.ask)
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        where = "their files are removed" if chosen.keep is None else f"their files are in {chosen.keep}"
        print(f"\nended: the nodes are stopped, {where}", file=sys.stderr)
        return 0 if chosen.ask else 130
    if chosen.keep is not None:
        print(f"Kept: {chosen.keep}. A node of it again: accord serve --home {chosen.keep / NAMES[0]}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser("consortium", __doc__, epsilon=4.0, in_memory=False)
    add_rows(parser, "patients")
    parser.add_argument("--ask", action="store_true", help="leave the nodes running until Ctrl-C, to ask them more")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the hospitals' files here; an empty directory")
    default = PICTURES / "consortium.png"
    parser.add_argument("--plot", metavar="FILE.png", type=Path, default=default, help="where to draw the picture")
    return parser


if __name__ == "__main__":
    sys.exit(main())

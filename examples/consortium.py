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
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from examples import consortium_questions as asking
from examples import consortium_view as view
from examples.command import PICTURES, Parser, add_rows
from examples.consortium_nodes import CommandFailed, Running, ended_by_signals
from examples.consortium_plot import draw
from examples.consortium_questions import Answer, Question
from examples.consortium_tables import Study, parts, publish_arguments, study_of
from examples.datasets import load_support2
from examples.founded import ANALYST, Founded, place
from examples.view import Stages, console
from mpc.errors import AccordError
from parties.client import Client

NAMES = ("harbour", "lakeside", "northgate")
TITLE = "Three hospitals"
MOST_EPSILON = 32


class Demonstration(Founded):
    """Three hospitals, what they publish and what the analyst asks. Every step raises CommandFailed."""

    def __init__(self, study: Study, epsilon: float, running: Running, stages: Stages) -> None:
        super().__init__(TITLE, NAMES, running, lambda text: stages.note(f"$ {_short(text)}"))
        self.seconds: dict[str, float] = {}
        self._study, self._epsilon, self._stages = study, epsilon, stages

    @contextlib.contextmanager
    def stage(self, number: int, name: str, text: str) -> Iterator[None]:
        """One of five; how long it takes is kept."""
        self._stages(0, f"{number}/5 {text}")
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun

    def publish_own(self) -> None:
        """Each hospital publishes a file of its own."""
        most = asking.most_epsilon(self._epsilon)
        words = {}
        for member, rows in zip(self.members, parts(self._study, len(NAMES)), strict=True):
            file = self.directory / f"{member.name}.parquet"
            rows.to_parquet(file, index=False)
            words[member.name] = publish_arguments(self._study, file, most)
        self.publish(words)
        self.remember()

    def start(self, client: Client) -> None:
        """All nodes, until they are together."""
        for member in self.members:
            self.serve(member)
        self.meet(client)

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


def _short(text: str) -> str:
    return text if len(text) <= 110 else text[:107] + "..."


def seldom(tell: Callable[[str], None], every: float = 1.0) -> Callable[[str], None]:
    """The same, but silent for ``every`` seconds after a call that was let through."""
    last = -math.inf

    def told(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            tell(text)

    return told


def run(study: Study, epsilon: float, directory: Path, picture: Path, *, stay: bool) -> None:
    """The demonstration, from founding to the picture; ``stay``: until it is interrupted. Raises CommandFailed."""
    out = console()
    view.introduce(out, study, NAMES)
    with Running(directory) as running:
        with Stages() as stages:
            shown = Demonstration(study, epsilon, running, stages)
            with shown.stage(1, "founding", "one hospital founds the consortium, two join it"):
                shown.found()
            with shown.stage(2, "publishing", "each hospital publishes its own patients"):
                shown.publish_own()
            with Client(shown.members[0].url, shown.analyst) as client:
                with shown.stage(3, "starting", "three nodes start, and find each other"):
                    shown.start(client)
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

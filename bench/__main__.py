"""``python -m bench primitives --parties 3 --size 1048576 --json -``, ``python -m bench noise --json -``,
``python -m bench groupby --rows 1000000 --groups 100 --sums 4 --json -``, ``python -m bench join --json -``,
``python -m bench trees --json -``, ``python -m bench learning --json -``, ``python -m bench serving --json -``,
``python -m bench jobs --json -``, ``python -m bench costs --json -``, ``python -m bench marks``."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console

from bench import commands
from bench.join import JOBS
from bench.learning import JOBS as MODELS
from bench.primitives import OPERATIONS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures of Accord on this machine.")
    choice = parser.add_subparsers(dest="command", required=True)
    one = choice.add_parser("primitives", help="each engine operation, over real processes and TLS")
    one.add_argument("--parties", type=int, default=3)
    one.add_argument("--size", type=int, default=1 << 20, help="elements (default 2^20)")
    one.add_argument("--ops", default=",".join(OPERATIONS), help=f"comma-separated choice of {', '.join(OPERATIONS)}")
    one.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    one.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    one.add_argument("--no-baseline", action="store_true", help="leave out stock MPyC")
    one.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    one.add_argument("--plot", metavar="FILE.svg", help="draw the figures")
    noise = choice.add_parser("noise", help="each kind of noise: one sample, many, from stock")
    noise.add_argument("--parties", type=int, default=3)
    noise.add_argument("--repeats", type=int, default=5, help="timed repetitions; the median counts (at least 3)")
    noise.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    noise.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    noise.add_argument("--plot", metavar="FILE.svg", help="draw the figures, with a million samples beside their law")
    groups = choice.add_parser("groupby", help="counts and sums by secret group, beside duckdb in the clear")
    groups.add_argument("--parties", type=int, default=3)
    groups.add_argument("--rows", type=int, default=1_000_000)
    groups.add_argument("--groups", type=int, default=100)
    groups.add_argument("--sums", type=int, default=4, help="columns of values")
    groups.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    groups.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    groups.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    trees = choice.add_parser("trees", help="secret rows through secret decision trees")
    trees.add_argument("--parties", type=int, default=3)
    trees.add_argument("--jobs", default="1x1,1x100,10000x1,1000x100", help="rows x trees, comma-separated")
    trees.add_argument("--depth", type=int, default=6)
    trees.add_argument("--features", type=int, default=20)
    trees.add_argument("--repeats", type=int, default=5, help="timed repetitions; the median counts (at least 3)")
    trees.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    trees.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    joins = choice.add_parser("join", help="private joins, beside duckdb in the clear and OpenMined's PSI")
    joins.add_argument("--sizes", default="65536,1048576", help="rows of each table, comma-separated")
    joins.add_argument("--ops", help=f"semicolon-separated choice of {'; '.join(JOBS)}")
    joins.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    joins.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    joins.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    joins.add_argument("--write", action="store_true", help="measure the README's table of joins, and put it there")
    models = choice.add_parser("learning", help="models fitted to shared rows, beside scikit-learn in the clear")
    models.add_argument("--parties", type=int, default=3)
    models.add_argument("--ops", help=f"semicolon-separated choice of {'; '.join(MODELS)}")
    models.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 1)")
    models.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    models.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    models.add_argument("--write", action="store_true", help="measure the README's table of models, and put it there")
    serving = choice.add_parser("serving", help="answers of a warm session: latency, and requests a second")
    serving.add_argument("--parties", type=int, default=3)
    serving.add_argument("--ops", help="semicolon-separated choice of tree; 100 trees; logistic")
    serving.add_argument("--sizes", default="1,100,1000", help="rows of a request, comma-separated")
    serving.add_argument("--seconds", type=float, default=2.0, help="for each of two measurements, about")
    serving.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    serving.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    jobs = choice.add_parser("jobs", help="a trivial job over three nodes on this machine, warm")
    jobs.add_argument("--repeats", type=int, default=50, help="jobs timed (at least 3)")
    jobs.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added between workers")
    jobs.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    costs = choice.add_parser("costs", help="jobs of all kinds over nodes, and the factors of what is foretold")
    costs.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 1)")
    costs.add_argument("--most", type=int, default=60_000, help="rows of the largest tables")
    costs.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    costs.add_argument("--save", action="store_true", help="keep the factors, for quotes from now on")
    marks = choice.add_parser("marks", help="the table of the README: what was asked, what was reached")
    marks.add_argument("--repeats", type=int, default=5)
    marks.add_argument(
        "--write", action="store_true", help="put the table into README.md, figures into docs/figures.json"
    )
    marks.add_argument("--from", dest="known", metavar="FILE", help="figures measured before, instead of measuring")
    return parser.parse_args()


def main() -> None:
    """Run the benchmark asked for."""
    arguments = _arguments()
    console = Console(stderr=True)
    if getattr(arguments, "parties", 3) < 3:
        sys.exit(f"--parties {arguments.parties}: at least 3")
    run = {
        "marks": commands.marks, "join": commands.joins, "noise": commands.noise, "groupby": commands.groups,
        "trees": commands.trees, "serving": commands.serving,
        "learning": commands.models, "jobs": commands.jobs, "costs": commands.costs, "primitives": commands.primitives,
    }  # fmt: skip
    run[arguments.command](arguments, console)


if __name__ == "__main__":
    main()

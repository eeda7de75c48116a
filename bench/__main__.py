"""``python -m bench primitives --parties 3 --size 1048576 --json -``, ``python -m bench noise --json -``,
``python -m bench groupby --rows 1000000 --groups 100 --sums 4 --json -``, ``python -m bench join --json -``,
``python -m bench trees --json -``, ``python -m bench learning --json -``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.join import JOBS
from bench.join import measure as measure_joins
from bench.learning import JOBS as MODELS
from bench.learning import measure as measure_models
from bench.machine import describe
from bench.marks import lines, run, write
from bench.noise import BATCH
from bench.noise import measure as measure_noise
from bench.noise_plot import draw as draw_noise
from bench.plot import draw
from bench.primitives import OPERATIONS, measure


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures of Accord on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("primitives", help="each engine operation, over real processes and TLS")
    one.add_argument("--parties", type=int, default=3)
    one.add_argument("--size", type=int, default=1 << 20, help="elements (default 2^20)")
    one.add_argument("--ops", default=",".join(OPERATIONS), help=f"comma-separated choice of {', '.join(OPERATIONS)}")
    one.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    one.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    one.add_argument("--no-baseline", action="store_true", help="leave out stock MPyC")
    one.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    one.add_argument("--plot", metavar="FILE.svg", help="draw the figures")
    noise = commands.add_parser("noise", help="each kind of noise: one sample, many, from stock")
    noise.add_argument("--parties", type=int, default=3)
    noise.add_argument("--repeats", type=int, default=5, help="timed repetitions; the median counts (at least 3)")
    noise.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    noise.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    noise.add_argument("--plot", metavar="FILE.svg", help="draw the figures, with a million samples beside their law")
    groups = commands.add_parser("groupby", help="counts and sums by secret group, beside duckdb in the clear")
    groups.add_argument("--parties", type=int, default=3)
    groups.add_argument("--rows", type=int, default=1_000_000)
    groups.add_argument("--groups", type=int, default=100)
    groups.add_argument("--sums", type=int, default=4, help="columns of values")
    groups.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    groups.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    groups.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    trees = commands.add_parser("trees", help="secret rows through secret decision trees")
    trees.add_argument("--parties", type=int, default=3)
    trees.add_argument("--jobs", default="1x1,1x100,10000x1,1000x100", help="rows x trees, comma-separated")
    trees.add_argument("--depth", type=int, default=6)
    trees.add_argument("--features", type=int, default=20)
    trees.add_argument("--repeats", type=int, default=5, help="timed repetitions; the median counts (at least 3)")
    trees.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    trees.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    joins = commands.add_parser("join", help="private joins, beside duckdb in the clear and OpenMined's PSI")
    joins.add_argument("--sizes", default="65536,1048576", help="rows of each table, comma-separated")
    joins.add_argument("--ops", help=f"semicolon-separated choice of {'; '.join(JOBS)}")
    joins.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 3)")
    joins.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    joins.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    joins.add_argument("--write", action="store_true", help="measure the README's table of joins, and put it there")
    models = commands.add_parser("learning", help="models fitted to shared rows, beside scikit-learn in the clear")
    models.add_argument("--parties", type=int, default=3)
    models.add_argument("--ops", help=f"semicolon-separated choice of {'; '.join(MODELS)}")
    models.add_argument("--repeats", type=int, default=3, help="timed repetitions; the median counts (at least 1)")
    models.add_argument("--rtt", type=float, default=0.0, metavar="MS", help="round-trip time added at the transport")
    models.add_argument("--json", metavar="FILE", help="write a list of objects; - is standard output")
    marks = commands.add_parser("marks", help="the table of the README: what was asked, what was reached")
    marks.add_argument("--repeats", type=int, default=5)
    marks.add_argument(
        "--write", action="store_true", help="put the table into README.md, figures into docs/figures.json"
    )
    marks.add_argument("--from", dest="known", metavar="FILE", help="figures measured before, instead of measuring")
    return parser.parse_args()


def _marks(arguments: argparse.Namespace, console: Console) -> None:
    if arguments.known:
        figures = json.loads(Path(arguments.known).read_text())
    else:
        with console.status("") as status:
            figures = run(max(3, arguments.repeats), status.update)
    print(write(figures) if arguments.write else "\n".join(lines(figures)))


def _noise(arguments: argparse.Namespace, console: Console) -> None:
    with console.status("") as status:
        figures = measure_noise(arguments.parties, max(3, arguments.repeats), status.update, arguments.rtt)
        if arguments.plot:
            status.update("a million samples for the picture")
            draw_noise(figures, arguments.plot, describe())
    if arguments.json:
        _write(figures, arguments.json)
        return
    title = f"{arguments.parties} processes, loopback, TLS 1.3"
    table = Table(title=title, caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("noise", "how", "ms", "us each", "bytes", "rounds", "util."):
        table.add_column(name, justify="left" if name in ("noise", "how") else "right", no_wrap=True)
    for f in figures:
        how = f"{f['how']} 1" if f["how"] == "stock" and f["size"] == 1 else f["how"]
        each = f["ns_per_element"] / 1e3
        table.add_row(
            f["op"], how, f"{f['seconds'] * 1e3:,.2f}", f"{each:,.0f}" if each >= 100 else f"{each:.2g}",
            f"{f['bytes_per_party']:,.0f}", str(f["rounds"]), f"{f['utility']:.3f}",
        )  # fmt: skip
    Console().print(table)
    legend = f"cold: one sample, drawn now; batch: of {BATCH:,}; stock: as many drawn before, or 1"
    Console().print(legend, justify="center")
    Console().print("bytes each, sent by a party; util.: standard deviation over a curator's", justify="center")


def _groups(arguments: argparse.Namespace, console: Console) -> None:
    from bench.group_by import measure as measure_groups  # needs duckdb, which only development has

    for name in ("rows", "groups", "sums"):
        if getattr(arguments, name) < (0 if name == "sums" else 1):
            sys.exit(f"--{name} {getattr(arguments, name)}: at least {0 if name == 'sums' else 1}")
    with console.status("group-by"):
        figures = measure_groups(
            arguments.parties, arguments.rows, arguments.groups, arguments.sums,
            repeats=max(3, arguments.repeats), rtt=arguments.rtt,
        )  # fmt: skip
    if arguments.json:
        _write(figures, arguments.json)
        return
    (f,) = figures
    table = Table(
        title=f"{f['parties']} processes, loopback, TLS 1.3", caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in ("rows", "groups", "sums", "seconds", "ns each", "bytes", "rounds", "MiB", "duckdb", "times"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        f"{f['size']:,}", f"{f['groups']:,}", f"{f['sums']:,}", f"{f['seconds']:.3f}", f"{f['ns_per_row']:,.0f}",
        f"{f['bytes_per_party'] / f['size']:,.0f}", str(f["rounds"]), f"{f['peak_mib_per_party']:,.0f}",
        f"{f['plaintext_seconds']:.4f}", f"{f['times_plaintext']:,.0f}",
    )  # fmt: skip
    Console().print(table)
    Console().print("bytes a row, sent by a party; peak memory for each party, its table included", justify="center")


def _trees(arguments: argparse.Namespace, console: Console) -> None:
    from bench.trees import measure as measure_trees

    try:
        rows_trees = [tuple(int(n) for n in job.split("x")) for job in arguments.jobs.split(",")]
        jobs = tuple((rows, trees) for rows, trees in rows_trees)
    except ValueError:
        sys.exit(f"--jobs {arguments.jobs}: rows x trees, like 1x100,1000x100")
    with console.status("") as status:
        figures = measure_trees(
            arguments.parties, jobs, depth=arguments.depth, features=arguments.features,
            repeats=max(3, arguments.repeats), rtt=arguments.rtt, tell=status.update,
        )  # fmt: skip
    if arguments.json:
        _write(figures, arguments.json)
        return
    title = f"{arguments.parties} processes, loopback, TLS 1.3; depth {arguments.depth}, {arguments.features} columns"
    table = Table(title=title, caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("rows", "trees", "ms", "ns each", "MB", "rounds", "MiB", "in the clear, ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for f in figures:
        table.add_row(
            f"{f['size']:,}", f"{f['trees']:,}", f"{f['seconds'] * 1e3:,.1f}", f"{f['ns_per_row_and_tree']:,.0f}",
            f"{f['bytes_per_party'] / 1e6:,.2f}", str(f["rounds"]), f"{f['peak_mib_per_party']:,.0f}",
            f"{f['plaintext_seconds'] * 1e3:,.1f}",
        )  # fmt: skip
    Console().print(table)
    Console().print("ns for a row and tree; MB sent by a party; in the clear: scikit-learn", justify="center")


def _joins(arguments: argparse.Namespace, console: Console) -> None:
    ops = [op.strip() for op in arguments.ops.split(";")] if arguments.ops else list(JOBS)
    unknown = [op for op in ops if op not in JOBS]
    sizes = [int(n) if n.strip().isdigit() else 0 for n in arguments.sizes.split(",")]
    if unknown or min(sizes) < 1:
        sys.exit(f"--ops {arguments.ops} --sizes {arguments.sizes}: jobs of {'; '.join(JOBS)}, sizes of at least 1")
    repeats = max(3, arguments.repeats)
    with console.status("") as status:
        if arguments.write:
            from bench import join_marks

            print(join_marks.write(join_marks.run(repeats, status.update)))
            return
        figures = measure_joins(sizes, repeats, status.update, ops=ops, rtt=arguments.rtt)
    if arguments.json:
        _write(figures, arguments.json)
        return
    table = Table(title="processes, loopback, TLS 1.3", caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("join", "rows", "m", "seconds", "MB", "rounds", "MiB", "duckdb", "PSI"):
        table.add_column(name, justify="left" if name == "join" else "right", no_wrap=True)
    for f in figures:
        table.add_row(
            f["op"], f"{f['size']:,}", str(f["parties"]), f"{f['seconds']:.3f}",
            f"{f['most_bytes'] / 1e6:,.1f}", str(f["rounds"]), f"{f['peak_mib_per_party']:,.0f}",
            f"{f['plain_seconds']:.3f}", "" if f["psi_seconds"] is None else f"{f['psi_seconds']:.1f}",
        )  # fmt: skip
    Console().print(table)
    Console().print("MB: the most that a party sends; MiB: peak memory of a party with its table", justify="center")
    Console().print("duckdb: the same join in the open; PSI: OpenMined's, two parties, opened to one", justify="center")


def _models(arguments: argparse.Namespace, console: Console) -> None:
    ops = [op.strip() for op in arguments.ops.split(";")] if arguments.ops else list(MODELS)
    if unknown := [op for op in ops if op not in MODELS]:
        sys.exit(f"no model {'; '.join(unknown)}: choose from {'; '.join(MODELS)}")
    with console.status("models"):
        figures = measure_models(arguments.parties, ops, repeats=max(1, arguments.repeats), rtt=arguments.rtt)
    if arguments.json:
        _write(figures, arguments.json)
        return
    title = f"{arguments.parties} processes, loopback, TLS 1.3"
    table = Table(title=title, caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "rows", "columns", "seconds", "MB", "rounds", "MiB", "coef.", "AUC", "sklearn"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for f in figures:
        table.add_row(
            f["op"], f"{f['rows']:,}", f"{f['features']}", f"{f['seconds']:.3f}", f"{f['bytes_per_party'] / 1e6:,.1f}",
            str(f["rounds"]), f"{f['peak_mib_per_party']:,.0f}", f"{f['coefficient_error']:.1e}",
            "" if f["auc_loss"] is None else f"{f['auc_loss']:.1e}", f"{f['plaintext_seconds']:.3f}",
        )  # fmt: skip
    Console().print(table)
    legend = "coef.: largest difference of standardised coefficients from scikit-learn's; AUC: how much is lost"
    Console().print(legend, justify="center")


def _write(figures: list[dict[str, Any]], where: str) -> None:
    text = json.dumps(figures, indent=1) + "\n"
    if where == "-":
        sys.stdout.write(text)
    else:
        Path(where).write_text(text)


def _show(console: Console, figures: list[dict[str, Any]], rtt: float) -> None:
    title = f"{figures[0]['parties']} processes, loopback, TLS 1.3" + (f", {rtt:g} ms round trip added" if rtt else "")
    compared = any(f["baseline_ns_per_element"] is not None for f in figures)
    table = Table(title=title, caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = [
        "operation",
        "size",
        "seconds",
        "ns each",
        "bytes",
        "rounds",
        "MiB",
        *(["MPyC ns", "times"] if compared else []),
    ]
    for name in names:
        table.add_column(name, justify="left" if name == "operation" else "right", no_wrap=True)
    for f in figures:
        row = [
            f["op"], f"{f['size']:,}", f"{f['seconds']:.4f}", f"{f['ns_per_element']:,.1f}",
            f"{f['bytes_per_party'] / f['size']:.4g}", str(f["rounds"]), f"{f['peak_mib_per_party']:,.0f}",
        ]  # fmt: skip
        if compared:
            stock, speedup = f["baseline_ns_per_element"], f["speedup"]
            row += ["" if stock is None else f"{stock:,.0f}", "" if speedup is None else f"{speedup:,.0f}"]
        table.add_row(*row)
    console.print(table)
    console.print("ns and bytes for each element; bytes sent and peak memory for each party", justify="center")


def main() -> None:
    """Run the benchmark asked for."""
    arguments = _arguments()
    console = Console(stderr=True)
    if arguments.command == "marks":
        _marks(arguments, console)
        return
    if arguments.command == "join":
        _joins(arguments, console)
        return
    if arguments.parties < 3:
        sys.exit(f"--parties {arguments.parties}: at least 3")
    if arguments.command == "noise":
        _noise(arguments, console)
        return
    if arguments.command == "groupby":
        _groups(arguments, console)
        return
    if arguments.command == "trees":
        _trees(arguments, console)
        return
    if arguments.command == "learning":
        _models(arguments, console)
        return
    ops = [op.strip() for op in arguments.ops.split(",")]
    unknown = [op for op in ops if op not in OPERATIONS]
    if unknown:
        sys.exit(f"no operation {', '.join(unknown)}: choose from {', '.join(OPERATIONS)}")
    if arguments.size < 1:
        sys.exit(f"--size {arguments.size}: at least 1")
    figures: list[dict[str, Any]] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(ops))
        for done, op in enumerate(ops):
            progress.update(task, completed=done, description=f"{op} ({done + 1} of {len(ops)})")
            figures += measure(
                [op],
                arguments.parties,
                arguments.size,
                repeats=max(3, arguments.repeats),
                rtt=arguments.rtt,
                baseline=not arguments.no_baseline,
            )
    if arguments.json:
        _write(figures, arguments.json)
    else:
        _show(Console(), figures, arguments.rtt)
    if arguments.plot:
        draw(figures, arguments.plot, describe())


if __name__ == "__main__":
    main()

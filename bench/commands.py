"""What each command of ``python -m bench`` does: measure, then a table, JSON, a picture."""

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

__all__ = ["costs", "groups", "jobs", "joins", "marks", "models", "noise", "primitives", "serving", "trees"]


def marks(arguments: argparse.Namespace, console: Console) -> None:
    """The README's table of the engine."""
    if arguments.known:
        figures = json.loads(Path(arguments.known).read_text())
    else:
        with console.status("") as status:
            figures = run(max(3, arguments.repeats), status.update)
    print(write(figures) if arguments.write else "\n".join(lines(figures)))


def noise(arguments: argparse.Namespace, console: Console) -> None:
    """Kinds of noise."""
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


def groups(arguments: argparse.Namespace, console: Console) -> None:
    """Group-by."""
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


def trees(arguments: argparse.Namespace, console: Console) -> None:
    """Secret trees."""
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


def serving(arguments: argparse.Namespace, console: Console) -> None:
    """Answers of a warm session."""
    from bench.serving import MODELS, measure

    chosen = tuple(op.strip() for op in arguments.ops.split(";")) if arguments.ops else MODELS
    if unknown := [op for op in chosen if op not in MODELS]:
        sys.exit(f"no model {'; '.join(unknown)}: choose from {'; '.join(MODELS)}")
    sizes = tuple(int(n) if n.strip().isdigit() else 0 for n in arguments.sizes.split(","))
    if min(sizes) < 1:
        sys.exit(f"--sizes {arguments.sizes}: rows of a request, at least 1")
    with console.status("") as status:
        figures = measure(
            arguments.parties, chosen, sizes, seconds=arguments.seconds, rtt=arguments.rtt, tell=status.update
        )
    if arguments.json:
        _write(figures, arguments.json)
        return
    title = f"{arguments.parties} processes, loopback, TLS 1.3; {figures[0]['features']} columns"
    table = Table(title=title, caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("model", "rows", "ms", "p95", "protocol", "handle", "a second", "kB", "rounds"):
        table.add_column(name, justify="left" if name == "model" else "right", no_wrap=True)
    for f in figures:
        times = [f"{f[name] * 1e3:,.2f}" for name in ("median", "p95", "protocol", "handle")]
        table.add_row(
            f["op"], f"{f['size']:,}", *times, f"{f['per_second']:,.0f}", f"{f['bytes_per_party'] / 1e3:,.1f}",
            str(f["rounds"]),
        )  # fmt: skip
    Console().print(table)
    Console().print("ms from call to answer; protocol: of it within the parties; handle: the rest", justify="center")
    Console().print("a second: questions submitted without waiting; kB sent by a party a request", justify="center")


def jobs(arguments: argparse.Namespace, console: Console) -> None:
    """A trivial job over nodes."""
    from bench.jobs import measure

    with console.status("") as status:
        figures = measure(max(3, arguments.repeats), arguments.rtt, status.update)
    if arguments.json:
        _write(figures, arguments.json)
        return
    table = Table(title="three nodes on this machine, warm", caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("job", "median ms", "least", "p95", "asked", "rounds", "daemons' CPU ms", "workers'"):
        table.add_column(name, justify="left" if name == "job" else "right", no_wrap=True)
    for f in figures:
        times = [f"{f[name] * 1e3:,.1f}" for name in ("median", "least", "p95", "asked")]
        cpu = [f"{f[name] * 1e3:,.1f}" for name in ("daemons", "workers")]
        table.add_row(f["op"], *times, str(f["rounds"]), *cpu)
    Console().print(table)


def joins(arguments: argparse.Namespace, console: Console) -> None:
    """Private joins."""
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


def models(arguments: argparse.Namespace, console: Console) -> None:
    """Regressions."""
    ops = [op.strip() for op in arguments.ops.split(";")] if arguments.ops else list(MODELS)
    if unknown := [op for op in ops if op not in MODELS]:
        sys.exit(f"no model {'; '.join(unknown)}: choose from {'; '.join(MODELS)}")
    with console.status("models") as status:
        if arguments.write:
            from bench import learning_marks

            print(learning_marks.write(learning_marks.run(max(1, arguments.repeats), status.update)))
            return
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


def primitives(arguments: argparse.Namespace, console: Console) -> None:
    """Engine operations."""
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


def costs(arguments: argparse.Namespace, console: Console) -> None:
    """What jobs take, and what is foretold of each by the others."""
    from bench.costs import left_out, save
    from bench.costs import measure as measure_costs

    with console.status("") as status:
        measured = measure_costs(max(1, arguments.repeats), arguments.most, status.update)
    foretold = {what: list(left_out(measured, what)) for what in ("seconds", "bytes")}
    if arguments.save:
        save(measured)
    if arguments.json:
        told = zip(foretold["seconds"], foretold["bytes"], strict=True)
        _write(
            [
                {"op": one.name, **one.took, "foretold_seconds": seconds, "foretold_bytes": size}
                for (one, seconds), (_, size) in told
            ],
            arguments.json,
        )
        return
    table = Table(title="jobs over three nodes", caption=describe(), box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("job", "s", "foretold", "ratio", "MB", "foretold", "ratio"):
        table.add_column(name, justify="left" if name == "job" else "right", no_wrap=name != "job")
    for (one, seconds), (_, size) in zip(foretold["seconds"], foretold["bytes"], strict=True):
        table.add_row(
            one.name, f"{one.took['seconds']:.3g}", f"{seconds:.3g}", f"{seconds / one.took['seconds']:.2f}",
            f"{3 * one.took['bytes'] / 1e6:.3g}", f"{3 * size / 1e6:.3g}", f"{size / one.took['bytes']:.2f}",
        )  # fmt: skip
    Console().print(table)
    for what, pairs in foretold.items():
        near = [one for one, x in pairs if 0.5 <= x / one.took[what] <= 2]
        Console().print(f"{what}: {len(near)} of {len(pairs)} jobs within 2x of what all others foretell")

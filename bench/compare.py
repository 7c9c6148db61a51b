"""portsup against a bare loop of subprocess.Popen and against its peers, on this machine. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import claiming  # noqa: E402 - these need the tests' harness
import growing  # noqa: E402
import guarding  # noqa: E402
import idling  # noqa: E402
import installing  # noqa: E402
import measures  # noqa: E402
import peers  # noqa: E402
import portpicking  # noqa: E402
import printing  # noqa: E402
import psutil  # noqa: E402
import watching  # noqa: E402
from bounds import BOUNDS, Bound, broken  # noqa: E402
from figures import Case, Figure, Turn  # noqa: E402
from interruption import interrupt_on_signals  # noqa: E402
from launchers import Bare, Portsup  # noqa: E402
from report import tables  # noqa: E402
from rounds import Row, rounds, tiny_server, warm_up  # noqa: E402

CASES = (
    *measures.CASES,
    *idling.CASES,
    *printing.CASES,
    *claiming.CASES,
    *guarding.CASES,
    *watching.CASES,
    *growing.CASES,
)
LETTERS = {letter for case in CASES for letter in case.letters}
OWN: Turn = (Portsup, Bare)
CHECKED: tuple[tuple[str, int, Turn], ...] = (("abe", 3, OWN), ("cfg", 1, OWN), ("d", 1, (Portsup,)))
"""Which measurements, how many rounds, by whom: what takes long is measured once."""


def main() -> int:
    interrupt_on_signals()
    options = arguments()
    try:
        if options.check:
            return check(LETTERS)
        measured(options.rounds, options.only, options.peers)
    except KeyboardInterrupt:
        print("\ninterrupted; what was started is ended", file=sys.stderr)
        return 130
    return 0


def arguments() -> argparse.Namespace:
    every, names = ",".join(sorted(LETTERS)), ",".join(peers.NAMES)
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (5)")
    parser.add_argument("--only", type=names_in, default=every, metavar="a,b", help="only these measurements")
    parser.add_argument(
        "--peers", type=names_in, nargs="?", const=names, default="", metavar="NAMES", help=f"beside {names}"
    )
    parser.add_argument("--check", action="store_true", help="in a minute: exit 1 if a bound isn't kept")
    options = parser.parse_args()
    if unknown := options.peers - set(peers.NAMES):
        parser.error(f"no peer is called {', '.join(sorted(unknown))}; there are {names}")
    return options


def names_in(text: str) -> set[str]:
    return set(filter(None, text.split(",")))


def check(letters: set[str], bounds: Sequence[Bound] = BOUNDS) -> int:
    """A few quick rounds. 1, with a line for each bound that is broken, if one is."""
    figures: list[Figure] = []
    with tiny_server() as server:
        warm_up(server, OWN)
        for some, count, turn in CHECKED:
            cases = chosen(CASES, letters & set(some))
            figures += (row.figure for row in rounds(count, cases, server, turn, patience=1))
    print(file=sys.stderr)
    lines = list(broken(figures, bounds))
    print("\n".join(lines) or f"all {len(bounds)} bounds are kept")
    return 1 if lines else 0


def measured(count: int, letters: set[str], names: set[str]) -> None:
    """Prints the Markdown of README.md, and saves every figure."""
    there = peers.installed([name for name in peers.NAMES if name in names])
    cases = CASES + (portpicking.CASES if "portpicker" in there else ())
    turn = (*OWN, *(kind for kind in peers.LAUNCHERS if kind.name in there))
    with tiny_server() as server:
        rows = list(rounds(count, chosen(cases, letters), server, warm_up(server, turn)))
    print(file=sys.stderr)
    print(report(rows, count, there))
    print(f"\nEvery figure: {os.path.relpath(save(rows))}", file=sys.stderr)


def chosen(cases: Sequence[Case], letters: set[str]) -> list[Case]:
    return [case for case in cases if set(case.letters) & letters]


def report(rows: Sequence[Row], count: int, names: Sequence[str]) -> str:
    facts = machine()
    busy = statistics.median(row.busy_percent_before for row in rows)
    versions = [f"{name} {installing.VERSIONS[name]}" for name in names]
    beside = f" Beside it: {', '.join(versions)}." if versions else ""
    figures = [row.figure for row in rows]
    return (
        f"{facts['cores']} cores, Linux {facts['kernel']}, Python {facts['python']}, {busy:.0f} % busy with\n"
        f"other things; {count} rounds of one run.{beside}\n\n{tables(figures)}"
    )


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
    }


def save(rows: Sequence[Row]) -> Path:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime("%Y%m%d-%H%M%S.json")
    lines = [
        {**asdict(row.figure), "round": row.round, "busy_percent_before": row.busy_percent_before}
        for row in rows
    ]
    path.write_text(json.dumps({"machine": machine(), "rows": lines}, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())

"""portsup against a bare loop of subprocess.Popen, on this machine. See README.md beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import growing  # noqa: E402 - these need the tests' harness
import guarding  # noqa: E402
import measures  # noqa: E402
import psutil  # noqa: E402
import watching  # noqa: E402
from launchers import Bare, Launcher, Portsup, stage  # noqa: E402

CASES = (*measures.CASES, *guarding.CASES, *watching.CASES, *growing.CASES)

QUIET_PERCENT = 15.0
QUIET_PATIENCE = 6.0


def tiny_server(folder: Path) -> tuple[str, ...]:
    """Its command: compiled where there is a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return sys.executable, "-I", "-S", str(HERE / "tinyserver.py")
    program = folder / "tinyserver"
    subprocess.run([compiler, "-O2", "-o", program, HERE / "tinyserver.c"], check=True)
    return (str(program),)


def wait_until_quiet() -> float:
    """Wait a little for the machine to be idle; the busy share in percent that was seen last."""
    deadline = time.monotonic() + QUIET_PATIENCE
    while (busy := psutil.cpu_percent(0.3)) > QUIET_PERCENT and time.monotonic() < deadline:
        pass
    return busy


def warm_up(server: tuple[str, ...]) -> None:
    """One uncounted start of each: the disk's cache and .pyc files are part of no figure."""
    for kind in (Bare, Portsup):
        with stage(server) as run:
            launcher: Launcher = kind(run)
            launcher.start(1)
            run.events.all_ready(1)
            launcher.stop()


def rounds(count: int, only: str, server: tuple[str, ...]) -> Iterator[dict[str, object]]:
    """Every figure as a row with the round that it was taken in."""
    cases = [case for case in CASES if set(case.letters) & set(only)]
    for number in range(count):
        turn: Sequence[type[Launcher]] = (Bare, Portsup) if number % 2 else (Portsup, Bare)
        for case in cases:
            if number % case.every:
                continue
            busy = wait_until_quiet()
            for figure in case.measure(server, turn):
                print(".", end="", file=sys.stderr, flush=True)
                yield {**asdict(figure), "round": number, "busy_percent_before": busy}
    print(file=sys.stderr)


def table(rows: Sequence[dict[str, object]]) -> str:
    """Medians as Markdown, a line for each thing measured, in the order of the issue's letters."""
    lines = ["| | measured | portsup | bare | ratio |", "| --- | --- | ---: | ---: | ---: |"]
    kinds = sorted({(str(row["case"]), str(row["what"])): str(row["unit"]) for row in rows}.items())
    for (case, what), unit in kinds:
        ours, bare = (median(rows, what, launcher) for launcher in ("portsup", "bare"))
        ratio = f"{ours / bare:.2f}" if bare else "-"
        lines.append(f"| {case} | {what} | {digits(ours)} {unit} | {digits(bare)} {unit} | {ratio} |")
    return "\n".join(lines)


def digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def median(rows: Sequence[dict[str, object]], what: str, launcher: str) -> float:
    values = [row["value"] for row in rows if row["what"] == what and row["launcher"] == launcher]
    return statistics.median([float(str(value)) for value in values])


def machine() -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
    }


def save(rows: Sequence[dict[str, object]]) -> Path:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (5)")
    parser.add_argument(
        "--only", default="a,b,c,d,e,f,g,h,i,j", metavar="a,b", help="only these measurements"
    )
    options = parser.parse_args()
    with TemporaryDirectory(prefix="p") as folder:
        server = tiny_server(Path(folder))
        warm_up(server)
        rows = list(rounds(options.rounds, options.only, server))
    facts = machine()
    busy = statistics.median([float(str(row["busy_percent_before"])) for row in rows])
    print(
        f"{facts['cores']} cores, Linux {facts['kernel']}, Python {facts['python']}, {busy:.0f} % busy with"
    )
    print(f"other things; medians of {options.rounds} rounds\n")
    print(table(rows))
    print(f"\nEvery figure: {os.path.relpath(save(rows))}")


if __name__ == "__main__":
    main()

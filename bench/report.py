"""Figures → the Markdown that stands in README.md."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from figures import Figure, values

CLAIMS = "g"
"""Its columns are allocators of ports, not launchers: a table of its own."""


def tables(figures: Sequence[Figure]) -> str:
    """Medians, a row for each thing measured, and of how many figures: portsup's number stands in the row's
    column "of", another one's in its cell."""
    parts = ([one for one in figures if (one.case == CLAIMS) is apart] for apart in (False, True))
    return "\n\n".join(table(part) for part in parts if part)


def table(figures: Sequence[Figure]) -> str:
    names = columns(figures)
    others = [name for name in names if name not in ("portsup", "bare")]
    head = ["", "", "of", "portsup", "bare", "ratio", *others]
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    rows = sorted({(one.case, one.what): one.unit for one in figures}.items(), key=lambda row: row[0][0])
    lines = [head, align, *(row(figures, case, what, unit, others) for (case, what), unit in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def columns(figures: Sequence[Figure]) -> list[str]:
    """Every launcher, in the order in which they came first."""
    return list(dict.fromkeys(figure.launcher for figure in figures))


def row(figures: Sequence[Figure], case: str, what: str, unit: str, others: Sequence[str]) -> list[str]:
    by_launcher = {name: values(figures, what, name) for name in ("portsup", "bare", *others)}
    usual = next(len(some) for some in by_launcher.values() if some)
    ours, bare, *peers = (cell(some, usual) for some in by_launcher.values())
    label = f"{what}, {unit}" if unit else what
    return [case, label, str(usual), ours, bare, ratio(by_launcher["portsup"], by_launcher["bare"]), *peers]


def cell(some: Sequence[float], usual: int) -> str:
    if not some:
        return "-"
    return digits(median(some)) + ("" if len(some) == usual else f" (of {len(some)})")


def ratio(ours: Sequence[float], bare: Sequence[float]) -> str:
    return f"{median(ours) / median(bare):.2f}" if ours and any(bare) else "-"


def digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

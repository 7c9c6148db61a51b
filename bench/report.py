"""Figures → the Markdown that stands in README.md."""

from __future__ import annotations

from collections.abc import Sequence

from figures import Figure, median

CLAIMS = "g"
"""Its columns are allocators of ports, not launchers: a table of its own."""


def tables(figures: Sequence[Figure]) -> str:
    """Medians, a row for each thing measured."""
    parts = ([one for one in figures if (one.case == CLAIMS) is apart] for apart in (False, True))
    return "\n\n".join(table(part) for part in parts if part)


def table(figures: Sequence[Figure]) -> str:
    names = columns(figures)
    others = [name for name in names if name not in ("portsup", "bare")]
    head = ["", "", "portsup", "bare", "ratio", *others]
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    rows = sorted({(one.case, one.what): one.unit for one in figures}.items(), key=lambda row: row[0][0])
    lines = [head, align, *(row(figures, case, what, unit, others) for (case, what), unit in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def columns(figures: Sequence[Figure]) -> list[str]:
    """Every launcher, in the order in which they came first."""
    return list(dict.fromkeys(figure.launcher for figure in figures))


def row(figures: Sequence[Figure], case: str, what: str, unit: str, others: Sequence[str]) -> list[str]:
    ours, bare = median(figures, what, "portsup"), median(figures, what, "bare")
    ratio = f"{ours / bare:.2f}" if ours is not None and bare else "-"
    label = f"{what}, {unit}" if unit else what
    peers = [digits(median(figures, what, name)) for name in others]
    return [case, label, digits(ours), digits(bare), ratio, *peers]


def digits(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

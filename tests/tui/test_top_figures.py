"""What stands in the cells of `portsup top`, and how lines fit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from claims import another_user, instance_record, needs_root
from harness import ROOT
from stand_in import service

from supervisor.control.client import absent
from supervisor.monitor.pools import Cell, CellState, Strip
from supervisor.supervise.state import State
from supervisor.tui import figures, layout, pool_lines, rows
from supervisor.tui.key_line import key_line
from supervisor.tui.rows import Cell as TableCell
from supervisor.tui.rows import Row, RowKey
from supervisor.tui.safe_text import LONGEST, plain, safe_lines, styled
from supervisor.tui.watcher import InstanceId, Look, Seen


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (-1, "0s"), (59.9, "59s"), (60, "1m"), (7199, "1h"), (86_400 * 5.5, "5d")],
)
def test_age(seconds: float | None, text: str) -> None:
    """The largest unit, never rounded up."""
    assert figures.age(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "-"), (0, "0K"), (1 << 19, "512K"), (9 << 20, "9.0M"), (45 << 20, "45M"), (5 << 28, "1.2G")],
)
def test_amount(size: int | None, text: str) -> None:
    """At most four digits."""
    assert figures.amount(size) == text


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], "    "),
        ([None], "    "),
        ([None] * 5 + [0.0], "   ▁"),
        ([2.0] + [0.0] * 5 + [1.0] * 5, " █▁▅"),
        ([0.05] * 20, "▅▅▅▅"),
        ([9.9] * 100 + [0.0] * 20, "▁▁▁▁"),
    ],
)
def test_curve(values: Sequence[float | None], bars: str) -> None:
    """The latest at the right; a bar is the greatest of five values; little stays low."""
    assert figures.curve(values, 4) == bars


def test_every_state_has_its_own_sign() -> None:
    """So that none is told by its colour alone."""
    signs = [figures.state(state).sign for state in State]
    assert len(set(signs)) == len(list(State)) and figures.UNKNOWN.sign not in signs


def test_every_kind_of_cell_has_its_own_sign_and_meaning() -> None:
    """The same for ports."""
    assert len({pool_lines.MARKS[state].sign for state in CellState}) == len(CellState)
    assert set(pool_lines.MEANINGS) == set(CellState)


def test_the_page_has_the_same_signs() -> None:
    """Of every state, and of the ports that somebody else has: one language for both."""
    static = ROOT / "supervisor" / "web" / "static"
    signs = dict(re.findall(r"""^  (\w+): \["(.)", """, (static / "states.js").read_text(), re.MULTILINE))
    assert signs == {name: mark.sign for name, mark in figures.STATES.items()}
    (cells,) = re.findall("const SYMBOL = {(.*)}", (static / "strips.js").read_text())
    for state in (CellState.OURS, CellState.FOREIGN, CellState.LEFTOVER):
        assert f'{state}: "{pool_lines.MARKS[state].sign}"' in cells


def strip(*ports: int, pool: str = "port") -> Strip:
    return Strip("shop-1", "web", pool, tuple(Cell(port, CellState.FREE, None) for port in ports))


def test_strips_fit() -> None:
    """On one line, else on one each, else without the numbers between the first and the last."""
    both = [strip(6000, 6001), strip(6050, pool="metrics")]
    (line,) = pool_lines.strips(both, 40)
    assert line.plain == "·6000 ·6001   metrics ·6050"
    assert [line.plain for line in pool_lines.strips(both, 20)] == ["·6000 ·6001", "metrics ·6050"]
    (long,) = pool_lines.strips([strip(*range(6000, 6100))], 120)
    assert long.plain == f"6000 {'·' * 100} 6099"
    (longer,) = pool_lines.strips([strip(*range(6000, 6100))], 40)
    assert longer.cell_len == 40
    assert pool_lines.strips([], 40) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold]text[/]", "plain [bold]text[/]"),
        ("a\nb\tc", "a b c"),
        ("\x1b[31mred\x1b[0m\x1b[2J", "red"),
        ("\x07\x9b\x1b", r"\x07\x9b\x1b"),
        ("\udcff", r"\udcff"),
        ("", ""),
    ],
)
def test_plain(text: str, shown: str) -> None:
    """One line without a sequence or a control character."""
    assert plain(text) == shown


def test_lines_of_a_log() -> None:
    """Colours stay within their line; a carriage return ends it; what is too long is cut."""
    coloured = styled(*safe_lines(["\x1b[32mgreen"]))
    assert coloured.plain == "green" and "color(2)" in repr(coloured.spans)
    assert safe_lines(["1%\r2%", "x" * 100_000]) == ["1%", "2%", "x" * LONGEST + "…"]


@needs_root
def test_an_instance_of_another_user() -> None:
    """Its row says why it shows nothing."""
    theirs = instance_record(uid=0)
    with another_user():
        (shown,) = rows.rows(Look([Seen(theirs, absent(theirs))], {}, {}, (), ()), "", rows.Order.WRITTEN, {})
    assert f"it belongs to uid {theirs.uid}, so that it can't be asked" in shown.cells["instance"].text


def row(**texts: str) -> Row:
    cells = {column.name: TableCell(texts.get(column.name, "-")) for column in layout.COLUMNS}
    return Row(RowKey(InstanceId(0, "shop-1"), "web"), cells)


@pytest.mark.parametrize("room", [10, 20, 40, 60, 80, 200])
def test_columns_fit(room: int) -> None:
    """Never wider than there is room for; the service, its state and its port are left to the last."""
    lines = [
        row(service="a-service-with-a-name", state="● RUNNING", port="6000", url="http://127.0.0.1:6000")
    ]
    shown = layout.widths(lines, room)
    assert {"service", "state", "port"} <= set(shown)
    assert ("url" in shown) is (room == 200)
    assert layout.drawn(lines[0], shown, room, selected=True).cell_len == room
    if room >= 40:
        assert "6000" in layout.drawn(lines[0], shown, room, selected=False).plain


def test_a_long_name_is_cut_before_a_column_is_dropped() -> None:
    """One service with a long name doesn't take the figures of all others away."""
    long = row(service="w" * 50, state="● RUNNING", port="6000", memory="18M", url="http://127.0.0.1:6000")
    shown = layout.widths([long], 80)
    assert {"cpu", "memory", "uptime", "shield"} <= set(shown)
    assert "w" * (layout.LONG - 1) + "…" in layout.drawn(long, shown, 80, selected=False).plain
    assert layout.widths([long], 200)["service"] == 50


@pytest.mark.parametrize("room", [15, 60, 80, 200])
def test_the_keys_fit(room: int) -> None:
    """Whatever there is room for, and always the two that lead on."""
    line = key_line(room).plain.rstrip()
    assert line.endswith("? help  q quit") and len(line) <= room
    assert ("r restart" in line) is (room > 15)


def test_a_job_that_failed_looks_like_it() -> None:
    """One that is done doesn't, and counts as up."""
    record = instance_record()
    odd, fine = (service("job", state="EXITED", exit=how) for how in ("code 1", "code 0"))
    seen = Seen(record, absent(record)._replace(services=(odd, fine._replace(name="done"))))
    look = Look([seen], {}, {}, (), ())
    assert rows.summary(look) == "1 instance, 2 services, 1 up, 1 failed"
    _, failed, done = rows.rows(look, "", rows.Order.WRITTEN, {})
    assert (failed.cells["state"].text, done.cells["state"].text) == ("✖ EXITED", "◎ EXITED")

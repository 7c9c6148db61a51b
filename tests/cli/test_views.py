"""Tables at several widths: what is shown, what gives way, and that nothing else gets in."""

from __future__ import annotations

import pytest

from supervisor.cli import table, views
from supervisor.cli.ps import InstanceRow
from supervisor.cli.table import UNLIMITED
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

SERVICE = ServiceSnapshot(
    name="mcp-universal",
    state="RUNNING",
    ready=True,
    pid=1234567,
    ports={"port": 6000},
    pools={"port": (6000, 6001, 6002)},
    url="http://127.0.0.1:6000",
    shield="up",
    restarts=0,
    uptime_s=75.0,
    exit=None,
    reason=None,
)
INSTANCE = InstanceSnapshot(
    instance=1,
    instance_id="qwen-1-abc",
    stack="qwen",
    config="/srv/qwen/services.toml",
    base_port=6000,
    state="running",
    supervisor_pid=99,
    supervisor_started=1.5,
    services=(
        SERVICE,
        SERVICE._replace(
            name="sandra-ia", state="FATAL", pid=None, uptime_s=None, exit="code 1", reason="gave up"
        ),
    ),
)
ALL_TITLES = ["instance", "service", "state", "port", "url", "pid", "shield", "restarts", "uptime"]


def titles(text: str) -> list[str]:
    return text.splitlines()[0].split()


@pytest.mark.parametrize(
    ("width", "gone"),
    [
        (UNLIMITED, set()),
        (120, set()),
        (80, {"url"}),
        (60, {"url", "shield", "restarts"}),
        (40, {"url", "shield", "restarts", "uptime", "pid"}),
    ],
)
def test_narrow_terminals_lose_columns_in_order(width: int, gone: set[str]) -> None:
    """The url goes first, then shield and restarts; what is left is never wrapped."""
    text = table.render(views.status_view([INSTANCE]), width=width, colour=False)
    assert titles(text) == [title for title in ALL_TITLES if title not in gone]
    rows = text.splitlines()[:3]
    assert all(len(line) <= width for line in rows)
    assert rows[1].split()[:4] == ["1", "mcp-universal", "RUNNING", "6000"]


def test_plain_text_has_neither_colours_nor_lines_nor_padding() -> None:
    """A pipe gets ASCII words and spaces."""
    text = table.render(views.status_view([INSTANCE]), width=UNLIMITED, colour=False)
    assert text.isascii()
    assert "\x1b" not in text and "|" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_colour_changes_no_word() -> None:
    """Without its escape codes a coloured table is the plain one."""
    import re

    view = views.status_view([INSTANCE])
    coloured = table.render(view, width=100, colour=True)
    assert "\x1b[32m" in coloured
    assert (
        re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == table.render(view, width=100, colour=False).split()
    )


def test_reasons_stand_below_the_table() -> None:
    """A unit that isn't RUNNING says why, and how its last child ended."""
    text = table.render(views.status_view([INSTANCE]), width=80, colour=False)
    assert text.splitlines()[-1] == "1 sandra-ia: gave up; last exit: code 1"


def test_lost_shield_of_a_running_unit_says_why() -> None:
    """RUNNING with a lost shield isn't all well."""
    lost = SERVICE._replace(shield="lost", reason="6000 is also listened on by pid 7 (nc)")
    view = views.status_view([INSTANCE._replace(services=(lost,))])
    assert view.lines == ["1 mcp-universal: 6000 is also listened on by pid 7 (nc)"]


@pytest.mark.parametrize(
    ("state", "word"),
    [("dead", "portsup prune"), ("suspended", "`fg`"), ("unreachable", "does not answer")],
)
def test_instance_without_an_answer_still_has_its_line(state: str, word: str) -> None:
    """Its state stands in the table and what to do below it."""
    view = views.status_view([INSTANCE._replace(state=state, services=())])
    row, line = table.render(view, width=80, colour=False).splitlines()[1:]
    assert state in row.split()
    assert "pid 99" in line and word in line


def test_several_worktrees_are_told_apart() -> None:
    """With more than one stack the instance's column names it."""
    other = INSTANCE._replace(stack="other", config="/srv/other/services.toml")
    text = table.render(views.status_view([INSTANCE, other]), width=UNLIMITED, colour=False)
    assert "qwen 1 " in text and "other 1 " in text


def test_named_pools_are_shown_with_their_name() -> None:
    """The main port as a number, and each further one."""
    unit = SERVICE._replace(ports={"port": 6030, "metrics": 6050})
    text = table.render(views.status_view([INSTANCE._replace(services=(unit,))]), width=120, colour=False)
    assert "6030 metrics:6050" in text


def test_words_of_others_cannot_steer_the_terminal() -> None:
    """Control characters and rich's markup are shown, not obeyed."""
    evil = INSTANCE._replace(stack="\x1b]0;title\x07[red]x[/red]", config="/a")
    text = table.render(views.status_view([evil, INSTANCE]), width=UNLIMITED, colour=False)
    assert "\x1b" not in text and "\x07" not in text
    assert r"\x1b]0;title\x07[red]x[/red] 1" in text


ROW = InstanceRow(
    stack="qwen",
    instance=2,
    state="running",
    base_port=6100,
    worktree="/srv/a-rather-long-name-of-a-folder/and-another-one/worktree-2",
    pid=4111,
    ready=4,
    total=5,
    age_s=3700,
)


def test_ps_shows_how_many_are_ready() -> None:
    """Ready of all, and a dash where nobody could be asked."""
    rows = [ROW, ROW._replace(instance=3, ready=None, total=None, state="unreachable")]
    text = table.render(views.ps_view(rows), width=UNLIMITED, colour=False).splitlines()
    assert text[0].startswith("stack  instance  state")
    assert text[1].split() == ["qwen", "2", "running", "6100", ROW.worktree, "4111", "4/5", "1h", "1m"]
    assert text[2].split()[-3:] == ["-", "1h", "1m"]


@pytest.mark.parametrize("width", [60, 80])
def test_ps_fits_and_loses_nothing_of_the_worktree(width: int) -> None:
    """A long path goes on in the next line."""
    lines = table.render(views.ps_view([ROW]), width=width, colour=False).splitlines()
    assert all(len(line) <= width for line in lines)
    start = lines[0].index("worktree")
    folded = "".join(line[start:].split()[0] for line in lines[1:])
    assert folded == ROW.worktree


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (9.96, "9.9s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m 0s"),
        (3599, "59m 59s"),
        (3600, "1h 0m"),
        (86399, "23h 59m"),
        (86400 * 3 + 7200, "3d 2h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    """Two units at most, always rounded down."""
    assert views.duration(seconds) == text


@pytest.mark.parametrize(
    ("ports", "text"),
    [((6000,), "6000"), ((6000, 6001, 6002), "6000-6002"), ((9000, 9002), "9000, 9002"), ((2, 1), "2, 1")],
)
def test_port_ranges_keep_the_order(ports: tuple[int, ...], text: str) -> None:
    """A pool is ordered: only ports that follow each other become a range."""
    assert views.port_range(ports) == text


def test_a_job_that_is_done_needs_no_explanation() -> None:
    """One that has ended with code 0 has its row alone; one that failed says how, below."""
    job = SERVICE._replace(
        name="migrate", state="EXITED", pid=None, exit="code 0", reason="ended with code 0"
    )
    failed = job._replace(name="seed", exit="code 3", reason="ended with code 3")
    view = views.status_view([INSTANCE._replace(services=(job, failed))])
    assert list(view.lines) == ["1 seed: ended with code 3"]

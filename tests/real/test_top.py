"""`portsup top` before real instances, by Textual's pilot."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import Home, Portsup, foreigner, write_stack
from stand_in import Imposter, Instance, Loop, publish, record, service
from textual.app import App, ComposeResult
from top_help import Shown, run, top

from supervisor.monitor.usage import UsageMeter
from supervisor.tui.growing import KEPT
from supervisor.tui.layout import COLUMNS
from supervisor.tui.rows import Cell, Row, RowKey
from supervisor.tui.service_table import ServiceTable
from supervisor.tui.watcher import InstanceId

pytestmark = pytest.mark.slow

GREEN = 2
"""Among the terminal's own colours."""

TALKS = r"""
import sys, time
print("\x1b[32mgreen\x1b[0m \x1b[2J\x1b]0;title\x07[bold]no markup[/bold]")
for number in range(300):
    print(f"line {number} of it")
print("ready", flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
time.sleep(1000)
"""


def talker() -> dict[str, object]:
    return {"command": [sys.executable, "-I", "-S", "-c", TALKS], "ready": {"log": "^ready$"}}


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
asked = []
print('ready', flush=True)
while not (asked and os.path.exists(sys.argv[1])): time.sleep(0.01)
"""
"""Ends when it was asked to and a file is there."""


def stack(portsup: Portsup, base: int, **more: Any) -> None:
    """Two instances of a stack with a service that has a pool of two ports, and one without."""
    services = {"web": {"pool": {"offset": 0, "size": 2}}, "talker": talker(), **more}
    write_stack(portsup.cwd, services, base_port=base, name="shop")
    for number in ("1", "2"):
        done = portsup.run("up", "-d", "--wait", "-i", number)
        assert done.returncode == 0, done.stderr


def test_what_it_shows_and_what_its_keys_do(portsup: Portsup, ports_block: int) -> None:
    """State, port, usage and pools of each service; the cursor stays on its service while it changes."""
    gate = portsup.cwd / "gate"
    command = [sys.executable, "-I", "-S", "-c", STUBBORN, str(gate)]
    stack(
        portsup,
        ports_block,
        stubborn={"command": command, "ready": {"log": "^ready$"}, "stop": {"timeout": "60s"}},
    )

    async def body() -> None:
        async with top(portsup.home.locks) as shown:
            await shown.shows("2 instances, 6 services, 6 up", f"http://127.0.0.1:{ports_block + 100}")
            assert re.match(rf"▸ web +● RUNNING +{ports_block} ", shown.cursor), shown.cursor
            await shown.shows(f"■{ports_block} ·{ports_block + 1}", "logs of web, following")
            await shown.until(lambda: re.search(r" \d+% +[\d.]+M ", shown.cursor), "its usage")
            await its_keys(shown)
            await an_error(shown)
            await its_pools_and_events(shown)
            await its_filter(shown)

    async def its_keys(shown: Shown) -> None:
        pid = portsup.service(1, "web")["pid"]
        await shown.press("r")
        await shown.until(lambda: f"web RUNNING http://127.0.0.1:{ports_block}" in shown.toasts, "a word")
        assert portsup.service(1, "web")["pid"] != pid
        await shown.press("x")
        await shown.until(lambda: "◌ STOPPED" in shown.cursor, "what it is now")
        assert portsup.service(1, "web")["state"] == "STOPPED"
        assert shown.cursor.startswith("▸ web")
        await shown.press("down", "down", "x", "up", "up")
        await shown.until(lambda: "stop…" in shown.row("stubborn"), "what was asked of it")
        assert shown.cursor.startswith("▸ web")
        gate.touch()
        await shown.until(lambda: "stubborn STOPPED" in "".join(shown.toasts), "its end")
        await shown.until(lambda: "stop…" not in shown.row("stubborn"), "what it is now")

    async def an_error(shown: Shown) -> None:
        with foreigner(ports_block), foreigner(ports_block + 1):
            await shown.press("s")
            await shown.until(lambda: "no free port for web" in shown.toasts[-1], "the refusal")
            await shown.shows(f"!{ports_block} !{ports_block + 1}")
        _, first, second, hint = shown.toasts[-1].splitlines()
        assert first.startswith(f"{ports_block}  not portsup's: pid ")
        assert second.startswith(f"{ports_block + 1}  not portsup's: pid ")
        assert hint.startswith("hint: end it yourself")
        await shown.press("s")
        await shown.until(lambda: "● RUNNING" in shown.cursor, "it to run again")

    async def its_pools_and_events(shown: Shown) -> None:
        await shown.press("p")
        await shown.shows("pools of shop 1", f"■{ports_block}  shop 1 · web")
        await shown.press("e")
        await shown.shows("events, following", "shop 1 web  STOPPED")
        await shown.press("escape")
        await shown.shows("logs of web")

    async def its_filter(shown: Shown) -> None:
        await shown.press("f")
        await shown.type("shop 2 ")
        await shown.until(lambda: "shop 1" not in "".join(shown.rows), "the others to be gone")
        assert f" {ports_block + 100} " in shown.row("web")
        await shown.press("escape")
        await shown.shows("shop 1")

    run(body())


def test_a_log(portsup: Portsup, ports_block: int) -> None:
    """It follows with its colours and nothing else of the escape codes; a text is found, from the end on;
    when its instance is gone it stays there to be read."""
    write_stack(portsup.cwd, {"talker": talker()}, base_port=ports_block)
    assert portsup.run("up", "-d", "--wait", "-i", "1").returncode == 0

    async def body() -> None:
        async with top(portsup.home.locks, size=(80, 24)) as shown:
            await shown.shows("ready", "following")
            await shown.press("l")
            await shown.until(lambda: shown.rows[0].startswith(" logs of talker"), "the whole screen")
            assert shown.rows[-2] == "ready"
            await shown.press("home")
            await shown.until(lambda: shown.rows[1] == "green [bold]no markup[/bold]", "its beginning")
            assert shown.colours(1)["green"] == GREEN
            assert "following" not in shown.rows[0]
            await finds(shown)
            assert portsup.run("down").returncode == 0
            await shown.until(lambda: shown.rows[0].startswith(" logs of talker (gone)"), "its end")
            assert shown.rows[-2] == "ready"
            await shown.press("escape")
            await shown.shows("nothing is up", "no service is selected")

    async def finds(shown: Shown) -> None:
        await shown.press("slash")
        await shown.type("LINE 29")
        await shown.shows("11 of 11 found", "line 299 of it")
        for key, count in (("N", "10 of 11"), ("n", "11 of 11"), ("n", "1 of 11")):
            await shown.press(key)
            await shown.shows(count)
        await shown.shows("line 29 of it")
        await shown.press("escape", "G")
        await shown.shows("following")
        assert shown.rows[-2] == "ready"

    run(body())


def test_instances_come_hang_and_go(portsup: Portsup, ports_block: int) -> None:
    """One that is selected and goes gives the cursor to what takes its place; one that hangs is told, and
    the others are looked at as before."""
    stack(portsup, ports_block)
    supervisor = portsup.instance(1)["supervisor"]["pid"]

    async def body() -> None:
        async with top(portsup.home.locks, size=(100, 30)) as shown:
            await shown.shows("2 instances, 4 services, 4 up")
            await shown.press("end")
            await shown.until(lambda: shown.cursor.startswith("▸ talker"), "the last row")
            await shown.shows("logs of talker")
            os.kill(supervisor, signal.SIGSTOP)
            try:
                await shown.shows("shop 1  suspended  its supervisor is suspended", "1 not answering")
                await shown.press("up", "x")
                await shown.until(lambda: re.match(r"▸ web +◌ STOPPED", shown.cursor), "the other's stop")
            finally:
                os.kill(supervisor, signal.SIGCONT)
            await shown.shows("2 instances, 4 services, 3 up")
            await shown.until(lambda: re.match(r"▸ web +◌ STOPPED", shown.cursor), "the cursor")
            assert portsup.run("down", "-i", "2").returncode == 0
            await shown.shows("1 instance, 2 services, 2 up", "logs of talker")
            assert shown.cursor.startswith("▸ talker")

    run(body())


def test_hostile_and_hung(portsup_home: Home, ports_block: int, tmp_path: Path) -> None:
    """Records and snapshots may name anything: it is shown as text, and so are two with the same id. One that
    never answers takes nothing away from the others."""
    locks = portsup_home.locks
    evil = record(tmp_path, stack="\x1b[2J[red]evil[/red]\n\x07", base_port=ports_block)
    twin = record(tmp_path, 2, instance_id=evil.instance_id, base_port=ports_block + 100)
    hung = record(tmp_path, 3, base_port=ports_block + 200)
    publish(locks, evil, twin, hung)
    reason = "[blink]\x1b]0;title\x07 \x9b2J"
    odd = service("\x1b[31m[/]\r\n", state="\x1b[2JNEW", reason=reason, url="\x1b[?25l", shield="\x07")

    async def body() -> None:
        async with top(locks, size=(160, 30)) as shown:
            await shown.shows("[red]evil[/red]", "test 2", "[/]", "? NEW")
            await shown.shows("test 3  unreachable  its supervisor does not answer")
            assert r"[blink] \x9b2J" in "".join(shown.rows)
            assert all(row.isprintable() for row in shown.rows)
            await shown.press("p", "e", "down", "x")
            await shown.until(lambda: shown.toasts, "an answer")

    with Loop() as loop, Imposter(hung.socket, None):
        for one in (evil, twin):
            loop.serve(Path(one.socket), Instance(one, (odd,)).dispatch)
        run(body())


def test_rows_that_come_above_the_cursor() -> None:
    """Neither it nor what stands around it moves on the screen."""

    class OneTable(App[None]):
        def compose(self) -> ComposeResult:
            yield ServiceTable(id="services")

    def rows(*instances: str) -> list[Row]:
        cells = {column.name: Cell(column.name) for column in COLUMNS}
        keys = [RowKey(InstanceId(0, one), name) for one in instances for name in (None, "web", "api")]
        return [Row(key, {**cells, "instance": Cell(key.instance.instance_id)}) for key in keys]

    async def body() -> None:
        async with OneTable().run_test(size=(80, 12)) as pilot:
            table = pilot.app.query_one(ServiceTable)
            table.show(rows(*"defghijk"))
            table.focus()
            await pilot.press("end", *["up"] * 7)
            seen = [table.render_line(y).text for y in range(12)]
            assert seen[1].startswith("h") and table.selected == RowKey(InstanceId(0, "h"), "web")
            table.show(rows(*"abcdefghijkl"))
            await pilot.pause()
            assert [table.render_line(y).text for y in range(12)] == seen
            table.show(rows(*"gijkl"))
            assert table.selected == RowKey(InstanceId(0, "l"), "api")

    run(body())


def test_without_descriptors_for_a_while(portsup_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and goes on when there are some again."""

    def too_many(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def body() -> None:
        async with top(portsup_home.locks) as shown:
            await shown.shows("0 instances")
            with monkeypatch.context() as patched:
                patched.setattr(UsageMeter, "measure", too_many)
                await shown.shows("cannot look: Too many open files")
            await shown.shows("0 instances")

    run(body())


def test_small_and_large_terminals(portsup: Portsup, ports_block: int) -> None:
    """Columns give way before anything is cut off, and the two keys that lead on are always there. What is
    of another services.toml, or has another number, is left out where one is meant."""
    stack(portsup, ports_block)

    async def body() -> None:
        async with top(portsup.home.locks, size=(60, 15)) as shown:
            await shown.shows("4 services")
            await fits(shown, 60, 15, "memory", "url")
            await fits(shown, 30, 12, "port", "cpu")
            await fits(shown, 160, 50, "url", "nothing")
            await shown.press("question_mark")
            await shown.shows("start the selected service", "✖ FATAL")
            await shown.press("q")
            await shown.shows("4 services")

    async def fits(shown: Shown, columns: int, rows: int, there: str, absent: str) -> None:
        await shown.resize(columns, rows)
        columns_are = f"{there} and no {absent}"
        await shown.until(lambda: there in (row := shown.row("service")) and absent not in row, columns_are)
        await shown.until(lambda: shown.cursor and "? help  q quit" in shown.rows[-1], "cursor and keys")

    async def only(told: str, **scope: Any) -> None:
        async with top(portsup.home.locks, **scope) as shown:
            await shown.shows(told)

    run(body())
    config = portsup.cwd / "services.toml"
    run(only("1 instance, 2 services, 2 up", config=config, instance=2))
    run(only("nothing is up", config=portsup.cwd / "elsewhere.toml"))


def test_more_lines_than_are_kept(portsup_home: Home) -> None:
    """The latest stay, and the line that one looks at stays where it is until it is dropped."""

    async def body() -> None:
        async with top(portsup_home.locks, size=(80, 24)) as shown:
            await shown.press("l")
            view = shown.app.lower.log_view
            view.add([f"line {number}" for number in range(KEPT)])
            await shown.until(lambda: shown.rows[-2] == f"line {KEPT - 1}", "the last one")
            await shown.press("pageup")
            seen = shown.rows[1]
            view.add([f"line {KEPT + number}" for number in range(2000)])
            await shown.until(lambda: view.scroll_offset.y < KEPT - 2000, "the others to be dropped")
            assert shown.rows[1] == seen
            assert len(view.text) == KEPT
            for start in range(0, 100_000, 2000):
                view.add([f"more {start + number}" for number in range(2000)])
            await shown.until(lambda: shown.rows[1].startswith("more "), "what is left")
            await shown.press("G")
            await shown.until(lambda: shown.rows[-2] == "more 99999", "the end")

    run(body())

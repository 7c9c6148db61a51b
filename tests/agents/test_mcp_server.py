"""The server and its tools, with the SDK's client in the same process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import WAITS, Home
from mcp import Client
from mcp.types import CallToolResult
from stand_in import Instance, Loop, publish, record, service

from supervisor.agents import command
from supervisor.agents.server import make_server
from supervisor.errors import ConfigError, PortsupError

pytestmark = pytest.mark.slow


def nowhere() -> Path:
    raise ConfigError("no services.toml here")


def ask(home: Home, tool: str, arguments: Mapping[str, Any] | None = None, **how: Any) -> CallToolResult:
    """One call; `here` is the services.toml at hand."""
    here = how.get("here")
    server = make_server(
        (lambda: here) if here else nowhere, home.variables, allow_changes=how.get("allow_changes", False)
    )

    async def call() -> CallToolResult:
        async with Client(server) as client:
            return await client.call_tool(tool, dict(arguments or {}))

    return asyncio.run(call())


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


def up(loop: Loop, home: Home, number: int, *services: Any, **changes: Any) -> Instance:
    one = record(home.folder, number, **changes)
    publish(home.locks, one)
    instance = Instance(one, services)
    loop.serve(Path(one.socket), instance.dispatch)
    return instance


CHANGES = {"up", "down", "start", "stop", "restart"}


def test_what_changes_something_is_not_even_listed(portsup_home: Home) -> None:
    """Unless it is allowed; each tool says in words and in hints what it does."""

    async def listed(allow: bool) -> dict[str, Any]:
        async with Client(make_server(nowhere, portsup_home.variables, allow_changes=allow)) as client:
            assert client.instructions and ("only looks" in client.instructions) is not allow
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    looks, all_ = asyncio.run(listed(False)), asyncio.run(listed(True))
    assert all_.keys() - looks.keys() == CHANGES
    for tool in all_.values():
        assert tool.title and tool.description and tool.output_schema["type"] == "object"
        assert tool.annotations.read_only_hint is (tool.name not in CHANGES)
        assert tool.annotations.open_world_hint is False
    assert {name for name, tool in all_.items() if tool.annotations.destructive_hint} == {
        "down",
        "stop",
        "restart",
    }


@pytest.mark.parametrize("tool", sorted(CHANGES))
def test_a_change_that_is_not_allowed(portsup_home: Home, tool: str) -> None:
    """It is refused with how to allow it, whatever its arguments."""
    result = ask(portsup_home, tool, {"services": 7})
    assert result.is_error
    assert "only looks" in said(result) and "--allow-changes" in said(result)


def test_nobody_has_to_guess(portsup_home: Home, loop: Loop) -> None:
    """Without a worktree at hand, nothing is meant by itself, be it the only one: what there is is listed."""
    up(loop, portsup_home, 1, service("api", 6000))
    for tool in ("status", "env", "events"):
        result = ask(portsup_home, tool)
        assert result.is_error and "instance_id test-1-abc123" in said(result), tool
    result = ask(portsup_home, "status", {"instance_id": "test-1-abc123"})
    assert result.structured_content is not None and result.structured_content["instance"] == 1
    elsewhere = ask(portsup_home, "status", {"folder": str(portsup_home.folder / "locks")})
    assert elsewhere.is_error and "instance_id test-1-abc123" in said(elsewhere)


@pytest.mark.parametrize(
    "folder", ["/nowhere", "loop/x", "a\0b", "~nobody-of-that-name", "x" * 4000, "/etc/passwd"]
)
def test_a_folder_that_is_none(
    portsup_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """It has no instance, and no more is said about it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    result = ask(portsup_home, "status", {"folder": folder})
    assert result.is_error and said(result).startswith(("no instance of ", "cannot use "))


def test_what_others_wrote_is_shown_tame(portsup_home: Home, loop: Loop) -> None:
    """Neither control codes nor bytes that are no text break an answer, or reach a terminal."""
    odd = service("api", 6000, state="FATAL", reason="\x1b[2Jgone\udcff\x07")
    up(loop, portsup_home, 1, odd, config="/tmp/\udcff/services.toml")
    result = ask(portsup_home, "list_instances")
    assert not result.is_error
    assert "http://127.0.0.1:6000: gone\\udcff\\x07" in said(result)
    json.dumps(result.structured_content).encode("ascii")


def test_nothing_that_others_wrote_ends_the_server(portsup_home: Home, loop: Loop) -> None:
    """What UTF-8 can't carry is an escape, wherever it stands: else there is no answer, and no server."""
    odd = service("\ud800", state="\ud800\x1b[2J", ports={"\ud800": 1})
    one = up(loop, portsup_home, 1, odd)
    event = {"time": "2026-01-01T00:00:00Z", "level": "info", "event": "\ud800", "message": "\ud800"}
    logs = portsup_home.folder / "logs"
    logs.mkdir()
    written = json.dumps({**event, "instance_id": one.record.instance_id})
    (logs / "portsup.events.jsonl").write_text(f"{written}\n")
    for tool in ("list_instances", "status", "events"):
        where = {} if tool == "list_instances" else {"instance_id": one.record.instance_id}
        result = ask(portsup_home, tool, where)
        assert "\\ud800" in result.model_dump_json() and not result.is_error


@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_a_services_toml_that_is_no_file(
    portsup_home: Home, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Nothing waits for a pipe, or reads a device to its end."""
    make(tmp_path / "services.toml")
    result = ask(portsup_home, "up", {"folder": str(tmp_path)}, allow_changes=True)
    assert (result.is_error, said(result)) == (True, f"{tmp_path}/services.toml is not a file")


def test_a_log_is_bounded(portsup_home: Home, loop: Loop) -> None:
    """The newest lines that have room; a line longer than that gives its end, and a carriage return
    ends one."""
    up(loop, portsup_home, 1, service("api", 6000))
    logs = portsup_home.folder / "logs"
    logs.mkdir()
    (logs / "api.log").write_text("".join(f"{number:06d} {'x' * 90}\n" for number in range(5000)))
    where = {"service": "api", "instance_id": "test-1-abc123", "lines": 1000}
    shown = ask(portsup_home, "logs", where).structured_content
    assert shown is not None and shown["left_out"]
    assert shown["lines"][-1].startswith("004999") and len(shown["lines"]) == 64_000 // 97
    (logs / "api.log").write_text("1%\r2%\r\ndone\n")
    progress = ask(portsup_home, "logs", {**where, "lines": 2}).structured_content
    assert progress is not None and progress["lines"] == ["2%", "done"]
    (logs / "api.log").write_text("begin" + "y" * 200_000 + "end\n")
    long = ask(portsup_home, "logs", where).structured_content
    assert long is not None and long["lines"][-1].endswith("yend") and long["left_out"]


def test_an_instance_that_hangs_still_has_logs(portsup_home: Home) -> None:
    """Its services are told by their files, where nobody answers."""
    one = record(portsup_home.folder)
    publish(portsup_home.locks, one)
    Path(one.logs).mkdir()
    (Path(one.logs) / "api.log").write_text("last words\n")
    where = {"instance_id": one.instance_id}
    shown = ask(portsup_home, "logs", {**where, "service": "api"}).structured_content
    assert shown is not None and shown["lines"] == ["last words"]
    assert "there are: api" in said(ask(portsup_home, "logs", {**where, "service": "../logs/api"}))
    assert "cannot reach instance 1" in said(ask(portsup_home, "env", where))


def test_a_fault_of_ours_is_a_sentence(
    portsup_home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a traceback, for the client and in the log."""
    monkeypatch.setattr("supervisor.agents.looking.registry.snapshots_of", lambda *_: 1 / 0)
    result = ask(portsup_home, "list_instances")
    assert result.is_error and said(result).startswith("internal error: ZeroDivisionError")
    assert not caplog.records


@pytest.mark.parametrize(
    ("stderr", "message", "details", "hint"),
    [
        ("portsup: no\n  a\n  b\nhint: do\n", "no", ("a", "b"), "do"),
        ("portsup: 6000 is odd\nportsup: no\n  a\n", "no", ("6000 is odd", "a"), None),
        ("Killed\n", "portsup up ended with 9", ("Killed",), None),
        ("", "portsup up ended with 9", (), None),
    ],
)
def test_a_command_s_words_are_passed_on(
    stderr: str, message: str, details: tuple[str, ...], hint: str | None
) -> None:
    """As the error that they were."""
    error = command.failed("up", command.Done(9, "", stderr))
    assert (error.message, error.details, error.hint) == (message, details, hint)


def test_an_instance_around_us_does_not_leak() -> None:
    """Of portsup's variables the command gets but the one that says where the locks are."""
    ours = {"PORTSUP_INSTANCE": "3", "PORTSUP_UNIT": "a/b", "PORTSUP_LOCK_DIR": "/l", "PATH": "/bin"}
    assert command.environment(ours) == {"PORTSUP_LOCK_DIR": "/l", "PATH": "/bin"}


def test_a_command_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is interrupted, and that is said."""
    monkeypatch.setattr(command, "PORTSUP", WAITS)
    with pytest.raises(PortsupError, match=r"up takes longer than 0\.2 s"):
        asyncio.run(command.run(["up"], 0.2))

"""Running the command `portsup` for a call: what starts and ends instances is its business alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio
from anyio.abc import ByteReceiveStream, Process

from supervisor.errors import PortsupError, UsageError

PORTSUP = (sys.executable, "-P", "-m", "supervisor")

OUTPUT_MAX = 1 << 20
"""Bytes of each of its streams that are kept; the rest is read all the same."""

TAKE_BACK_SECONDS = 60.0
"""How long an interrupted command may take to undo what it began: longer than stops take."""

KEPT = frozenset({"PORTSUP_LOCK_DIR"})
"""Of portsup's variables: where, not what. Any other is an option, or tells of an instance around us."""

SAYS, HINT = "portsup: ", "hint: "
"""How the command's lines on stderr begin."""


class Done(NamedTuple):
    code: int
    stdout: str
    stderr: str


async def run(arguments: Sequence[str], seconds: float) -> Done:
    """Run `portsup` with `arguments`, for `seconds` at most. It reads nothing, and has none of our streams.

    Whoever cancels the call, or waits in vain, has it interrupted like with Ctrl-C: it takes back what it
    began. Raises PortsupError with its words if it fails.
    """
    done = None
    with anyio.move_on_after(seconds):
        done = await _run(arguments)
    if done is None:
        raise PortsupError(
            f"portsup {arguments[0]} takes longer than {seconds:g} s: it was interrupted",
            hint="list_instances shows what is there now",
        )
    if done.code != 0:
        raise failed(arguments[0], done)
    return done


async def _run(arguments: Sequence[str]) -> Done:
    process = await _start(arguments)
    assert process.stdout is not None and process.stderr is not None
    output, errors = bytearray(), bytearray()
    try:
        async with anyio.create_task_group() as readers:
            readers.start_soon(_read, process.stdout, output)
            readers.start_soon(_read, process.stderr, errors)
        code = await process.wait()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _interrupt(process)
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await process.stdout.aclose()
            await process.stderr.aclose()
    return Done(code, output.decode(errors="replace"), errors.decode(errors="replace"))


async def _start(arguments: Sequence[str]) -> Process:
    """In a session of its own, so that a Ctrl-C that is meant for us comes through us alone."""
    try:
        return await anyio.open_process(
            [*PORTSUP, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(os.environ),
            start_new_session=True,
        )
    except ValueError as odd:
        raise UsageError(f"cannot run portsup {arguments[0]} with that: {odd}") from odd
    except OSError as failure:
        raise PortsupError(f"cannot run portsup {arguments[0]}: {failure.strerror}") from failure


async def _read(stream: ByteReceiveStream, into: bytearray) -> None:
    async for chunk in stream:
        into += chunk[: OUTPUT_MAX - len(into)]


async def _interrupt(process: Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    with anyio.move_on_after(TAKE_BACK_SECONDS):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the command gets of our own variables."""
    return {name: value for name, value in ours.items() if not name.startswith("PORTSUP_") or name in KEPT}


def failed(command: str, done: Done) -> PortsupError:
    """What a command said on stderr as the error that it was; what it had noted before is a detail, too."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    hint = lines.pop().removeprefix(HINT) if lines and lines[-1].startswith(HINT) else None
    said = [place for place, line in enumerate(lines) if line.startswith(SAYS)]
    if not said:
        return PortsupError(f"portsup {command} ended with {done.code}", details=lines, hint=hint)
    message = lines.pop(said[-1]).removeprefix(SAYS)
    return PortsupError(message, details=[line.removeprefix(SAYS) for line in lines], hint=hint)


def notes(done: Done) -> list[str]:
    """What a command that did well said beside its data."""
    return [line.removeprefix(SAYS) for line in done.stderr.splitlines()]

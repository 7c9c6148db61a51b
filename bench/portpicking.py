"""The measurements (g) of portpicker: with its server, and without one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import installing
from claiming import ALONE, CLAIMS, PROCESSES, TOGETHER, TWICE, figure, handed_out_twice, rate_and_ports
from figures import Case, Figure, Server, Turn
from harness import BLOCK, port_block, private_home, wait_until

PICKER = Path(__file__).with_name("portpicker_worker.py")
WITH_SERVER, WITHOUT = "portpicker, its server", "portpicker alone"


def picks(server: Server, turn: Turn) -> Iterator[Figure]:
    del server, turn
    with private_home() as home:
        yield from figures_of(WITHOUT, home.environ)
    with port_server() as environ:
        yield from figures_of(WITH_SERVER, environ)


def figures_of(name: str, environ: Mapping[str, str]) -> Iterator[Figure]:
    yield figure(ALONE, name, rate_of(1, environ)[0])
    together, ports = rate_of(PROCESSES, environ)
    yield figure(TOGETHER, name, together)
    yield Figure("g", TWICE, name, handed_out_twice(ports), "")


@contextmanager
def port_server() -> Iterator[dict[str, str]]:
    """The environment in which portpicker asks a server for its ports."""
    with private_home() as home, port_block() as first:
        address = home.folder / "server"
        command = [
            program("portserver.py"),
            f"--portserver_static_pool={first}-{first + BLOCK - 1}",
            f"--portserver_address={address}",
        ]
        with subprocess.Popen(
            command, env=home.environ, stderr=subprocess.DEVNULL, start_new_session=True
        ) as server:
            try:
                wait_until(address.exists, 10, "portpicker's server")
                yield {**home.environ, "PORTSERVER_ADDRESS": str(address)}
            finally:
                server.kill()


def rate_of(count: int, environ: Mapping[str, str]) -> tuple[float, list[int]]:
    """Ports a second of `count` processes, which live until all have their ports, and the ports."""
    with ExitStack() as stack:
        pickers = [stack.enter_context(picker(environ)) for _ in range(count)]
        answers = all_answers(pickers)
    return rate_and_ports(answers)


@contextmanager
def picker(environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [program("python"), str(PICKER), str(CLAIMS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=dict(environ), start_new_session=True
    ) as process:
        try:
            assert answer(process) == "ready"
            yield process
        finally:
            process.kill()


def all_answers(pickers: Sequence[subprocess.Popen[str]]) -> list[Any]:
    for process in pickers:
        assert process.stdin is not None
        process.stdin.write("begin\n")
        process.stdin.flush()
    return [answer(process) for process in pickers]


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def program(name: str) -> str:
    return str(installing.folder("portpicker") / "bin" / name)


CASES = (Case("g", picks),)

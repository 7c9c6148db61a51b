"""What tests of the API server share: one that runs, and instances for it to look at."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import COMMAND, ROOT, Home
from stand_in import Instance, Loop, publish, record

from supervisor import paths


class Stream:
    """Server-sent events, as they come."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response

    def read(self) -> tuple[str, Any] | None:
        """The next event, by name and data; None at the end of the stream."""
        name = ""
        while line := self._response.readline().decode():
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                return name, json.loads(value)
        return None

    def find(self, name: str, fits: Callable[[Any], object] | None = None) -> Any:
        """The data of the next event called `name` that fits."""
        deadline = time.monotonic() + 20
        while event := self.read():
            if event[0] == name and (fits is None or fits(event[1])):
                return event[1]
            assert time.monotonic() < deadline, f"waited in vain for {name}"
        raise AssertionError(f"the stream ended without {name}")


@dataclass
class Api:
    """A running `portsup serve`."""

    process: subprocess.Popen[Any]
    port: int
    token_file: Path

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    def get(
        self,
        path: str,
        *,
        method: str = "GET",
        host: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 20,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            given = {**(headers or {}), **({} if host is None else {"Host": host})}
            connection.request(method, path, headers=given)
            response = connection.getresponse()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def json(self, path: str, **options: Any) -> tuple[int, Any]:
        status, headers, body = self.get(path, **options)
        assert headers["content-type"] == "application/json"
        return status, json.loads(body)

    @contextlib.contextmanager
    def stream(self, path: str, *, signed_in: bool = False) -> Iterator[Stream]:
        """Hangs up at the end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=self.authorization if signed_in else {})
            with connection.getresponse() as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
                yield Stream(response)
        finally:
            connection.close()

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str) -> tuple[int, Any]:
        """With the token."""
        return self.json(path, method="POST", headers=self.authorization)


def refusal(error: str) -> dict[str, Any]:
    """The body of one that is said in a sentence."""
    return {"error": error, "details": [], "hint": None}


def greeting(home: Home) -> str:
    """What it says on stderr when it starts."""
    return f"portsup: logs and changes need the token in {paths.api_token_file(home.variables)}\n"


@contextlib.contextmanager
def serving(
    home: Home, port: int, *options: str, through: Sequence[str] = COMMAND, **environ: str
) -> Iterator[Api]:
    """Start it, and end it whatever happens."""
    with subprocess.Popen(
        [*through, "serve", "--port", str(port), *options],
        cwd=ROOT,
        env={**home.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"listening on http://127.0.0.1:{port}\n"
            yield Api(process, port, paths.api_token_file(home.variables))
        finally:
            if process.poll() is None:
                process.kill()


def up(loop: Loop, home: Home, number: int, *services: Any, **more: Any) -> Instance:
    """An instance that is registered and answers."""
    timings = more.pop("timings", None)
    one = record(home.folder, number, **more)
    publish(home.locks, one)
    instance = Instance(one, services, timings)
    loop.serve(Path(one.socket), instance.dispatch)
    return instance

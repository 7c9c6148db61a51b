"""What tests of the API server share: one that runs, and instances for it to look at."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import COMMAND, ROOT, Home
from stand_in import Instance, Loop, publish, record

from supervisor import paths


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

    def post(self, path: str) -> tuple[int, Any]:
        """With the token."""
        return self.json(path, method="POST", headers={"Authorization": f"Bearer {self.token}"})


def greeting(home: Home) -> str:
    """What it says on stderr when it starts."""
    return f"portsup: what changes something needs the token in {paths.api_token_file(home.variables)}\n"


@contextlib.contextmanager
def serving(home: Home, port: int, **environ: str) -> Iterator[Api]:
    """Start it, and end it whatever happens."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port)],
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

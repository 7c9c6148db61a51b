"""The API as it is documented, against a real server with a real instance behind it."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Portsup, port_block, private_home, write_stack
from jsonschema import Draft202012Validator
from web_help import Api, serving

from supervisor.web.openapi import DOCUMENT

SECONDS = 45
"""For a run that takes less than ten on a quiet machine."""

STREAMS = ("live", "followLogs")
"""They have no end that one could wait for; what they refuse is tested with the logs."""

SETTINGS = """
[checks.not_a_server_error]
# 503 is how things are: a service is stopped.
expected-statuses = ["2XX", "3XX", "4XX", "503"]
"""

EXAMPLE = {"number": 1, "name": "api-server"}
"""The service that the document's examples name."""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """Before an instance with two services, one of which may be stopped and started."""
    with private_home() as home, port_block() as port, tempfile.TemporaryDirectory() as folder:
        portsup = Portsup(home, Path(folder))
        services = {
            name: {"pool": {"offset": at, "size": 2}} for at, name in ((0, "api-server"), (10, "web"))
        }
        write_stack(portsup.cwd, services, base_port=port)
        try:
            portsup.up("-i", "1")
            portsup.wait_for_services(1)
            with serving(home, port + 900) as running:
                yield running
        finally:
            portsup.close()


def strict(schema: Any) -> Any:
    """The schema, with no room for fields that it doesn't name."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **{key: strict(value) for key, value in schema.items()}}


def check(answer: Any, schema: Any) -> None:
    """Raises ValidationError also for a field that isn't documented."""
    everything = {**strict(schema), "components": strict(DOCUMENT["components"])}
    Draft202012Validator(everything).validate(answer)


def documented(status: int, operation: Any, kind: str = "application/json") -> Any:
    return operation["responses"][str(status)]["content"][kind]["schema"]


def operations() -> Iterator[tuple[str, str, Any]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path.format(**EXAMPLE), operation


def test_answers_are_documented(api: Api) -> None:
    """Every field of every answer in JSON, also of each event of a stream."""
    for method, path, operation in operations():
        kinds = operation["responses"]["200"]["content"]
        if method == "GET" and "application/json" in kinds:
            status, answer = api.json(path, headers=api.authorization)
            check(answer, documented(status, operation))
        elif events := kinds.get("text/event-stream", {}).get("schema", {}).get("x-events"):
            events = {name: schema for name, schema in events.items() if name != "failure"}
            with api.stream(path, signed_in=True) as stream:
                while events:
                    told = stream.read()
                    assert told is not None
                    check(told[1], events.pop(told[0], {}))


def test_parameters_are_documented(api: Api) -> None:
    """Those that the server says it knows, where it is asked for one that it doesn't."""
    for method, path, operation in operations():
        if "400" not in operation["responses"]:
            continue
        status, answer = api.json(path + "?nonsense=1", method=method, headers=api.authorization)
        assert status == 400
        check(answer, documented(status, operation))
        known = answer["error"].partition("known: ")[2]
        named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
        assert sorted(known.split(", ")) == sorted(named or ["none"])


@pytest.mark.slow
def test_nothing_is_found(api: Api, tmp_path: Path) -> None:
    """Schemathesis asks for whatever the document allows and for much that it doesn't; no answer is of the
    server's own making, undocumented, or given to somebody without the token."""
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"),
            f"http://127.0.0.1:{api.port}/api/v1/openapi.json",
            *("--header", f"Authorization: Bearer {api.token}"),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "5"),
            *(part for name in STREAMS for part in ("--exclude-operation-id", name)),
            *("--generation-deterministic", "--no-shrink", "--no-color", "--request-timeout", "20"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = re.search(r"(\d+) selected / (\d+) total", done.stdout)
    assert tested and int(tested[1]) == int(tested[2]) - len(STREAMS)
    assert "No issues found" in done.stdout
    assert api.process.poll() is None

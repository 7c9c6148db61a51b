"""Requests with anything in their query, path and Host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fuzzing import amounts, for_all
from hypothesis import strategies as st

from supervisor.web.app import make_app

names = st.sampled_from(["instance", "stack", "x"])
values = st.text(max_size=8) | st.sampled_from(["1", "-1", "٣", "9" * 5000, "1e3", "\0", "a\r\nb: c"])
queries = st.lists(st.tuples(names, values), max_size=3).map(lambda pairs: urlencode(pairs).encode())
paths = st.sampled_from(["/api/services", "/api/health/aggregated", "/api/tracing/stats"]) | st.text(
    max_size=9
)
hosts = st.sampled_from([b"localhost", b"127.0.0.1:80", b"[::1]"]) | st.binary(max_size=20)


def scope(path: str, query: bytes, host: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query,
        "headers": [(b"host", host)],
        "server": ("127.0.0.1", 80),
        "state": {"client": None},
    }


async def answer(folder: Path, request: dict[str, Any]) -> tuple[int, Any]:
    """Status and body of what the app says about `request`; nothing runs, so nobody is asked."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await make_app(folder, {})(request, receive, send)
    return sent[0]["status"], json.loads(b"".join(part.get("body", b"") for part in sent[1:]))


@amounts(100, 1000)
def test_any_request_is_answered(tmp_path: Path, amount: int) -> None:
    """With facts, or with an error that says what is wrong: never one of the server's own."""

    def check(parts: tuple[str, bytes, bytes]) -> None:
        status, body = asyncio.run(answer(tmp_path, scope(*parts)))
        assert status in (200, 400, 404, 421, 503), (status, body)
        assert ("error" in body) is (status in (400, 404, 421))

    any_query = queries | st.binary(max_size=40)
    for_all(st.tuples(paths.filter(lambda path: path != "/"), any_query, hosts), check, amount)

"""services.toml files that nobody would write, the same ones in each run: `spoiled(seed)`.

A third are good files with a few bytes or lines spoiled, a third are built from the known keys with
values of every kind, and a third are good files with one thing that is far too large, deep or odd.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import tomli_w
from harness import ROOT

from supervisor.config import keys
from supervisor.config.pool_keys import NAMED_POOL
from supervisor.config.ready_keys import READY

RICH = b"""\
[stack]
name = "rich"
base_port = 21000
stride = 200

[defaults]
env = { A = "${instance}", B = 'c' }
backoff = { initial = "1s", max = "5s", factor = 2.5, limit = 3 }

[services.web]
command = "server --port ${port} 'two words'"
pool = { offset = 0, size = 3 }
pools.metrics = { ports = [9500, 9501], env = "METRICS_PORT" }
ready = { http = "/health", timeout = "10s" }
stop = { signal = "INT", timeout = "3s", mode = "group" }

[services.job]
command = ["worker", "${web.url}", "${web.metrics.port}", "$$"]
depends_on = ["web"]
ready = { log = "^done [0-9]+$" }
restart = "no"
"""

GOOD = [RICH, (ROOT / "services.toml").read_bytes()]

JUNK = [
    b"",
    b"\0",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\x1b[2J\x07\x08",
    b"\x7f\x80\xff",
    b"\xed\xa0\x80",  # half of a surrogate pair
    "\u202e\u0301\u2028\U0001f469\u200d\U0001f4bb\uffff".encode(),
    *b"[ ] { } = . , \" ' \\ # $ ${ ${} : 0 -1 1e999 nan 0x".split(),
    b'"""',
    b"[services]",
    b"[[services.web]]",
    b"[services.web.pool]\n",
    b"true",
    b"1979-05-27T07:32:00Z",
]

ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    65535,
    65536,
    10**30,
    0.5,
    float("inf"),
    float("nan"),
    "",
    " ",
    "x",
    [],
    {},
]
ODD += ["a\0b", "\x1b]0;x\x07", "${", "${web.port}", "${env:HOME}", "1s", "-5s", "TERM", "a 'b", "é" * 300]
ODD += [["web"], ["web", "web"], ["job"], [1, "x"], [[]], {"offset": 0, "size": 2}, {"ports": [9000, 9000]}]
ODD += [{"offset": 65535, "size": 65535}, {"http": "/x"}, {"tcp": True, "log": "("}, {"log": "(" * 50}]

NAMES = ["web", "job", "a-b", "db", "a_b", "base", "port", "", "a.b", "x" * 300, "ü", "a b", "9"]
KNOWN = sorted({*keys.SERVICE, *keys.STACK, *NAMED_POOL, *READY, *keys.BACKOFF, *keys.STOP})


def spoiled(seed: int) -> bytes:
    """The file of that number."""
    chance = random.Random(seed)
    build = (_mutated, _built, _extreme)[seed % 3]
    return build(chance)


# A good file, spoiled


def _mutated(chance: random.Random) -> bytes:
    data = chance.choice(GOOD)
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(MUTATIONS)(chance, data)
    return data


def _span(chance: random.Random, length: int, most: int = 20) -> slice:
    start = chance.randint(0, length)
    return slice(start, start + chance.randint(0, most))


def _cut(chance: random.Random, data: bytes) -> bytes:
    span = _span(chance, len(data))
    return data[: span.start] + data[span.stop :]


def _cut_off(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randint(0, len(data))]


def _stuff(chance: random.Random, data: bytes) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(JUNK) + data[at:]


def _double(chance: random.Random, data: bytes) -> bytes:
    span = _span(chance, len(data), 60)
    return data[: span.stop] + data[span] + data[span.stop :]


def _flip(chance: random.Random, data: bytes) -> bytes:
    spoilt = bytearray(data or b" ")
    spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _mix_lines(chance: random.Random, data: bytes) -> bytes:
    """Swap two, drop one, or write one twice."""
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            del lines[one]
        case _:
            lines.insert(one, lines[other])
    return b"\n".join(lines)


def _other_value(chance: random.Random, data: bytes) -> bytes:
    """Something else behind one of the `=`."""
    lines = data.split(b"\n")
    assigning = [number for number, line in enumerate(lines) if b" = " in line]
    if assigning:
        number = chance.choice(assigning)
        key = lines[number].partition(b" = ")[0]
        lines[number] = key + b" = " + _toml(chance.choice(ODD))
    return b"\n".join(lines)


def _windows(_chance: random.Random, data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")


Mutation = Callable[[random.Random, bytes], bytes]
MUTATIONS: Sequence[Mutation] = [
    *(_cut, _cut_off, _stuff, _double, _flip, _mix_lines, _other_value, _windows)
]


def _toml(value: Any) -> bytes:
    if value is None:
        return b"null"
    return tomli_w.dumps({"x": [value]}).partition(" = ")[2].strip().removeprefix("[").encode()


# Built of the known keys


def _built(chance: random.Random) -> bytes:
    """Mostly what each key wants, so that some of these files are right."""
    names = chance.sample(NAMES[:4] if chance.random() < 0.8 else NAMES, chance.randint(1, 3))
    services = {name: _service(chance, names) for name in names}
    document: dict[str, Any] = {"services": services}
    if chance.random() < 0.5:
        base = chance.choice([1024, 20_000, 32_000, 65_000, 65_536, "6000"])
        document["stack"] = {"base_port": base, "stride": chance.choice([1, 100, 200, 10_000])}
    if chance.random() < 0.2:
        document["defaults"] = {chance.choice(KNOWN): _odd(chance)}
    return tomli_w.dumps(document).encode()


def _service(chance: random.Random, names: Sequence[str]) -> dict[str, Any]:
    service: dict[str, Any] = {"command": chance.choice(["run ${port}", "run", ["run", "a b"]])}
    if chance.random() < 0.8:
        service["pool"] = _pool(chance)
    if chance.random() < 0.2:
        service["depends_on"] = [chance.choice(names)]
    if chance.random() < 0.2:
        service["pools"] = {chance.choice(NAMES): _pool(chance)}
    if chance.random() < 0.2:
        service[chance.choice(KNOWN)] = _odd(chance)
    return service


def _pool(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        return {"ports": chance.sample(range(9000, 9040), chance.randint(1, 4))}
    return {"offset": chance.choice([*range(0, 95, 5), 65_535]), "size": chance.randint(1, 6)}


def _odd(chance: random.Random) -> Any:
    value = chance.choice(ODD)
    return "null" if value is None else value


# One thing too large


def _extreme(chance: random.Random) -> bytes:
    data = chance.choice(GOOD)
    piece = chance.choice(EXTREMES)(chance.choice([10, 1_000, 20_000]))
    at = chance.choice([0, len(data), data.index(b"\n[services") + 1])
    return data[:at] + piece.encode() + b"\n" + data[at:]


EXTREMES: Sequence[Callable[[int], str]] = [
    lambda size: f"x = {'[' * size}{']' * size}",
    lambda size: f"x = {'{a=' * min(size, 10_000)}1{'}' * min(size, 10_000)}",
    lambda size: f"[{'a.' * min(size, 3_000)}b]",
    lambda size: f"x = {'9' * size}",
    lambda size: f"x = 0x{'f' * size}",
    lambda size: f"x = {'9' * size}.5",
    lambda size: f"x = '{'y' * size * 10}'",
    lambda size: f"{'k' * size} = 1",
    lambda size: "#" + " long" * size,
    lambda size: "\n" * size,
    lambda size: "\n".join(f"[services.s{number}]\ncommand = 'x'" for number in range(size // 100)),
    lambda size: f"[services.many]\ncommand = 'x'\npool = {{ ports = {list(range(1, size))} }}",
    lambda size: f"[services.big]\ncommand = 'x'\npool = {{ offset = 0, size = {size} }}",
    lambda size: f'[services.words]\ncommand = "{"a " * size}"',
    lambda size: f'[services.fills]\ncommand = "{"${instance}" * min(size, 2_000)}"',
    lambda size: f"[services.needs]\ncommand = 'x'\ndepends_on = {['web'] * size}",
    lambda size: "[services.odd]\ncommand = 'x'\nenv = { V = \"" + "\\u0001" * size + '" }',
    lambda size: f"[services.log]\ncommand = 'x'\nready = {{ log = '{'(' * size}{')' * size}' }}",
]

"""Whatever the file holds: a Config that can be carried out, or errors that point at what is wrong."""

from __future__ import annotations

import copy
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from fuzzing import amounts, for_all
from harness import Home
from hypothesis import strategies as st
from toml_writer import KeyPath, Table, Written, written

from fuzz import toml
from supervisor.cli.main import main
from supervisor.config import keys
from supervisor.config.model import Config
from supervisor.config.pool_keys import NAMED_POOL
from supervisor.config.problems import dotted
from supervisor.config.ready_keys import READY
from supervisor.errors import ExitCode

# Valid files

texts = st.sampled_from(
    [
        "x",
        "a 'b c'",
        "${instance}",
        "${stack}/${base_port}",
        "$${x} $HOME",
        "${env:HOME}",
        "${data_dir}",
        "é#[=",
    ]
)
commands: st.SearchStrategy[Any] = texts | st.lists(texts, min_size=1, max_size=3)
durations: st.SearchStrategy[Any] = st.sampled_from(["500ms", "10s", "2 m", 1, 0.5, 3])
variables = st.sampled_from(["A", "LOG_LEVEL", "_x9"])


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Table]:
    return st.fixed_dictionaries({}, optional=values)


commons: dict[str, st.SearchStrategy[Any]] = {
    "env": st.dictionaries(variables, texts | st.integers(0, 9), max_size=2),
    "restart": st.sampled_from(["no", "on-failure", "always"]),
    "shield": st.sampled_from(["tree", "lock", "off"]),
    "on_lost": st.sampled_from(["stop", "rotate"]),
    "backoff": optional(
        initial=st.just("10ms"), max=durations, factor=st.just(2), limit=st.just(3), reset=durations
    ),
    "stop": optional(
        signal=st.sampled_from(["TERM", "SIGINT", 1]),
        timeout=durations,
        mode=st.sampled_from(["tree", "group", "process"]),
    ),
    "log": optional(max_size=st.sampled_from(["64KB", "10 MB", "1GiB", 65_536]), files=st.integers(1, 100)),
}
checks: st.SearchStrategy[Table] = st.sampled_from(
    [{"http": "/health"}, {"tcp": True}, {"log": "a+$"}, {"exec": ["x", "${instance}"]}, {"notify": True}]
)


@st.composite
def documents(draw: st.DrawFn) -> Table:
    """Right by construction: relative pools one after the other, shared ones out of their way."""
    names = draw(st.lists(st.sampled_from(["web", "api-server", "db2", "w_x"]), min_size=1, unique=True))
    services: Table = {}
    for place, name in enumerate(names):
        services[name] = _service(draw, place, names[:place])
    document: Table = {"stack": _stack(draw)}
    if draw(st.booleans()):
        document["defaults"] = draw(optional(**commons))
    return {**document, "services": services}


def _stack(draw: st.DrawFn) -> Table:
    optionals = draw(optional(name=st.sampled_from(["s", "a.b-c"]), env_files=st.just([".env"])))
    base = draw(st.sampled_from([20_000, 2000, 65_436, 60_000]))
    return {"base_port": base, "stride": draw(st.integers(50, 100)), **optionals}


def _service(draw: st.DrawFn, place: int, earlier: list[str]) -> Table:
    flag = st.booleans()
    service: Table = {"command": draw(commands), **draw(optional(**commons))}
    if isinstance(service["command"], str) and draw(flag):
        service["shell"] = draw(flag)
    if draw(flag):
        service["cwd"] = "."
    service["pool"] = {"offset": place * 10, "size": draw(st.integers(1, 10))}
    if draw(flag):
        service["pools"] = {"m": {"ports": [1000 + place], "env": "M"}}
    if draw(flag):
        service["port_env"] = "MY_PORT"
    if draw(flag) and earlier:
        service["depends_on"] = [draw(st.sampled_from(earlier))]
        service.setdefault("env", {})["NEEDS"] = f"${{{earlier[0]}.url}}"
    if draw(flag):
        service["ready"] = {**draw(checks), **draw(optional(timeout=durations))}
    if draw(flag) and "tcp" not in service.get("ready", {}):
        service |= {"socket": True, "command": ["x", "--fd", "${port_fd}"]}
        service.pop("shell", None)
    return service


@amounts(60)
def test_a_valid_file_is_loaded(amount: int) -> None:
    """However it is written, its plans can be carried out."""

    def check(file: Written) -> None:
        loaded = toml.loaded(file.text.encode())
        assert isinstance(loaded, Config), loaded

    for_all(documents().flatmap(written), check, amount)


# Files with one mistake, at a known key

NOT_TEXT: tuple[Any, ...] = (5, True, [], {})
NOT_A_TABLE: tuple[Any, ...] = (5, "x", [])
NOT_A_DURATION: tuple[Any, ...] = ("soon", -1, True, "1d", [])
TEMPLATES = ("${nope}", "${", "a ${} b", "${web.nope.port}", "${env:}")

WRONG: dict[tuple[str, ...], tuple[Any, ...]] = {
    ("stack", "name"): (*NOT_TEXT, "", "a b", "x" * 65, "\0"),
    ("stack", "base_port"): (0, -1, 65_536, "6000", 1.5, True),
    ("stack", "stride"): (0, 65_536, "100", []),
    ("stack", "env_files"): ("x", 5, [1], ["no/such/file"], ["\0"]),
    ("command",): ("", " ", [], [""], ["x", 5], 5, {}, "a \0", *TEMPLATES),
    ("shell",): ("yes", 1, []),
    ("cwd",): (*NOT_TEXT, "${instance}", "a\0"),
    ("env",): NOT_A_TABLE,
    ("env", "*"): (True, [], {}, "a\0", *TEMPLATES),
    ("pool",): (*NOT_A_TABLE, {}, {"offset": 0}, {"ports": [7], "size": 1}),
    ("pool", "offset"): (-1, "0", 1.5, 65_536),
    ("pool", "size"): (0, "3", True, 65_536),
    ("pools",): NOT_A_TABLE,
    ("pools", "m"): (*NOT_A_TABLE, {}, {"size": 1}),
    ("pools", "m", "ports"): ([], [0], [65_536], [7, 7], "7", ["7"]),
    ("pools", "m", "env"): (5, "A-B", "", "HOST", "PORTSUP_X"),
    ("port_env",): (5, "A B", "9", "HOST", "PORTSUP_INSTANCE"),
    ("depends_on",): ("web", [5], ["nobody"]),
    ("ready",): (*NOT_A_TABLE, {}, {"timeout": 1}, {"tcp": True, "notify": True}),
    ("ready", "http"): (5, "x", "/a b", "/\n", "/${nope}"),
    ("ready", "tcp"): (False, 1, "yes"),
    ("ready", "log"): (5, "(", "(?a)(?u)x", "a{99999999999999999999}", "\0"),
    ("ready", "exec"): ("", [], 5, "'", ["x", "${nope}"]),
    ("ready", "notify"): (False, "x"),
    ("ready", "timeout"): NOT_A_DURATION,
    ("socket",): ("yes", 1, {}),
    ("restart",): ("sometimes", True, [], {}),
    ("shield",): ("up", 1, {}),
    ("on_lost",): ("", False, []),
    ("backoff",): NOT_A_TABLE,
    ("backoff", "initial"): (*NOT_A_DURATION, {}),
    ("backoff", "max"): NOT_A_DURATION,
    ("backoff", "factor"): (0.5, "2", True, 1001),
    ("backoff", "limit"): (-1, "5", 1.5),
    ("backoff", "reset"): NOT_A_DURATION,
    ("stop",): NOT_A_TABLE,
    ("stop", "signal"): ("NOPE", 0, 99, True, []),
    ("stop", "timeout"): NOT_A_DURATION,
    ("stop", "mode"): ("all", True, {}),
    ("log",): NOT_A_TABLE,
    ("log", "max_size"): ("10", "1KB", "1TB", "9" * 400 + "GB", "9" * 5000 + "B", 63_999, 1.5e6, True, []),
    ("log", "files"): (0, 101, "3", 1.5, True),
}
"""Key inside a service or [defaults], or as a whole → what it can't be."""

NOT_READ_THERE = TEMPLATES
"""What nobody reads in [defaults] where every service has its own."""


def _pattern(path: KeyPath) -> tuple[str, ...]:
    inside = path if path[0] == "stack" else path[2 if path[0] == "services" else 1 :]
    return ("env", "*") if inside[:1] == ("env",) and len(inside) == 2 else inside


def _paths(table: Table, prefix: KeyPath = ()) -> list[KeyPath]:
    found: list[KeyPath] = []
    for key, value in table.items():
        found.append((*prefix, key))
        if isinstance(value, dict):
            found += _paths(value, (*prefix, key))
    return found


def _table_at(document: Table, path: KeyPath) -> Table:
    for key in path:
        document = document[key]
    return document


@dataclass(frozen=True)
class Mistake:
    file: Written
    key: KeyPath
    """Where it must be reported."""


@st.composite
def mistakes(draw: st.DrawFn) -> Mistake:
    """A valid file with a wrong value, an unknown key or a missing command."""
    document = copy.deepcopy(draw(documents()))
    path = draw(st.sampled_from([path for path in _paths(document) if _pattern(path) in WRONG]))
    match draw(st.sampled_from(["value"] * 4 + ["unknown", "missing"])):
        case "unknown":
            table = draw(st.sampled_from([path[:1] if path[0] != "services" else path[:2]]))
            path = (*table, draw(st.sampled_from(["nope", "comand", "a b", "ünknown", "port"])))
            _table_at(document, table)[path[-1]] = draw(st.sampled_from([1, "x", [], {"a": 1}]))
        case "missing":
            path = ("services", next(iter(document["services"])))
            del _table_at(document, path)["command"]
        case _:
            values = [
                one for one in WRONG[_pattern(path)] if path[0] != "defaults" or one not in NOT_READ_THERE
            ]
            _table_at(document, path[:-1])[path[-1]] = draw(st.sampled_from(values))
    return Mistake(draw(written(document)), path)


@amounts(150)
def test_a_mistake_is_reported_at_its_key(amount: int) -> None:
    """Line and key are those of what was changed, and nothing else is invented about it."""

    def check(mistake: Mistake) -> None:
        reported = toml.loaded(mistake.file.text.encode())
        assert not isinstance(reported, Config)
        assert (mistake.file.lines[mistake.key], dotted(mistake.key)) in [
            (one.line, one.key) for one in reported
        ]

    for_all(mistakes(), check, amount)


# Files that are broken anyhow

SCRAPS = [
    *"[]{}=.,\"'\\#$\n\r -:09a\0",
    *[
        "${",
        "}",
        '"""',
        "true",
        "1e999",
        "0x" + "f" * 4000,
        "-1",
        "1979-05-27",
        "é",
        "\\u0000",
        "\u2028",
        "\x85",
    ],
    *["[services.web]", "[defaults]", "ready", "pool", "services.", "''", "[]", "{}", "[[services.x]]"],
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Cut, replaced and stuffed anywhere."""
    text = draw(documents().flatmap(written)).text
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        text = text[:start] + draw(st.sampled_from(["", *SCRAPS])) + text[end:]
    return text.encode()


@amounts(100)
def test_a_mutated_file_is_survived(amount: int) -> None:
    """It loads, or is refused with lines that there are."""
    for_all(mutated(), toml.check, amount)


words = st.sampled_from(
    ["", "x", "web", "${port}", "${web.url}", "${", "no", "TERM", "1s", "/", "(", "(?a)(?u)", "\0", "a 'b"]
)
scalars = st.one_of(words, st.integers(-2, 70000), st.booleans(), st.floats(), st.dates(), st.times())
names = st.sampled_from(["web", "a-b", "a_b", "base", "port", "env", "", "a.b", "m", "9", "\x85", "\u2028"])
known = st.sampled_from(sorted({*keys.SERVICE, *keys.STACK, *NAMED_POOL, *READY, *keys.BACKOFF, *keys.STOP}))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(known | names, inner, max_size=4)),
)
tables = st.dictionaries(known, values, max_size=6)
any_documents = st.fixed_dictionaries(
    {"services": st.dictionaries(names, tables, max_size=4)}, optional={"stack": tables, "defaults": tables}
)


@amounts(150)
def test_known_keys_with_any_values_are_survived(amount: int) -> None:
    """Every type under every key."""
    for_all(any_documents, lambda document: toml.check(tomli_w.dumps(document).encode()), amount)


@amounts(100)
def test_any_bytes_are_a_file(amount: int) -> None:
    """Noise."""
    for_all(st.text(max_size=200).map(str.encode) | st.binary(max_size=200), toml.check, amount)


@pytest.mark.slow
@amounts(60, 500)
def test_the_command_explains_any_file(
    portsup_home: Home, capfd: pytest.CaptureFixture[str], amount: int
) -> None:
    """`portsup check` ends with 0 or 78 and a message, never with an error of its own."""

    def check(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "services.toml"
            file.write_bytes(data)
            code = main(["check", "--file", str(file)])
        said = capfd.readouterr()
        assert code in (ExitCode.OK, ExitCode.CONFIG), said.err
        assert bool(said.out) is (code == ExitCode.OK)
        assert code == ExitCode.OK or re.match(r"portsup: .+\n  .+:\d+: .+", said.err)

    as_bytes = any_documents.map(lambda document: tomli_w.dumps(document).encode())
    for_all(mutated() | as_bytes, check, amount)

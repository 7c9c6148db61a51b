"""The JSON Schema and the loader say the same: what one takes, the other takes."""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from fuzzing import amounts, for_all
from harness import ROOT
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from test_fuzz_toml import any_documents, documents, mistakes
from test_load import EVERYTHING
from test_wrong_files import WEB, WRONG
from toml_writer import Table

from supervisor.config import keys
from supervisor.config.fields import Keys
from supervisor.config.load import load
from supervisor.config.model import Config
from supervisor.config.schema import DIALECT, json_schema
from supervisor.errors import ConfigError

SCHEMA = json_schema()


def ecma_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Any:
    """As editors search: in Python alone, `$` matches before a newline at the end as well."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$(?=$|[|)])", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


VALIDATOR = extend(Draft202012Validator, {"pattern": ecma_pattern})(SCHEMA)  # type: ignore[no-untyped-call]

UNSAID = {
    # What holds between tables, or between a table and [defaults].
    "overlaps": (WEB + "pools.m = { offset = 1, size = 4 }", "overlaps "),
    "a pool past the stride": (
        WEB + "pools.m = { offset = 98, size = 3 }",
        "runs past the instance's stride",
    ),
    "ports past the last": (WEB + "[stack]\nstride = 60000", "would run past port"),
    "cycles": (
        "[services.a]\ncommand='x'\ndepends_on=['b']\n[services.b]\ncommand='x'\ndepends_on=['a']",
        "is a cycle",
    ),
    "a dependency on itself": (WEB + "depends_on = ['web']", "can't depend on itself"),
    "a service that isn't there": (WEB + "depends_on = ['wep']", 'there is no service "'),
    "names with the same variable": (WEB + "[services.WEB]\ncommand = 'x'", "gives the same variable"),
    "a name with a variable of portsup's": (
        "[services.base]\ncommand = 'x'",
        "is a variable of portsup's own",
    ),
    "a pool's name with such a variable": (
        WEB + "pools.portsup-x = { offset = 5, size = 1 }",
        "would be its variable",
    ),
    "two ports in one variable": (
        WEB + "pools.m = { offset = 5, size = 1, env = 'PORT' }",
        "carries the port of",
    ),
    "env for a port's variable": (WEB + "env = { PORT = '1' }", "carries the service's own port"),
    "env for the socket's variables": (WEB + "socket = true\nenv = { LISTEN_FDS = '1' }", "is handed down"),
    "something to ask without a port": (
        "[services.a]\ncommand = 'x'\nready = { tcp = true }",
        "asks for a port",
    ),
    "a list for a shell by [defaults]": (
        "[defaults]\nshell = true\n[services.a]\ncommand = ['x']",
        "where shell = true",
    ),
    "tcp for a socket by [defaults]": (
        "[defaults]\nsocket = true\n" + WEB + "ready = { tcp = true }",
        "itself listens",
    ),
    "waits in the wrong order": (WEB + "backoff = { initial = '1h' }", "initial is longer than max"),
    "a size out of bounds, in words": (WEB + "log.max_size = '1KB'", "must be between 64KB and"),
    # What is a text of its own language.
    "${…} that isn't known": (
        WEB + "env = { A = '${wbe.port}' }",
        'no service "|no pool|no main pool|is unknown|no name of',
    ),
    "${…} that isn't closed": (WEB + "env = { A = '${' }", "is never closed|names nothing|names no variable"),
    "the descriptor of no socket": (WEB + "env = { A = '${port_fd}' }", "gets no socket handed down"),
    "words that can't be split": (WEB + 'ready = { exec = "a \'b" }', "cannot be split"),
    "words that name no program": (WEB + "ready = { exec = \"''\" }", r"is empty \(name a program"),
    "a regular expression": (WEB + "ready = { log = '(' }", "is not a regular expression"),
    # What lies outside the file.
    "env files": (WEB + "[stack]\nenv_files = ['no.env']", "cannot read "),
    # What JSON doesn't tell apart.
    "whole floats": (WEB + "[stack]\nbase_port = 6000.0", "must be an integer, not a float"),
    "dates": (WEB + "cwd = 1979-05-27", "not a date or time"),
    "numbers without end": (WEB + "stop = { timeout = inf }", "is not a finite duration"),
    "numbers that are too long": (WEB + "env = { A = 0x" + "f" * 4000 + " }", "is too long a number"),
}
"""What a schema can't say, or JSON: a file that only the loader refuses, and how it does."""

MAY_REFUSE = re.compile("|".join(pattern for _, pattern in UNSAID.values()))


def loaded(text: str) -> Config | list[str]:
    """The Config, or what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "services.toml"
        file.write_text(text, encoding="utf-8")
        (file.parent / ".env").write_text("A=1\n")
        (file.parent / "sub").mkdir()
        try:
            return load(file)
        except ConfigError as error:
            return list(error.details)


def faults(document: Any) -> list[str]:
    """What an editor would mark."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(as_json(document))]


def as_json(value: Any) -> Any:
    """As editors hand TOML to a schema: dates are strings there."""
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return str(value) if isinstance(value, date | datetime | time) else value


def compare(text: str) -> None:
    """Raises AssertionError where the two differ, but for what is UNSAID."""
    by_loader, by_schema = loaded(text), faults(tomllib.loads(text))
    if isinstance(by_loader, Config):
        assert not by_schema
    elif not by_schema:
        assert all(map(MAY_REFUSE.search, by_loader)), by_loader


def test_the_schema_is_one() -> None:
    """Of draft 2020-12, and JSON to its last key."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DIALECT == Draft202012Validator.META_SCHEMA["$id"]
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert tuple(SCHEMA["properties"]) == keys.DOCUMENT


@pytest.mark.parametrize("text", [text for text, *_ in WRONG], ids=[f"{row[2]}: {row[3]}" for row in WRONG])
def test_wrong_files(text: str) -> None:
    """Refused by both, or for one of the reasons that are listed."""
    compare(text)


RIGHT = [
    EVERYTHING,
    (ROOT / "services.toml").read_text(),
    *re.findall(r"```toml\n(.*?)```", (ROOT / "docs/services.md").read_text(), re.DOTALL),
    "[defaults]\ncommand = 'x'\n[services.a]\n[services.b]",
    "[services.a]\ncommand = 'x'\nstop = { signal = 'KILL', timeout = ' 1.5 m ' }\nbackoff.factor = 1.5",
    "[services.a]\ncommand = 'x'\nlog = { max_size = ' 64 KB ', files = 1 }",
    "[services.a]\ncommand = 'x'\nlog.max_size = 64_000",
    "[services.a]\ncommand = ['x', '']\nenv = { A = -0.5, B = '', _C = 'a\\u0001b' }\ncwd = 'a$b'",
    "[defaults]\nshell = true\ncommand = ['x']\n[services.a]\ncommand = 'x'",
]


@pytest.mark.parametrize("text", RIGHT)
def test_right_files(text: str) -> None:
    """Taken by both."""
    found = loaded(text)
    assert isinstance(found, Config), found
    assert faults(tomllib.loads(text)) == []


@pytest.mark.parametrize("name", UNSAID)
def test_what_a_schema_cannot_say(name: str) -> None:
    """The schema takes it, the loader doesn't, and says why: else it need not stand in the list."""
    text, reason = UNSAID[name]
    found = loaded(text)
    assert isinstance(found, list) and any(re.search(reason, line) for line in found), found
    assert faults(tomllib.loads(text)) == []


SHAPES = [
    ("[services.a]\ncommand = ['x']\nshell = true", "$.services.a.command"),
    (WEB + "socket = true\nready = { tcp = true }", "$.services.web.ready"),
    (WEB + "restrat = 'no'", "$.services.web"),
    (WEB + "ready = { http = '/', tcp = true }", "$.services.web.ready"),
    (WEB + "ready = { tcp = true, timeout = '0.0s' }", "$.services.web.ready.timeout"),
    (WEB + "cwd = '${data_dir}'", "$.services.web.cwd"),
    (WEB + "port_env = 'HOST'", "$.services.web.port_env"),
    (WEB + "log = { max_size = '10M' }", "$.services.web.log.max_size"),
    (WEB + "log = { max_size = 63_999 }", "$.services.web.log.max_size"),
    (WEB + "pools.port = { offset = 5, size = 1 }", "$.services.web.pools"),
    (WEB + "pools.m = { ports = [9000], size = 1 }", "$.services.web.pools.m"),
    (WEB + "stop.signal = 'TREM'", "$.services.web.stop.signal"),
    ("[services.a]", "$.services.a"),
    ("[services.a]\ncommand = []", "$.services.a.command"),
    ("[services.a]\ncommand = [0, 'x']", "$.services.a.command[0]"),
    ("[services.a]\ncommand = ['', 'x']", "$.services.a.command"),
    ("[services.a]\ncommand = ' '", "$.services.a.command"),
    ("[services]", "$.services"),
    ("[stack]", "$"),
]


@pytest.mark.parametrize(("text", "place"), SHAPES, ids=[place for _, place in SHAPES])
def test_an_editor_marks_the_place(text: str, place: str) -> None:
    """What can be said of a table by itself is the schema's to say, and where."""
    assert any(fault.startswith(f"{place}") for fault in faults(tomllib.loads(text)))
    assert not isinstance(loaded(text), Config)


def defaults_of(known: Keys) -> Table:
    """Each key with the default that the schema names."""
    found: Table = {}
    for name, key in known.items():
        if key.type.keys and (inner := defaults_of(key.type.keys)) and name in ("backoff", "stop", "log"):
            found[name] = inner
        elif key.default is not None:
            found[name] = key.default
    return found


def test_the_defaults_are_the_loaders() -> None:
    """A file with all of them written out says what one without them says."""
    short = {"services": {"a": {"command": "x", "pool": {"offset": 0, "size": 1}}}}
    spelled_out = {
        "stack": defaults_of(keys.STACK),
        "services": {"a": {**defaults_of(keys.SERVICE), **short["services"]["a"]}},
    }
    assert {"backoff", "stop", "log", "shell", "port_env"} <= spelled_out["services"]["a"].keys()
    one, other = loaded(tomli_w.dumps(short)), loaded(tomli_w.dumps(spelled_out))
    assert isinstance(one, Config) and isinstance(other, Config)
    assert one._replace(path=other.path, stack="", services=()) == other._replace(stack="", services=())
    (first,), (second,) = one.services, other.services
    assert first._replace(cwd=second.cwd) == second


def test_the_default_of_a_ready_timeout() -> None:
    """It stands in a table of its own."""
    default = keys.SERVICE["ready"].type.keys["timeout"].default
    one, other = (loaded(f"{WEB}ready = {{ tcp = true{rest} }}") for rest in ("", f", timeout = '{default}'"))
    assert isinstance(one, Config) and isinstance(other, Config)
    assert one.services[0].ready == other.services[0].ready


def test_every_key_says_what_it_means() -> None:
    """In words without links: an editor has no page for them to lead to."""
    described = re.findall(r'"description": "(.*?)"', json.dumps(SCHEMA))
    assert all(described)
    assert not [text for text in described if "](" in text]


@amounts(100)
def test_documents_that_are_right(amount: int) -> None:
    """However they are put together."""
    for_all(documents().map(tomli_w.dumps), compare, amount)


@amounts(150)
def test_documents_with_a_mistake(amount: int) -> None:
    """Of shape, or of what is listed."""
    for_all(mistakes().map(lambda mistake: mistake.file.text), compare, amount)


NAMES = ["a", "A-b", "9", "", "a b", "HOST", "PORTSUP_X", "PORT", "port", "x\n", "\0", "\u2028"]
WORDS = ["TERM", "SIGKILL", "SIG", "no", "tree", "stop", "/", "/x y", "$", "${", "$${x}"]
TIMES = ["1s", "0ms", "1.5 h", "1", " 2m\n", "1\u00a0s"]
near = st.sampled_from([*NAMES, *WORDS, *TIMES])
scalars = st.one_of(near, st.integers(-2, 70_000), st.booleans(), st.sampled_from([0.0, 0.5, -1.0, 2.5, 1e6]))


def _any_table(known: Keys) -> st.SearchStrategy[Table]:
    """Known keys, each with something that another key might take."""
    return st.fixed_dictionaries({}, optional={name: _any_value(key.type) for name, key in known.items()})


def _any_value(kind: Any) -> st.SearchStrategy[Any]:
    anything: st.SearchStrategy[Any] = scalars | st.lists(scalars, max_size=2) | st.just({})
    if kind.keys:
        return _any_table(kind.keys) | anything
    if kind.each:
        return st.dictionaries(near, _any_value(kind.each), max_size=2) | anything
    return anything | st.dictionaries(near, scalars, max_size=2)


@amounts(300)
def test_any_value_under_any_key(amount: int) -> None:
    """Made from the same table as the loader and the schema, so that new keys are tried too."""
    service = _any_table(keys.SERVICE).map(lambda table: {"command": "x", **table})
    whole = st.fixed_dictionaries(
        {"services": st.dictionaries(near, service, max_size=2)},
        optional={"stack": _any_table(keys.STACK), "defaults": _any_table(keys.SERVICE)},
    )
    for_all(whole.map(tomli_w.dumps), compare, amount)


@amounts(150)
def test_any_document(amount: int) -> None:
    """Every type under every key, and keys that there aren't."""
    for_all(any_documents.map(tomli_w.dumps), compare, amount)

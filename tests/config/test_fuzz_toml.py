"""Whatever the file holds: a Config or a ConfigError."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.config import keys
from supervisor.config.load import load
from supervisor.config.pool_keys import NAMED_POOL
from supervisor.config.ready_keys import READY
from supervisor.errors import ConfigError
from supervisor.plan.plan import make_plan

GOOD = """\
[stack]
name = "s"
base_port = 20000
env_files = []
[defaults]
env = { A = "${instance}" }
backoff = { initial = "1s", factor = 2.5 }
[services.web]
command = "a 'b c' ${port}"
pool = { offset = 0, size = 3 }
pools.m = { ports = [9000, 9001], env = "M" }
ready = { http = "/x", timeout = "10s" }
stop = { signal = "TERM", mode = "tree" }
[services.job]
command = ["x", "${web.m.url}"]
depends_on = ["web"]
ready = { log = "a+$" }
"""

SCRAPS = [
    *"[]{}=.,\"'\\#$\n -:09a",
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
]
SCRAPS += ["[services.web]", "[defaults]", "ready", "pool", "services.", "''", "[]", "{}", "[[services.x]]"]


def survives(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "services.toml"
        file.write_text(text, encoding="utf-8", newline="")
        try:
            config = load(file)
        except ConfigError as error:
            assert error.details
        else:
            assert make_plan(config, 1).units


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        text = text[:start] + draw(st.sampled_from(["", *SCRAPS])) + text[end:]
    return text


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_a_mutated_file_is_survived(text: str) -> None:
    """Cut, replaced and stuffed anywhere, the file loads or is refused with details."""
    survives(text)


words = st.sampled_from(
    ["", "x", "web", "${port}", "${web.url}", "${", "no", "TERM", "1s", "/", "(", "\0", "a 'b"]
)
scalars = st.one_of(words, st.integers(-2, 70000), st.booleans(), st.floats(), st.dates())
names = st.sampled_from(["web", "a-b", "a_b", "base", "port", "env", "", "a.b", "m", "9"])
known = st.sampled_from(sorted({*keys.SERVICE, *keys.STACK, *NAMED_POOL, *READY, *keys.BACKOFF, *keys.STOP}))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(known | names, inner, max_size=4)),
)
tables = st.dictionaries(known, values, max_size=6)
documents = st.fixed_dictionaries(
    {"services": st.dictionaries(names, tables, max_size=4)}, optional={"stack": tables, "defaults": tables}
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_known_keys_with_any_values_are_survived(document: dict[str, Any]) -> None:
    """Every type under every key."""
    survives(tomli_w.dumps(document))


@given(st.text(max_size=200))
def test_any_text_is_a_file(text: str) -> None:
    """Noise."""
    survives(text)

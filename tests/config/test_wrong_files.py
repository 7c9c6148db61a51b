"""What is wrong with a services.toml is said with line, key and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.load import load
from supervisor.errors import ConfigError, ExitCode

WEB = '[services.web]\ncommand = "x"\npool = { offset = 0, size = 2 }\n'
"""Three lines that are right; what comes after them begins on line 4."""

WRONG = [
    # text, line, key, a piece of the message, a piece of the hint
    ("", 1, "services", "no services", "[services.NAME]"),
    ("[services]", 1, "services", "no services", "[services.NAME]"),
    ("services = 3", 1, "services", "must be a table, not an integer", ""),
    (WEB + "[service.x]", 4, "service", "unknown key", '"services"'),
    (WEB + "[services]\nx = 1", 5, "services.x", "must be a table", ""),
    ("stack = 1\n" + WEB, 1, "stack", "must be a table", ""),
    (WEB + "[stack]\nname = '../x'", 5, "stack.name", "not a stack's name", "letters"),
    (WEB + "[stack]\nbase_prt = 1", 5, "stack.base_prt", "unknown key", '"base_port"'),
    (WEB + "[stack]\nbase_port = 0", 5, "stack.base_port", "between 1 and 65535", ""),
    (WEB + "[stack]\nbase_port = '6000'", 5, "stack.base_port", "must be an integer, not a string", ""),
    (WEB + "[stack]\nbase_port = true", 5, "stack.base_port", "must be an integer, not a boolean", ""),
    (WEB + "[stack]\n\nbase_port = 65500", 6, "stack.base_port", "would run past port 65535", "65536"),
    (WEB + "[stack]\nstride = 60000", 5, "stack.stride", "would run past port 65535", "65536"),
    (WEB + "[stack]\nenv_files = '.env'", 5, "stack.env_files", "array of strings", '["…"]'),
    (WEB + "[stack]\nenv_files = ['no.env']", 5, "stack.env_files", "no.env: no such file", "relative"),
    (WEB + "restrat = 'no'", 4, "services.web.restrat", "unknown key", '"restart"'),
    (
        WEB + "restart = 'onfailure'",
        4,
        "services.web.restart",
        '"no", "on-failure" or "always"',
        '"on-failure"',
    ),
    (WEB + "restart = false", 4, "services.web.restart", '"no", "on-failure" or "always"', ""),
    (WEB + "shield = 'port'", 4, "services.web.shield", '"tree", "lock" or "off"', ""),
    (WEB + "on_lost = []", 4, "services.web.on_lost", '"stop" or "rotate"', ""),
    (WEB + "shell = 1", 4, "services.web.shell", "true or false", ""),
    (WEB + "socket = 1", 4, "services.web.socket", "true or false", ""),
    ("[services.job]\ncommand = 'x'\nsocket = true", 3, "services.job.socket", "has no main pool", "pool"),
    (
        "[services.a]\ncommand='x'\nsocket = true\npools.admin = { offset = 3, size = 1 }",
        3,
        "services.a.socket",
        "has no main pool",
        "",
    ),
    (WEB + "socket = true\nready = { tcp = true }", 5, "services.web.ready.tcp", "itself listens", "http"),
    (WEB + "socket = true\nenv = { LISTEN_PID = '1' }", 5, "services.web.env.LISTEN_PID", "", "to portsup"),
    (WEB + "env = { A = '${port_fd}' }", 4, "services.web.env.A", '"web" gets no socket', "socket = true"),
    (WEB + "cwd = 1", 4, "services.web.cwd", "must be a string", ""),
    (WEB + "cwd = '${env:HOME}/x'", 4, "services.web.cwd", "isn't filled in", "the path itself"),
    (WEB + "port = 8000", 4, "services.web.port", "unknown key", "pool = { ports = [8000] }"),
    (WEB + "ports = [8000]", 4, "services.web.ports", "unknown key", "pool = { ports = [8000] }"),
    ("[defaults]\nport = 8000\n" + WEB, 2, "defaults.port", "unknown key", "pool = { ports = [8000] }"),
    (WEB + "port_env = ''", 4, "services.web.port_env", "not a variable's name", "letters"),
    (WEB + "port_env = 'MY PORT'", 4, "services.web.port_env", "not a variable's name", "letters"),
    (WEB + "port_env = 'HOST'", 4, "services.web.port_env", "portsup's own", ""),
    ("[services.web]\ncwd = '.'", 1, "services.web", "has no command", "command"),
    ("[services.web]\n\ncommand = ''", 3, "services.web.command", "is empty", "program"),
    ("[services.web]\ncommand = []", 2, "services.web.command", "is empty", "program"),
    ("[services.web]\ncommand = 3", 2, "services.web.command", "string or an array", ""),
    ("[services.web]\ncommand = ['a', 3]", 2, "services.web.command", "must be a string, not an integer", ""),
    ('[services.web]\ncommand = "a \\u0000"', 2, "services.web.command", "NUL", ""),
    ('[services.web]\ncommand = "a \'b"', 2, "services.web.command", "no closing quotation", ""),
    ("[services.web]\ncommand = ['a']\nshell = true", 2, "services.web.command", "shell = true", "list"),
    ("[services.2web]\ncommand = 'x'", 1, "services.2web", "not a service's name", "begins with a letter"),
    ('[services."a.b"]\ncommand = "x"', 1, 'services."a.b"', "not a service's name", "letters"),
    (WEB + "[services.WEB]\ncommand = 'x'", 4, "services.WEB", "PORTSUP_WEB_PORT", "another name"),
    ("[services.a-b]\ncommand='x'\n[services.a_b]\ncommand='x'", 3, "services.a_b", "PORTSUP_A_B_PORT", ""),
    ("[services.base]\ncommand = 'x'", 1, "services.base", "PORTSUP_BASE_PORT", "another name"),
    # env
    (WEB + "env = 'A=1'", 4, "services.web.env", "must be a table", ""),
    (WEB + "[services.web.env]\nA = true", 5, "services.web.env.A", "not a boolean", "quotes"),
    (
        WEB + "[services.web.env]\n'A=B' = '1'",
        5,
        'services.web.env."A=B"',
        "not a variable's name",
        "letters",
    ),
    (WEB + "[services.web.env]\n'bad name' = '1'", 5, 'services.web.env."bad name"', "not a variable's", ""),
    (WEB + "[services.web.env]\n'' = '1'", 5, 'services.web.env.""', "not a variable's name", ""),
    (WEB + "[services.web.env]\n2A = '1'", 5, "services.web.env.2A", "not a variable's name", "no digit"),
    (WEB + '[services.web.env]\nA = "\\u0000"', 5, "services.web.env.A", "NUL", ""),
    (WEB + "[defaults.env]\nA = []", 5, "defaults.env.A", "not an array", "quotes"),
    # pools
    (WEB + "pools.port = { offset = 5, size = 1 }", 4, "services.web.pools.port", "can't be called", "pool"),
    (WEB + "pools.9 = { offset = 5, size = 1 }", 4, "services.web.pools.9", "not a pool's name", "letter"),
    (WEB + 'env = { PORT = "1" }', 4, "services.web.env.PORT", "carries the service's own port", ""),
    (WEB + 'env = { PORTSUP_X = "1" }', 4, "services.web.env.PORTSUP_X", "is portsup's to set", ""),
    (WEB + "ready = { tcp = true, timeout = 0 }", 4, "services.web.ready.timeout", "no time", ""),
    (WEB + "pools.m = { offset = 5 }", 4, "services.web.pools.m", "is incomplete", "offset = 0, size = 3"),
    (WEB + "pools.m = {}", 4, "services.web.pools.m", "is incomplete", "ports = "),
    (WEB + "pools.m = { ports = [9000], size = 1 }", 4, "services.web.pools.m", "beside", "either"),
    (WEB + "pools.m = { ports = [] }", 4, "services.web.pools.m.ports", "is empty", ""),
    (WEB + "pools.m = { ports = [9000, 9000] }", 4, "services.web.pools.m.ports", "twice", ""),
    (WEB + "pools.m = { ports = [65536] }", 4, "services.web.pools.m.ports", "between 1 and 65535", ""),
    (WEB + "pools.m = { offset = -1, size = 1 }", 4, "services.web.pools.m.offset", "between 0", ""),
    (WEB + "pools.m = { offset = 5, size = 0 }", 4, "services.web.pools.m.size", "between 1", ""),
    (WEB + "pools.m = { offset = 5, sise = 1 }", 4, "services.web.pools.m.sise", "unknown key", '"size"'),
    (
        WEB + "pools.m = { offset = 98, size = 3 }",
        4,
        "services.web.pools.m",
        "past the instance's stride",
        "100",
    ),
    (
        WEB + "pools.m = { offset = 1, size = 4 }",
        4,
        "services.web.pools.m",
        "at offset 1",
        "offset = 5 is free",
    ),
    (WEB + "pools.m = { ports = [6001] }", 4, "services.web.pools.m", "of instance 1 at port 6001", ""),
    (
        WEB + "pools.m = { offset = 5, size = 1, env = 'PORT' }",
        4,
        "services.web.pools.m",
        "PORT carries the port of services.web.pool already",
        "give it another env",
    ),
    (
        WEB + "pools.m = { offset = 5, size = 1 }\nport_env = 'M_PORT'",
        4,
        "services.web.pools.m",
        "M_PORT carries the port of services.web.pool already",
        "give it an env",
    ),
    (
        WEB + "pools.m = { offset = 5, size = 1, env = 'MY PORT' }",
        4,
        "services.web.pools.m.env",
        "not a variable's name",
        "letters",
    ),
    (
        WEB + "pools.portsup-x = { offset = 5, size = 1 }",
        4,
        "services.web.pools.portsup-x",
        "PORTSUP_X_PORT",
        "",
    ),
    (
        WEB + "[services.b]\ncommand='x'\npool = { offset = 1, size = 1 }",
        6,
        "services.b.pool",
        "overlaps services.web.pool",
        "offset = 2",
    ),
    (
        "[services.a]\ncommand='x'\npool={ports=[9000, 9001]}\npools.m={ports=[9001]}",
        4,
        "services.a.pools.m",
        "port 9001",
        "",
    ),
    (
        "[defaults]\npool = { offset = 0, size = 1 }\n[services.a]\ncommand='x'\n[services.b]\ncommand='x'",
        2,
        "defaults.pool",
        "overlaps services.a.pool",
        "offset = 1",
    ),
    (
        "[defaults]\nready = { tcp = true }\n[services.job]\ncommand='x'",
        2,
        "defaults.ready.tcp",
        '"job" has no pool',
        "",
    ),
    # depends_on
    (WEB + "depends_on = 'x'", 4, "services.web.depends_on", "array of strings", ""),
    (WEB + "depends_on = ['web']", 4, "services.web.depends_on", "on itself", ""),
    (WEB + "[services.b]\ncommand='x'\ndepends_on = ['wbe']", 6, "services.b.depends_on", '"wbe"', '"web"'),
    (
        WEB + "depends_on = ['b']\n[services.b]\ncommand='x'\ndepends_on = ['web']",
        4,
        "services.web.depends_on",
        "web -> b -> web",
        "",
    ),
    # ready, backoff, stop
    (WEB + "ready = true", 4, "services.web.ready", "must be a table", ""),
    (WEB + "ready = {}", 4, "services.web.ready", "exactly one", ""),
    (WEB + "ready = { htp = '/' }", 4, "services.web.ready.htp", "unknown key", '"http"'),
    (WEB + "ready = { timeout = 1 }", 4, "services.web.ready", "exactly one", ""),
    (WEB + "ready = { tcp = true, notify = true }", 4, "services.web.ready", "exactly one", ""),
    (WEB + "ready = { tcp = false }", 4, "services.web.ready.tcp", "can only be true", "leave"),
    (WEB + "ready = { http = 'health' }", 4, "services.web.ready.http", "not a path", "/health"),
    (WEB + "ready = { http = '/a b' }", 4, "services.web.ready.http", "not a path", "%20"),
    (WEB + "ready = { log = '(' }", 4, "services.web.ready.log", "not a regular expression", ""),
    (WEB + "ready = { log = 'a{99999999999999999999}' }", 4, "services.web.ready.log", "not a regular", ""),
    (WEB + "ready = { log = '(?a)(?u)x' }", 4, "services.web.ready.log", "flags are incompatible", ""),
    (WEB + "ready = { exec = '' }", 4, "services.web.ready.exec", "is empty", ""),
    (
        WEB + "ready = { tcp = true, timeout = '1 day' }",
        4,
        "services.web.ready.timeout",
        "not a duration",
        "500ms",
    ),
    (
        "[services.job]\ncommand='x'\nready = { tcp = true }",
        3,
        "services.job.ready.tcp",
        "no pool",
        "add a pool",
    ),
    (WEB + "backoff = { initial = -1 }", 4, "services.web.backoff.initial", "is negative", "10s"),
    (WEB + "backoff = { initial = '1h' }", 4, "services.web.backoff", "longer than max", "30s"),
    (WEB + "backoff = { factor = 0.5 }", 4, "services.web.backoff.factor", "between 1 and 1000", ""),
    (WEB + "backoff = { limit = '5' }", 4, "services.web.backoff.limit", "must be an integer", ""),
    (WEB + "log = 5", 4, "services.web.log", "must be a table", ""),
    (WEB + "log = { max_size = '10' }", 4, "services.web.log.max_size", "not a size", "10MB"),
    (WEB + "log = { max_size = 5 }", 4, "services.web.log.max_size", "between 64KB and 1000GB", ""),
    (WEB + "log = { files = 0 }", 4, "services.web.log.files", "between 1 and 100", ""),
    (WEB + "[defaults.backoff]\nmax = 'x'", 5, "defaults.backoff.max", "not a duration", ""),
    (WEB + "stop = { signal = 'TREM' }", 4, "services.web.stop.signal", "not a signal", '"TERM"'),
    (WEB + "stop = { signal = 0 }", 4, "services.web.stop.signal", "not a signal", "number"),
    (WEB + "stop = { mode = 'all' }", 4, "services.web.stop.mode", '"tree", "group" or "process"', ""),
    ("[defaults]\nrestart = 'x'\n" + WEB + "restart = 'no'", 2, "defaults.restart", "must be", ""),
    ("defaults = 1\n" + WEB, 1, "defaults", "must be a table", ""),
    # ${…}
    (WEB + "env = { A = '${wbe.port}' }", 4, "services.web.env.A", 'no service "wbe"', "${web.port}"),
    (WEB + "env = { A = '${web.metrics.port}' }", 4, "services.web.env.A", 'no pool "metrics"', ""),
    (WEB + "env = { A = '${web.prt}' }", 4, "services.web.env.A", "${web.prt} is unknown", "${web.port}"),
    (WEB + "env = { A = '${instanse}' }", 4, "services.web.env.A", "unknown", "${instance}"),
    (WEB + "env = { A = '${HOME}' }", 4, "services.web.env.A", "unknown", "${env:HOME}"),
    (WEB + "env = { A = '${env:}' }", 4, "services.web.env.A", "no variable", "${env:NAME}"),
    (WEB + "env = { A = 'a ${port' }", 4, "services.web.env.A", "never closed", "$$"),
    (WEB + "ready = { http = '/${x}' }", 4, "services.web.ready.http", "${x} is unknown", ""),
    (WEB + "ready = { exec = ['a', '${x}'] }", 4, "services.web.ready.exec", "${x} is unknown", ""),
    ("[services.job]\ncommand = 'x ${port}'", 2, "services.job.command", "no pool of its own", ""),
    (
        WEB + "[services.job]\ncommand = ['${web.url}', '${job.url}']",
        5,
        "services.job.command",
        '"job" has no main pool',
        "",
    ),
    (WEB + "[defaults.env]\nA = '${x}'", 5, "defaults.env.A", "${x} is unknown", ""),
]


def errors(folder: Path, text: str) -> ConfigError:
    file = folder / "services.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.exit_code == ExitCode.CONFIG
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"), WRONG, ids=[f"{row[2]}: {row[3]}" for row in WRONG]
)
def test_one_error_with_line_key_and_hint(
    tmp_path: Path, text: str, line: int, key: str, message: str, hint: str
) -> None:
    """Each wrong file gives one error, which names the place, the fault and what would be right."""
    error = errors(tmp_path, text)
    assert error.message == "services.toml has an error"
    (detail,) = error.details
    assert detail.startswith(f"{tmp_path}/services.toml:{line}: {key}: ")
    assert message in detail
    assert hint in detail


def test_a_hint_stands_in_brackets(tmp_path: Path) -> None:
    """The whole line as a person reads it."""
    (detail,) = errors(tmp_path, WEB + "restrat = 'no'").details
    assert (
        detail == f'{tmp_path}/services.toml:4: services.web.restrat: unknown key (did you mean "restart"?)'
    )


def test_all_errors_are_shown_at_once_in_the_files_order(tmp_path: Path) -> None:
    """Independent faults in one file, each once, and nothing that only follows from another."""
    text = """\
[defaults]
restart = "sometimes"
[services.web]
command = "x"
pool = { offset = "0", size = 2 }
ready = { http = "/${web.port}" }
[services.b]
comand = "x"
depends_on = ["web", "wep"]
env = { A = "${web.port} ${web.x.port}" }
stop = { signal = 0, timeout = "1" }
"""
    error = errors(tmp_path, text)
    places = [
        ":".join(detail.removeprefix(f"{tmp_path}/services.toml:").split(":")[:2]) for detail in error.details
    ]
    assert error.message == "services.toml has 8 errors"
    assert places == [
        "2: defaults.restart",
        "5: services.web.pool.offset",
        "7: services.b",
        "8: services.b.comand",
        "9: services.b.depends_on",
        "10: services.b.env.A",
        "11: services.b.stop.signal",
        "11: services.b.stop.timeout",
    ]


def test_an_error_in_an_env_file_names_that_file(tmp_path: Path) -> None:
    """Its own line, and not its content, which may be a secret."""
    (tmp_path / ".env").write_text("A=1\nsecret words here\nB=\n\n \nsecret\nexport secret\n")
    details = errors(tmp_path, WEB + "[stack]\nenv_files = ['.env']").details
    said = "stack.env_files: is not a line of the form NAME=value"
    assert details == tuple(f"{tmp_path}/.env:{line}: {said}" for line in (2, 6, 7))


def test_windows_line_ends_in_an_env_file_count_once(tmp_path: Path) -> None:
    """Also behind a line that is wrong."""
    (tmp_path / ".env").write_bytes(b"=\r\nA=1\r\n=\r\n")
    details = errors(tmp_path, WEB + "[stack]\nenv_files = ['.env']").details
    assert [detail.split(":")[1] for detail in details] == ["1", "3"]


def test_a_secret_in_env_is_not_shown(tmp_path: Path) -> None:
    """A password that happens to hold ${ doesn't reach the terminal."""
    for value in ("s3cret${", "x${s3cret!}", "x${a s3cret}"):
        error = errors(tmp_path, WEB + f"env = {{ PASSWORD = '{value}' }}")
        assert "s3cret" not in "".join(error.details)


def test_two_cycles_are_both_shown(tmp_path: Path) -> None:
    """Each begins with the service that comes first in the file."""
    needs = {"a": "b", "b": "c", "c": "b", "d": "e", "e": "d"}
    text = "".join(f"[services.{name}]\ncommand='x'\ndepends_on=['{need}']\n" for name, need in needs.items())
    details = errors(tmp_path, text).details
    assert [detail.split("cycle: ")[1] for detail in details] == ["b -> c -> b", "d -> e -> d"]

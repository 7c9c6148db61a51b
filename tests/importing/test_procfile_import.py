"""Procfile → services.toml."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import loaded, service, told

from supervisor.config.model import RelativePool
from supervisor.errors import ConfigError
from supervisor.importing.procfile import read_procfile


def read(*lines: str) -> tuple[tuple[str, ...], int | None]:
    """Command, and number in instance 1, of the last line's service."""
    config = loaded(read_procfile("\n".join(lines), "Procfile"))
    last = config.services[-1]
    pool = last.pools[0] if last.pools else None
    return last.command, config.base_port + pool.offset if isinstance(pool, RelativePool) else None


@pytest.mark.parametrize(
    ("line", "command", "port"),
    [
        ("web: node server.js", ["node", "server.js"], 5000),
        ("web: gunicorn a:b --bind 0.0.0.0:$PORT", ["gunicorn", "a:b", "--bind", "0.0.0.0:${port}"], 5000),
        ("web: rails s -p ${PORT:-3000}", ["rails", "s", "-p", "${port}"], 3000),
        ("web: rails s -p 3000", ["rails", "s", "-p", "${port}"], 3000),
        ("api: serve --port=8080", ["serve", "--port=${port}"], 8080),
        ("api: serve -port 8080", ["serve", "-port", "${port}"], 8080),
        ("api: puma -b tcp://0.0.0.0:9292", ["puma", "-b", "tcp://0.0.0.0:${port}"], 9292),
        ("api: php -S localhost:8000 -t public", ["php", "-S", "localhost:${port}", "-t", "public"], 8000),
        ("api: PORT=4000 node api.js", ["node", "api.js"], 4000),
        ("api: python manage.py runserver", ["python", "manage.py", "runserver", "${port}"], 8000),
        ("api: manage.py runserver 0.0.0.0:8001", ["manage.py", "runserver", "0.0.0.0:${port}"], 8001),
        ("ui: vite", ["vite", "--port", "${port}", "--strictPort"], 5173),
        ("ui: vite build --watch", ["vite", "build", "--watch"], None),
        ("job: worker -c 5 -l 20", ["worker", "-c", "5", "-l", "20"], None),
        ("db: psql -p 5432", ["psql", "-p", "5432"], None),
        ("job: sleep 3000", ["sleep", "3000"], None),
        ("job: echo '${HOME} $${x}'", ["echo", "$${HOME} $$$${x}"], None),
    ],
)
def test_ports_named_in_commands(line: str, command: list[str], port: int | None) -> None:
    """Whatever the option, the port becomes the pool's; a number that is none stays."""
    assert read(line) == (tuple(command), port)


@pytest.mark.parametrize(
    ("lines", "firsts"),
    [
        (["web: x", "api: y --port 8000"], [8010, 8000]),
        (["web: x", "worker: y"], [5000]),
        (["api: x $PORT", "web: y $PORT"], [5010, 5000]),
    ],
)
def test_foremans_number(lines: list[str], firsts: list[int]) -> None:
    """`web` is on 5000 unless another line names a number."""
    config = loaded(read_procfile("\n".join(lines), "Procfile"))
    pools = [pool for one in config.services for pool in one.pools]
    assert [config.base_port + pool.offset for pool in pools if isinstance(pool, RelativePool)] == firsts


def test_a_port_that_can_not_be_told() -> None:
    """An option behind the line would be the last command's."""
    draft = read_procfile("ui: vite & tail -f log", "Procfile")
    assert loaded(draft).services[0].command == ("vite & tail -f log",)
    assert told(draft) == "Procfile:1: ui: nothing here tells it its port: it must listen on $PORT"


def test_a_neighbour_is_named() -> None:
    """Its address in another line follows its port."""
    command, _ = read("web: rails s -p 3000", "hook: stripe listen --forward-to localhost:3000/hook")
    assert command[-1] == "localhost:${web.port}/hook"


def test_env_and_folder_come_out() -> None:
    """`cd x && A=1 y` needs no shell."""
    config = loaded(read_procfile("a: cd src && MODE='x y' run $PORT\nb: x && y", "Procfile"))
    a, b = config.services
    assert a.cwd.name == "src" and a.env == {"MODE": "x y"} and a.command == ("run", "${port}")
    assert b.shell and b.command == ("x && y",)


def test_one_off_lines_are_comments() -> None:
    """release and console are told of, and not started."""
    draft = read_procfile("release: migrate\nweb: x\nconsole: y", "Procfile")
    assert [one.name for one in loaded(draft).services] == ["web"]
    assert "release: written as a comment: no service: Heroku runs it before a release" in told(draft)


def test_illegal_names_and_twins() -> None:
    """Each gets a name and variables of its own, and the old name stays as a comment."""
    draft = read_procfile("api.v1: a\napi-v1: b\n2nd: c\nbase: d\nweb_x: e\nweb-x: f", "Procfile")
    names = [one.name for one in loaded(draft).services]
    assert names == ["api-v1", "api-v1-2", "service-2nd", "base-2", "web_x", "web-x-2"]
    assert draft.services[0].remarks == ['"api.v1" in Procfile']


def test_the_last_of_two_lines_counts() -> None:
    """As with foreman, and the first is told of."""
    draft = read_procfile("web: a\nweb: b", "Procfile")
    assert loaded(draft).services[0].command == ("b",)
    assert told(draft) == "Procfile:1: web: there is a later line of that name"


def test_other_lines_are_listed() -> None:
    """With their number, and without what they say, which may be secret."""
    draft = read_procfile("web: a\n\n# note\npassword=hunter2\n", "Procfile")
    assert told(draft) == "Procfile:4: not of the form `name: command`"


@pytest.mark.parametrize("text", ["", "# nothing\n", "x y z\n"])
def test_nothing_in_it(text: str) -> None:
    """An error that says what lines look like."""
    with pytest.raises(ConfigError, match="names no process"):
        read_procfile(text, "Procfile")


def test_nul() -> None:
    """Its line is named."""
    with pytest.raises(ConfigError) as caught:
        read_procfile("web: a\nb: c\0d", "Procfile")
    assert caught.value.details == ("Procfile:2: a NUL character",)


COMMANDS = st.lists(
    st.sampled_from(
        [
            *(
                "cd x &&",
                "A=1",
                "PORT=3000",
                "PORTSUP_A=1",
                "HOST=x",
                "exec",
                "vite",
                "-p",
                "8000",
                "--port=90",
            ),
            *(
                "$PORT",
                "${PORT:-99999}",
                "${X}",
                "$$",
                "${",
                "'",
                '"',
                "\\",
                "&&",
                "|",
                "#",
                "localhost:8000",
            ),
            *("uvicorn", "0.0.0.0:8000", "http://127.0.0.1:3000/", "\u2028", "é", "flask run", "99999"),
        ]
    )
    | st.text(max_size=5),
    min_size=1,
    max_size=6,
).map(" ".join)
NAMES = st.sampled_from(["web", "Web", "release", "a.b", "a-b", "a_b", "base", "9", "-", "stack"]) | st.text(
    alphabet="abAB01-_.+@", min_size=1, max_size=70
)


@given(st.lists(st.tuples(NAMES, COMMANDS), max_size=8))
def test_whatever_it_says_the_result_loads(lines: list[tuple[str, str]]) -> None:
    """Or it is an error with words."""
    text = "\n".join(f"{name}: {command}" for name, command in lines)
    try:
        draft = read_procfile(text, "Procfile")
    except ConfigError:
        return
    if draft.live:
        config = loaded(draft)
        assert [one.name for one in config.services] == [one.name for one in draft.live]
        assert service(config, draft.live[0].name).command

"""A compose file → services.toml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import loaded, service, told

from supervisor.config.model import Config, ReadyKind, Restart, Service
from supervisor.errors import ConfigError
from supervisor.importing.compose import read_compose
from supervisor.importing.dockerfile import read_dockerfile
from supervisor.importing.draft import Draft


def read(text: str, files: dict[str, str] | None = None, **dotenv: str) -> Draft:
    return read_compose(text, "compose.yaml", dotenv, (files or {}).get)


def config_of(draft: Draft, **dotenv: str) -> Config:
    files = {name: "".join(f"{key}={value}\n" for key, value in dotenv.items()) for name in draft.env_files}
    return loaded(draft, files)


@pytest.mark.parametrize(
    ("target", "command"), [("", "last"), ("build", "first"), ("dev", "first"), ("none", "last")]
)
def test_a_stage_of_a_dockerfile(target: str, command: str) -> None:
    """The one that is named, with what it has from the stage that it is made from."""
    text = "FROM a AS build\nCMD first\nFROM build as dev\nRUN x\nFROM --platform=x b\nCMD last\n"
    made = read_dockerfile(text, target or None)
    assert made.cmd == command


def only(keys: str, **dotenv: str) -> Service:
    """The service that these keys make, beside a database."""
    lines = "\n".join(f"    {line}" for line in keys.strip().splitlines())
    text = f"services:\n  web:\n    build: .\n{lines}\n  db:\n    image: postgres:16\n"
    return service(config_of(read(text, None, **dotenv), **dotenv), "web")


def offset(one: Service, pool: int = 0) -> int:
    return one.pools[pool].offset  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        ("command: run --port 8000\nports: ['8080:8000']", "run --port ${port}"),
        ("command: [run, --port, '8000']\nports: ['8000']", "run --port ${port}"),
        ("command: run\nentrypoint: [tini, --]", "tini -- run"),
        ("entrypoint: python app.py\ncommand: ['a b']", "python app.py|a b"),
        ("command: serve 8000 9000\nports: [8000, 9000]", "serve ${port} ${web.port-9000.port}"),
        ("command: wait-for db:5432 -- run", "wait-for 127.0.0.1:${db.port} -- run"),
        ("command: run $$HOME ${X:-a b} ${Y:+no}", "run $HOME a b"),
        ("command: uvicorn main:app", "uvicorn main:app"),
    ],
)
def test_commands(keys: str, command: str) -> None:
    """As string, list and entrypoint; ports and addresses are those of this machine."""
    assert list(only(keys).command) == [w for part in command.split("|") for w in _words(part, command)]


def _words(part: str, command: str) -> list[str]:
    return [part] if "|" in command and part == "a b" else part.split(" ")


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("URL: postgres://u:p@db:5432/x", "postgres://u:p@127.0.0.1:${db.port}/x"),
        ("URL: postgres://u:p@db/x", "postgres://u:p@127.0.0.1:${db.port}/x"),
        ("DB_HOST: db", "127.0.0.1"),
        ("DB_USER: db", "db"),
        ("DB_PORT: 5432", "${db.port}"),
        ("NAME: 'the db of x'", "the db of x"),
        ("A: 'p$$w{d $${x}'", "p$w{d $${x}"),
        ("A: ${SET}", "${env:SET}"),
        ("A: ${UNSET:-dflt}", "dflt"),
        ("A: ${SET:-dflt}", "${env:SET}"),
        ("A: ${UNSET}", "${env:UNSET}"),
        ("A: ${UNSET:-${SET}}", "${env:SET}"),
        ("A: yes", "yes"),
        ("A: 22:22", "22:22"),
        ("A: =", "="),
        ("A: 010", "010"),
        ("A: ''", ""),
    ],
)
@pytest.mark.parametrize("as_list", [False, True], ids=["map", "list"])
def test_environment(entry: str, value: str, as_list: bool) -> None:
    """Interpolated as compose does, literally otherwise; addresses become local ones."""
    name, _, text = entry.partition(": ")
    text = text.strip("'")
    keys = f"environment: [{json.dumps(f'{name}={text}')}]" if as_list else f"environment: {{{entry}}}"
    if not as_list and "{" in text:
        keys = f"environment:\n  {name}: {json.dumps(text)}"
    assert only(f"command: run\n{keys}", SET="set").env[name] == value


@pytest.mark.parametrize(
    ("port", "container", "usual"),
    [
        ("'8080:80'", 80, 8080),
        ("8080:80", 80, 8080),
        ("22:22", 22, 22),
        ("127.0.0.1:8080:80", 80, 8080),
        ("'[::1]:8080:80/tcp'", 80, 8080),
        ("3000", 3000, 3000),
        ("${P:-3001}:3000", 3000, 3001),
        ("{target: 80, published: 8080}", 80, 8080),
        ("{target: 80}", 80, 80),
    ],
)
def test_published_ports(port: str, container: int, usual: int) -> None:
    """In all their forms; none is a number to the base of 60."""
    draft = read(f"services:\n  web:\n    image: some/thing\n    ports:\n      - {port}\n")
    assert draft.services[0].ports[0].usual == usual
    command = config_of(draft).services[0].command
    assert command[command.index("-p") + 1] == f"127.0.0.1:${{port}}:{container}"


@pytest.mark.parametrize("port", ["'3000-3005:3000-3005'", "53:53/udp", "nonsense", "99999:1", "'1:99999'"])
def test_ports_that_are_none_here(port: str) -> None:
    """They are listed with their line."""
    draft = read(f"services:\n  web:\n    image: some/thing\n    ports:\n      - {port}\n")
    assert "compose.yaml:4: web: a " in told(draft) or port == "99999:1"


def test_depends_on_with_conditions() -> None:
    """A job is ready when it has ended, a healthcheck becomes ready, a list is a list."""
    config = config_of(
        read("""
services:
  web: {build: ., command: web, depends_on: {job: {condition: service_completed_successfully},
        db: {condition: service_healthy}}}
  job: {build: ., command: migrate, depends_on: [db]}
  db:
    image: postgres
    healthcheck: {test: [CMD, pg_isready], interval: 20s, retries: 5}
""")
    )
    assert set(service(config, "web").depends_on) == {"job", "db"}
    job, db = service(config, "job"), service(config, "db")
    assert job.ready.kind is ReadyKind.LOG and job.restart is Restart.NO
    assert db.ready.command == ("docker", "exec", "${stack}-${instance}-db", "pg_isready")
    assert db.ready.timeout == 100


@pytest.mark.parametrize(
    ("test", "kind", "what"),
    [
        ("[CMD, curl, -f, 'http://localhost:8000/health']", ReadyKind.HTTP, "/health"),
        ("curl --fail -s http://127.0.0.1:8000 || exit 1", ReadyKind.HTTP, "/"),
        ("[CMD-SHELL, 'wget -qO- http://localhost:8000/up > /dev/null']", ReadyKind.HTTP, "/up"),
        ("curl -f http://localhost:9999/", ReadyKind.EXEC, "sh -c curl -f http://localhost:9999/"),
        ("[CMD, ./ok, 'a b']", ReadyKind.EXEC, "./ok a b"),
        ("[CMD, nc, -z, localhost, '8000']", ReadyKind.EXEC, "nc -z localhost ${port}"),
        ("[NONE]", ReadyKind.SPAWNED, ""),
    ],
)
def test_healthchecks(test: str, kind: ReadyKind, what: str) -> None:
    """What asks for a page becomes http, anything else exec."""
    one = only(f"command: serve --port 8000\nports: [8000]\nhealthcheck:\n  test: {test}")
    assert one.ready.kind is kind
    assert (one.ready.path if kind is ReadyKind.HTTP else " ".join(one.ready.command)) == what


def test_merges_and_anchors() -> None:
    """What is written in a service wins over what is merged in."""
    config = config_of(
        read("""
x-base: &base {restart: always, build: ., environment: &env {A: 1, B: 2}}
services:
  a: {<<: *base, command: run}
  b: {<<: [*base], command: run, restart: 'no', environment: {<<: *env, B: 3}}
""")
    )
    a, b = config.services
    assert (a.restart, a.env) == (Restart.ALWAYS, {"A": "1", "B": "2"})
    assert (b.restart, b.env) == (Restart.NO, {"A": "1", "B": "3"})


def test_restart_stop_and_folder() -> None:
    """on-failure:3, stop_signal, stop_grace_period, and where a mount says that the code lies."""
    one = only("""
command: run
restart: on-failure:3
stop_signal: SIGINT
stop_grace_period: 1m30s
working_dir: /app/sub
volumes: ["./src:/app"]
""")
    assert (one.restart, one.backoff.limit) == (Restart.ON_FAILURE, 3)
    assert (one.stop.signal, one.stop.timeout) == (2, 90)
    assert one.cwd.parts[-2:] == ("src", "sub")


def test_an_image_is_run_by_docker() -> None:
    """With its port, volumes of the instance's own, and variables that no process list shows."""
    draft = read("""
services:
  db:
    image: postgres:16
    command: -c fsync=off
    user: postgres
    environment: {POSTGRES_PASSWORD: hunter2, a.b: c}
    volumes: ["data:/var/lib/postgresql/data", "./init:/init:ro"]
""")
    db = service(config_of(draft), "db")
    assert " ".join(db.command) == (
        "docker run --rm --init --name ${stack}-${instance}-db -p 127.0.0.1:${port}:5432 "
        "-e POSTGRES_PASSWORD -e a.b=c -v ${stack}-${instance}-data:/var/lib/postgresql/data "
        "-v ./init:/init:ro --user postgres postgres:16 -c fsync=off"
    )
    assert db.env == {"POSTGRES_PASSWORD": "hunter2"} and db.shield == "lock"
    assert "hunter2" not in told(draft)


def test_the_variable_of_the_port() -> None:
    """A native service has it from portsup; inside a container it is the container's own."""
    one = only("command: run\nenvironment: {PORT: 4000}")
    assert "PORT" not in one.env and offset(one) == 0
    draft = read("services: {web: {image: x, ports: ['8080:80'], environment: {PORT: 80, HOST: x}}}")
    (web,) = config_of(draft).services
    assert "-e PORT=80 -e HOST=x" in " ".join(web.command) and not web.env


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("image: adminer\n    depends_on: [web]", "from inside its container it would not reach web"),
        (
            "image: x\n    environment: {U: 'http://web:80'}",
            "from inside its container it would not reach web",
        ),
        ("image: x\n    network_mode: host", "`docker run` would lack network_mode"),
        ("image: x\n    profiles: [debug]", "it has profiles, and compose starts it only when asked"),
        ("build: ./there", "its command is in no file that portsup reads"),
        (
            "build: https://example.org/x.git\n    command: run",
            "its command is in no file that portsup reads",
        ),
        ('build: .\n    command: "open \'quote"', "its command has a quote that is never closed"),
        ("build: .\n    command: /code/bin/run", "its program lies inside its image"),
        ("image: x\n    volumes: ['/var/run/docker.sock:/s']", "it watches docker's own containers"),
        ("extends: {service: web}", "it extends another service"),
    ],
)
def test_what_can_not_be_live(keys: str, why: str) -> None:
    """It is written as a comment, with the reason, and nobody depends on it."""
    text = f"services:\n  web: {{build: ., command: run, depends_on: [other]}}\n  other:\n    {keys}\n"
    draft = read(text)
    config = config_of(draft)
    assert f"other: written as a comment: {why}" in told(draft)
    assert [one.name for one in config.services] == ["web"] and not config.services[0].depends_on
    assert "web: depends_on other, which portsup doesn't run" in told(draft)


def test_a_dockerfile_knows_the_command() -> None:
    """That of its last stage, in the folder that is mounted where it works."""
    files = {"./api/Dockerfile": 'FROM a\nCMD ["no"]\nFROM b\nWORKDIR /w\nCMD flask run \\\n  --port 8000\n'}
    draft = read("services: {api: {build: ./api, ports: ['9000:8000'], volumes: ['./src:/w']}}", files)
    (api,) = config_of(draft).services
    assert api.command == ("flask", "run", "--port", "${port}") and api.cwd.name == "src"
    assert draft.services[0].ports[0].usual == 9000


def test_what_is_lost_is_listed() -> None:
    """Each with its service and line."""
    draft = read("""services:
  web:
    build: .
    command: run
    networks: [a]
    ports: ["80:80"]
    environment: {U: "http://gone:80", a.b: c}
  gone: {image: x, network_mode: host}
secrets: {}
""")
    lines = told(draft).splitlines()
    assert "compose.yaml:5: web: networks" in lines
    assert "compose.yaml:7: web: U names gone, which only docker's network knows" in lines
    assert "compose.yaml:7: web: the variable a.b: no name that services.toml takes" in lines
    assert "compose.yaml:9: the key secrets" in lines
    assert any(line.startswith("compose.yaml:6: web: nothing here tells it its port") for line in lines)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("services:\n  a: [\n", "compose.yaml:3: "),
        ("services:\n\ta: b\n", "compose.yaml:2: "),
        ("a: 1\nb: 2\na: 3\n", "compose.yaml:3: a is there twice"),
        ("services:\n  a: *nowhere\n", "compose.yaml:2: found undefined alias"),
        ("services:\n  web: run\n", "compose.yaml:2: services.web is no mapping"),
        ('services:\n  a: {image: "x\\0"}\n', "compose.yaml:2: a character that no program can be given"),
        ("a: &x [*x]\n", "compose.yaml:1: found unconstructable recursive node"),
        ("a: !!python/object:os.system x\n", "compose.yaml:1: could not determine a constructor"),
        ("? [a]\n: b\n", "compose.yaml:1: a key must be a word"),
        ("a: \x01\n", "compose.yaml:1: a character that YAML doesn't allow"),
        ("[" * 5000, "compose.yaml:1: "),
    ],
)
def test_broken_files(text: str, detail: str) -> None:
    """File and line, and no traceback."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert caught.value.details[0].startswith(detail)


def test_a_cycle_is_cut() -> None:
    """compose refuses it, and the loader would too."""
    draft = read("""
services:
  a: {build: ., command: x, depends_on: [b, a]}
  b: {build: ., command: y, depends_on: [a]}
""")
    a, b = config_of(draft).services
    assert (a.depends_on, b.depends_on) == (("b",), ())
    assert "b: depends_on a: it is a cycle" in told(draft)
    assert "a: depends_on a, which portsup doesn't run" in told(draft)


@pytest.mark.parametrize(
    ("keys", "lost"),
    [
        ("ports: 5", "ports: it has a form that compose doesn't know"),
        ("environment: {A: [b]}", "environment: it has a form that compose doesn't know"),
        ("depends_on: db", "depends_on: it has a form that compose doesn't know"),
        ("expose: ['3000-3010']", "an exposed port that is none here"),
        ("restart: on-failure:0", "how often it is restarted"),
        ("restart: sometimes", "restart"),
        ("stop_grace_period: soon", "stop_grace_period"),
        ("stop_signal: SIGNOTHING", "stop_signal"),
        ("healthcheck: {test: []}", "healthcheck"),
    ],
)
def test_odd_values_are_listed(keys: str, lost: str) -> None:
    """With their line."""
    draft = read(f"services:\n  web:\n    build: .\n    command: run\n    {keys}\n")
    config_of(draft)
    assert f"compose.yaml:5: web: {lost}" in told(draft).splitlines()


def test_a_service_without_a_name() -> None:
    """It gets one."""
    (one,) = config_of(read("services: {'': {build: ., command: run, environment: ['x=:80']}}")).services
    assert one.name == "service"


@pytest.mark.parametrize("text", ["", "a: b", "services:", "services: {}", "- a", "services: [a]"])
def test_no_services(text: str) -> None:
    """A file of another kind is told so."""
    with pytest.raises(ConfigError, match="names no services"):
        read(text)


def test_many_aliases_cost_nothing() -> None:
    """Each level names the one before ten times."""
    levels = ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 20))]
    draft = read("\n".join(levels) + "\nservices: {web: {build: ., command: run, environment: *a19}}")
    assert len(config_of(draft).services) == 1


WORDS = st.sampled_from(
    [
        *("a", "b c", "db", "db:5432", "http://b:80/", "$X", "${X", "${X:-y}", "${a:-${b}}", "$$", "80", "'"),
        *("8000:80", "99999", "1-2", "sh -c 'x'", "on-failure:0", "always", "SIGTERM", "1m", "./x:/y", "A=1"),
        *("PORT=80", "PORTSUP_X=1", "HOST=x", "${PORT}", "uvicorn x", "vite", "x=${", "\u2028", "é", "0", ""),
    ]
)
VALUES = st.recursive(
    st.none() | WORDS | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            WORDS | st.sampled_from(["condition", "test", "target", "path", "context"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("command", "entrypoint", "build", "image", "environment", "env_file", "ports", "expose", "volumes"),
        *(
            "depends_on",
            "healthcheck",
            "restart",
            "working_dir",
            "profiles",
            "stop_signal",
            "user",
            "networks",
        ),
        *("stop_grace_period", "container_name", "hostname", "extends", "x-y"),
    ]
)
SERVICES = st.dictionaries(
    st.sampled_from(["a", "b", "db", "A", "a.b", "a_b", "base", "web"]) | st.text(max_size=5),
    st.fixed_dictionaries(
        {"build": st.just("."), "command": WORDS},
        optional={"ports": st.lists(WORDS), "environment": st.lists(WORDS)},
    )
    | st.dictionaries(KEYS, VALUES, max_size=6),
    max_size=4,
)


@given(SERVICES, st.dictionaries(st.sampled_from(["X", "PORT", "a"]), WORDS, max_size=2))
def test_whatever_it_says_the_result_loads(services: dict[str, Any], dotenv: dict[str, str]) -> None:
    """Or it is an error with words."""
    try:
        draft = read_compose(json.dumps({"services": services}), "compose.yaml", dotenv, lambda _: None)
    except ConfigError:
        return
    draft.env_files.clear()
    if draft.live:
        config = loaded(draft)
        assert [one.name for one in config.services] == [one.name for one in draft.live]

"""What a unit is started with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from supervisor.config.interpolate import names
from supervisor.config.model import Config, Ready, ReadyKind, RelativePool, Service, SharedPool
from supervisor.errors import ConfigError
from supervisor.plan.plan import Claimed, Launch, Plan, instance_variables, launch, make_common, make_plan

WEB = Service(
    "web-1",
    ("serve", "--port", "${port}", "${web-1.metrics.url}", "$$HOME $HOME"),
    cwd=Path("/w/web"),
    pools=(RelativePool("port", "WEB", 0, 2), SharedPool("metrics", "METRICS_PORT", (9000,))),
    ready=Ready(ReadyKind.HTTP, path="/${instance}", timeout=3),
)
JOB = Service("job", ("work",), env={"TO": "${web-1.url}", "HOME_DIR": "${env:HOME}"})
CLAIMED = {"web-1": {"port": 6101, "metrics": 9000}, "job": {}}
DATA = Path("/data dir")


def plan(*services: Service, env: Mapping[str, str] | None = None) -> Plan:
    return make_plan(Config(Path("/w/services.toml"), "stack", 6000, 100, env or {}, services), 2)


def start(
    service: Service,
    environ: Mapping[str, str],
    *,
    claimed: Claimed = CLAIMED,
    env: Mapping[str, str] | None = None,
) -> Launch:
    made = plan(*({WEB.name: WEB, JOB.name: JOB} | {service.name: service}).values(), env=env)
    unit = next(unit for unit in made.units if unit.name == service.name)
    common = make_common(made, claimed, instance_id="stack-2-abc", data_dir=DATA, environ=environ)
    return launch(made, unit, common)


def test_command_folder_and_ready_are_filled_in() -> None:
    """Each word on its own; the port is the claimed one."""
    made = start(WEB, {})
    assert made.argv == ("serve", "--port", "6101", "http://127.0.0.1:9000", "$HOME $HOME")
    assert made.cwd == Path("/w/web")
    assert made.ready == Ready(ReadyKind.HTTP, path="/2", timeout=3)


def test_an_exec_check_is_filled_in_and_a_log_pattern_is_not() -> None:
    """A regular expression keeps its dollars."""
    check = WEB._replace(ready=Ready(ReadyKind.EXEC, command=("curl", "${url}/${stack}")))
    assert start(check, {}).ready.command == ("curl", "http://127.0.0.1:6101/stack")
    log = WEB._replace(ready=Ready(ReadyKind.LOG, pattern="$$"))
    assert start(log, {}).ready.pattern == "$$"


def test_portsups_variables() -> None:
    """Everything of DESIGN §3, and nothing else in an empty environment."""
    assert start(WEB, {}).env == {
        "WEB": "6101",
        "METRICS_PORT": "9000",
        "HOST": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "PORTSUP_INSTANCE": "2",
        "PORTSUP_INSTANCE_ID": "stack-2-abc",
        "PORTSUP_STACK": "stack",
        "PORTSUP_SERVICE": "web-1",
        "PORTSUP_BASE_PORT": "6100",
        "PORTSUP_DATA_DIR": "/data dir",
        "PORTSUP_WEB_1_PORT": "6101",
        "PORTSUP_WEB_1_URL": "http://127.0.0.1:6101",
    }


def test_the_instances_variables_name_no_single_service() -> None:
    """What `portsup env` prints is the same for all services."""
    variables = instance_variables(plan(WEB, JOB), CLAIMED, instance_id="stack-2-abc", data_dir=DATA)
    single = {"PYTHONUNBUFFERED": "1", "PORTSUP_SERVICE": "web-1", "WEB": "6101", "METRICS_PORT": "9000"}
    assert variables | single == start(WEB, {}).env
    assert not single.keys() & variables.keys()


def test_who_wins() -> None:
    """environ < env files < portsup's own < the service's env."""
    environ = {"A": "environ", "B": "environ", "HOST": "environ", "WEB": "environ", "PATH": "/bin"}
    files = {"A": "files", "B": "files", "HOST": "files", "WEB": "files", "PORTSUP_STACK": "files"}
    made = start(WEB._replace(env={"A": "service", "WEB": "service ${port}"}), environ, env=files).env
    assert (made["A"], made["B"], made["PATH"]) == ("service", "files", "/bin")
    assert (made["HOST"], made["WEB"], made["PORTSUP_STACK"]) == ("127.0.0.1", "service 6101", "stack")


def test_python_prints_without_a_buffer_unless_somebody_says_otherwise() -> None:
    """Else its log would stay mute. Whoever sets the variable, also to nothing, is obeyed."""
    name = "PYTHONUNBUFFERED"
    assert start(WEB, {}).env[name] == "1"
    assert start(WEB, {name: "environ"}).env[name] == "environ"
    assert start(WEB, {name: "environ"}, env={name: ""}).env[name] == ""
    assert start(WEB._replace(env={name: "service"}), {}, env={name: ""}).env[name] == "service"


def test_an_outer_instances_variables_do_not_leak_in() -> None:
    """An instance within another one gets none of its unit, sockets and services; options stay."""
    outer = {
        "PORTSUP_UNIT": "outer/x",
        "NOTIFY_SOCKET": "/x",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "1",
        "LISTEN_FDNAMES": "x",
        "PORTSUP_OTHER_PORT": "1",
        "PORTSUP_OTHER_URL": "http://x",
        "PORTSUP_WEB_1_PORT": "1",
        "PORTSUP_INSTANCE": "7",
        "PORTSUP_SERVICE": "x",
    }
    kept = {"PORTSUP_LOCK_DIR": "/locks", "PORTSUP_FILE": "/f", "MY_PORT": "1"}
    assert start(WEB, outer | kept).env == start(WEB, {}).env | kept


def test_the_socket_that_is_handed_down() -> None:
    """Only the main port is listened on; its number is 3, and no variable here tells of it: `exec` and
    `env` have no socket to give."""
    service = WEB._replace(socket=True, command=("serve", "--fd", "${port_fd}"))
    (unit,) = plan(service).units
    assert [pool.listen for pool in unit.pools] == [True, False]
    assert not any(pool.listen for pool in plan(WEB).units[0].pools)
    made = start(service, {})
    assert made.argv == ("serve", "--fd", "3")
    assert made.env == start(WEB, {}).env


def test_environment_references_look_into_env_files_first() -> None:
    """Then into what the supervisor was started with."""
    assert start(JOB, {"HOME": "/root"}).env["HOME_DIR"] == "/root"
    assert start(JOB, {"HOME": "/root"}, env={"HOME": "/file"}).env["HOME_DIR"] == "/file"


def test_a_variable_that_is_not_set_is_named() -> None:
    """With the service that wants it."""
    with pytest.raises(ConfigError, match="cannot start job: the environment variable HOME is not set"):
        start(JOB, {})


def test_a_port_that_is_not_claimed_is_named() -> None:
    """Whoever isn't up has no address: neither a reference nor a variable."""
    with pytest.raises(ConfigError, match=r"cannot start job: \$\{web-1\.url\}"):
        start(JOB, {"HOME": "/"}, claimed={"job": {}})
    assert "PORTSUP_WEB_1_PORT" not in start(JOB._replace(env={}), {}, claimed={"job": {}}).env


@pytest.mark.parametrize("service", [WEB, JOB, WEB._replace(socket=True)])
def test_every_name_that_the_loader_accepts_is_filled_in(service: Service) -> None:
    """The loader's check and the plan know the same names."""
    pools = {each.name: [pool.name for pool in each.pools] for each in (WEB, JOB)}
    known = names(pools[service.name], pools, socket=service.socket)
    env = {f"V{index}": f"${{{name}}}" for index, name in enumerate(known)}
    made = start(service._replace(env=env), {})
    assert all(made.env[key] and "$" not in made.env[key] for key in env)

"""Who may import whom: the rooms of the house and the doors between them, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LEAVES = frozenset(
    {
        "errors",
        "extras",
        "clock",
        "paths",
        "private",
        "snapshot",
        "shown",
        "records",
        "lines",
        "masking",
        "modes",
        "region",
        "terminal",
        "platform",
        "log_files",
        "marker",
        "timed_lines",
        "line_times",
        "tail",
        "loopback",
        "durations",
        "moments",
        "readable",
    }
)

BELOW_SUPERVISE = frozenset({"config", "plan", "ports", "process"})

MAY_IMPORT: dict[str, frozenset[str]] = {
    "leaf": frozenset(),
    "config": frozenset(),
    "plan": frozenset({"config"}),
    "ports": frozenset({"config", "plan"}),
    "process": frozenset({"config", "plan", "ports"}),
    "supervise": BELOW_SUPERVISE,
    "importing": frozenset({"config"}),
    "control": frozenset(),
    "control.server": frozenset({"control"}),
    "monitor": frozenset({"control.client", "control.registry"}),
    "web": frozenset({"control.client", "control.registry", "monitor"}),
    "telemetry": frozenset({"monitor"}),
    "agents": frozenset({"control.client", "control.registry", "monitor"}),
    "tui": frozenset({"control.client", "control.registry", "monitor"}),
    "pytest_plugin": frozenset({"control.client"}),
    "cli": BELOW_SUPERVISE
    | {"agents", "cli.bringup", "control", "importing", "monitor", "telemetry", "tui", "web"},
    "cli.bringup": BELOW_SUPERVISE | {"cli", "control", "control.server", "supervise"},
}
"""Beside its own room, and the leaves, which everybody may import."""

HEAVY = frozenset({"rich", "psutil"})
LIGHT_ROOMS = ("supervise", "process", "ports", "control.server")
"""What a supervisor loads: its memory is paid for once for each instance."""

KNOWS_THE_SYSTEM = frozenset({"supervisor/cli/main.py"})
"""Beside supervisor/platform: Windows is refused before anything else is imported."""

READS_PROC = frozenset({"supervisor/config/ephemeral.py"})
"""Beside supervisor/platform: the kernel's ephemeral port range, for a warning about services.toml."""

BESIDE_THE_POOL = re.compile(r"findAvailablePort|killProcessOnPort|altPort|port \+= 1")


@dataclass(frozen=True)
class Import:
    module: str
    """As written, made absolute; `from a import b` gives a.b."""
    line: int
    eager: bool
    """Runs when its module is imported: neither inside a function nor under TYPE_CHECKING."""


def imports(tree: ast.AST, package: str, *, eager: bool = True) -> Iterator[Import]:
    """Every import below `tree`, wherever it stands; `package` is what a relative one counts from."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, package)
            yield from (Import(f"{origin}.{alias.name}", node.lineno, eager) for alias in node.names)
        else:
            yield from imports(node, package, eager=eager and not _defers(node))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: 1 - node.level or None]
    return ".".join([*parents, *([node.module] if node.module else [])])


def _defers(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @staticmethod
    def at(path: Path) -> Module:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        return Module(name, path, ast.parse(path.read_text()))

    @property
    def package(self) -> str:
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    @property
    def imports(self) -> list[Import]:
        return list(imports(self.tree, self.package))

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


MODULES = [Module.at(path) for path in sorted((ROOT / "supervisor").rglob("*.py"))]
BY_NAME = {module.name: module for module in MODULES}

every_module = pytest.mark.parametrize("module", MODULES, ids=str)


def room(name: str) -> str:
    """The room that module `name` (without "supervisor.") lies in; "" for the house's own front door."""
    if name in MAY_IMPORT:
        return name
    first = name.split(".")[0]
    return "leaf" if first in LEAVES else first.removeprefix("__main__")


def forbidden(importer: str, imported: str) -> bool:
    """Whether module `importer` may not import module `imported`; both without "supervisor."."""
    here, there = room(importer), room(imported)
    return (
        bool(here) and there not in ("", "leaf", here, *MAY_IMPORT[here]) and imported not in MAY_IMPORT[here]
    )


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """String literals that are used: docstrings, and those that stand alone, are prose."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and not isinstance(tree, ast.Expr):
            yield node
        yield from strings(node)


def in_platform(module: Module) -> bool:
    return module.name.startswith("supervisor.platform")


def third_party_on_import(start: str) -> set[str]:
    """Top-level packages from elsewhere that importing `start` loads, through all of our modules."""
    found: set[str] = set()
    # Nobody but macOS loads this one, and it needs psutil there.
    seen = {"supervisor.platform.posix"}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for line in BY_NAME[name].imports:
            if not line.eager:
                continue
            ours = _our_modules(line.module)
            waiting += ours
            if not ours:
                found.add(line.module.split(".")[0])
    return found


def _our_modules(name: str) -> list[str]:
    """Which of our modules importing `name` runs: a package's before what lies in it."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return [prefix for prefix in prefixes if prefix in BY_NAME]


def _inside(name: str) -> str:
    """`name` without "supervisor."; "" for the package itself."""
    return name.removeprefix("supervisor").lstrip(".")


@every_module
def test_rooms_import_leftwards_only(module: Module) -> None:
    """config, plan, ports, process, supervise import leftwards only; the others as DESIGN §9 says."""
    wrong = [
        f"{module}:{line.line} imports {line.module}"
        for line in module.imports
        for ours in _our_modules(line.module)[-1:]
        if forbidden(_inside(module.name), _inside(ours))
    ]
    assert not wrong


@every_module
def test_only_the_lock_takes_locks(module: Module) -> None:
    """How a port is claimed is decided in one file."""
    names = [
        ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute | ast.Name)
    ]
    words = {word for name in [*names, *(line.module for line in module.imports)] for word in name.split(".")}
    assert not words & {"flock", "lockf", "filelock"} or module.name == "supervisor.ports.lock"


@every_module
def test_only_the_platform_knows_the_system(module: Module) -> None:
    """`sys.platform` and /proc are the platform's business."""
    if in_platform(module):
        return
    if str(module) not in KNOWS_THE_SYSTEM:
        assert "sys.platform" not in {ast.unparse(node) for node in ast.walk(module.tree)}
        assert "sys.platform" not in {line.module for line in module.imports}
    if str(module) not in READS_PROC:
        assert not [text.lineno for text in strings(module.tree) if str(text.value).startswith("/proc")]


@every_module
def test_running_an_instance_loads_nothing_heavy(module: Module) -> None:
    """Neither rich nor psutil is loaded, however far away, by what a supervisor imports."""
    if _inside(module.name).startswith(LIGHT_ROOMS):
        assert not third_party_on_import(module.name) & HEAVY


@every_module
def test_yaml_is_read_in_one_place_and_late(module: Module) -> None:
    """Whoever has no compose file doesn't pay for PyYAML."""
    lines = [line for line in module.imports if line.module.split(".")[0] == "yaml"]
    assert not any(line.eager for line in lines)
    assert not lines or str(module) == "supervisor/importing/yaml_text.py"


PEERS = ROOT / "bench" / ".peers"
"""Other people's code: what `scripts/bench --peers` installs."""


def test_nothing_takes_a_port_beside_the_pool() -> None:
    """No path in the code looks for another free port, or for a process to kill on one."""
    sources = [
        path
        for folder in ("supervisor", "scripts", "bench")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in ("", ".py", ".sh", ".c") and path.is_file() and PEERS not in path.parents
    ]
    assert not [path for path in sources if BESIDE_THE_POOL.search(path.read_text())]


@pytest.mark.parametrize(
    ("importer", "imported", "wrong"),
    [
        ("config.load", "errors", False),
        ("config.load", "config.model", False),
        ("errors", "config.model", True),
        ("paths", "platform.contract", False),
        ("plan.plan", "config.model", False),
        ("plan.plan", "ports.lock", True),
        ("ports.reserve", "plan.plan", False),
        ("ports.reserve", "process.child", True),
        ("process.spawn", "supervise.unit", True),
        ("supervise.unit", "ports.shield", False),
        ("supervise.unit", "control.server", True),
        ("control.client", "plan.plan", True),
        ("control.client", "control.protocol", False),
        ("control.client", "control.server", True),
        ("control.server", "control.protocol", False),
        ("importing.compose", "config.signals", False),
        ("importing.compose", "plan.plan", True),
        ("config.load", "importing.draft", True),
        ("cli.init", "importing.compose", False),
        ("web.app", "control.client", False),
        ("web.app", "control.server", True),
        ("web.app", "cli.main", True),
        ("web.app", "monitor.instances", False),
        ("monitor.instances", "web.app", True),
        ("supervise.unit", "monitor.events", True),
        ("tui.app", "web.app", True),
        ("cli.status", "supervise.state", True),
        ("cli.main", "cli.bringup", False),
        ("cli.bringup", "cli.options", False),
        ("cli.bringup", "supervise.supervisor", False),
        ("__main__", "cli.main", False),
    ],
)
def test_the_rules_bite(importer: str, imported: str, wrong: bool) -> None:
    """Each kind of door, open and shut."""
    assert forbidden(importer, imported) is wrong


def test_imports_are_found_wherever_they_stand() -> None:
    """At the top, relative, inside a function, and for type checkers only."""
    source = """
import a.b
from . import c
from ..d import e
if TYPE_CHECKING:
    from f import g
class K:
    import h
    async def m(self):
        try:
            import i
        finally:
            pass
"""
    found = {line.module: line.eager for line in imports(ast.parse(source), "top.room")}
    assert found == {
        "a.b": True,
        "top.room.c": True,
        "top.d.e": True,
        "f.g": False,
        "h": True,
        "i": False,
    }


def test_docstrings_are_prose() -> None:
    """Only strings that are used count as literals, also inside f-strings."""
    tree = ast.parse('"""/proc"""\nx = "/proc/1"\nf"/proc/{x}"\n"prose"\nopen("/proc")\n')
    assert [text.value for text in strings(tree)] == ["/proc/1", "/proc/", "/proc"]

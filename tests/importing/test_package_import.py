"""package.json → services.toml."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import loaded, told

from supervisor.config.model import RelativePool
from supervisor.errors import ConfigError
from supervisor.importing.draft import Draft
from supervisor.importing.package_json import draft_of, read_package


def draft(scripts: dict[str, Any], *files: str, **keys: Any) -> Draft:
    text = json.dumps({"name": "app", "scripts": scripts, **keys})
    return draft_of(read_package(text, "package.json"), [], files, "package.json")


@pytest.mark.parametrize(
    ("script", "command", "port"),
    [
        ("vite", "npm run dev -- --port ${port} --strictPort", 5173),
        ("next dev", "npm run dev", 3000),
        ("next dev -p 3001", "npx next dev -p ${port}", 3001),
        ("PORT=4000 node server.js", "node server.js", 4000),
        (
            "cross-env PORT=4000 NODE_ENV=dev node server.js",
            "npx cross-env NODE_ENV=dev node server.js",
            4000,
        ),
        ("node server.js --port $PORT", "npm run dev", 3000),
        ("node server.js", "npm run dev", 3000),
        ("ng serve", "npm run dev -- --port ${port}", 4200),
        ("tsc --watch", "npm run dev", None),
        ("webpack serve", "npm run dev -- --port ${port}", 8080),
        ("webpack --watch", "npm run dev", None),
        ("build && serve -p 8080", "npm run dev", 8080),
    ],
)
def test_scripts(script: str, command: str, port: int | None) -> None:
    """The package manager runs it, and it is told its port in the way that its server knows."""
    config = loaded(draft({"dev": script}))
    (one,) = config.services
    assert " ".join(one.command) == command
    first = one.pools[0] if one.pools else None
    assert (config.base_port + first.offset if isinstance(first, RelativePool) else None) == port


@pytest.mark.parametrize(
    ("files", "keys", "command"),
    [
        ((), {}, "npm run dev -- --port"),
        (("package-lock.json",), {}, "npm run dev -- --port"),
        (("pnpm-lock.yaml",), {}, "pnpm run dev --port"),
        (("yarn.lock",), {}, "yarn run dev --port"),
        (("bun.lockb",), {}, "bun run dev --port"),
        (("bun.lock",), {}, "bun run dev --port"),
        (("package-lock.json",), {"packageManager": "pnpm@9.0.0+sha256.abc"}, "pnpm run dev --port"),
    ],
)
def test_package_managers(files: tuple[str, ...], keys: dict[str, str], command: str) -> None:
    """By the lock file, or by what the package says itself."""
    (one,) = loaded(draft({"dev": "astro dev"}, *files, **keys)).services
    assert " ".join(one.command).startswith(command)


@pytest.mark.parametrize(
    ("scripts", "services"),
    [
        ({"dev": "a", "start": "b", "build": "c"}, ["app"]),
        ({"start": "a", "test": "b"}, ["app"]),
        ({"dev": "concurrently 'npm:dev:*'", "dev:api": "a", "dev:web": "b"}, ["api", "web"]),
        ({"dev": "run-p dev:*", "dev:a": "a", "dev:b": "b", "dev:": "c"}, ["a", "b"]),
        ({"dev": "vite", "dev:debug": "vite --debug"}, ["app"]),
        ({"dev:a": "a", "dev:b": "b"}, ["a", "b"]),
    ],
)
def test_which_scripts_are_services(scripts: dict[str, str], services: list[str]) -> None:
    """One, or those that it runs; every other one is listed."""
    made = draft(scripts)
    assert [one.name for one in loaded(made).services] == services
    for name in scripts.keys() - {"dev", "start"} - {f"dev:{one}" for one in services}:
        assert name in told(made)


def test_workspaces() -> None:
    """Each package's service, in its folder; a root that only runs them is left out."""
    root = read_package(
        '{"scripts": {"dev": "turbo dev"}, "workspaces": {"packages": ["a/*"]}}', "package.json"
    )
    assert root.workspaces == ("a/*",)
    members = [
        read_package('{"name": "@x/web", "scripts": {"dev": "next dev"}}', "p", "a/web"),
        read_package('{"name": "@y/web", "scripts": {"dev": "next dev"}}', "p", "a/other"),
        read_package('{"name": "lib", "scripts": {"build": "tsup"}}', "p", "a/lib"),
    ]
    made = draft_of(root, members, ["yarn.lock"], "package.json")
    assert [(one.name, one.cwd) for one in made.services] == [("web", "a/web"), ("web-other", "a/other")]
    assert "scripts of a/lib that are no services: build" in told(made)
    loaded(made)


@pytest.mark.parametrize(
    ("text", "detail"),
    [("{\n  bad\n}", "package.json:2: expecting property name"), ("", "package.json:1: expecting value")],
)
def test_broken_files(text: str, detail: str) -> None:
    """File and line."""
    with pytest.raises(ConfigError) as caught:
        read_package(text, "package.json")
    assert caught.value.details[0].startswith(detail)


@pytest.mark.parametrize("text", ["[]", "[" * 100_000, "1" * 5000])
def test_other_json(text: str) -> None:
    """No traceback."""
    with pytest.raises(ConfigError):
        read_package(text, "package.json")


def test_no_service() -> None:
    """An error that names what is looked for."""
    with pytest.raises(ConfigError, match="no script that is a service"):
        draft({"build": "x"})


SCRIPTS = st.lists(
    st.sampled_from(
        ["vite", "next dev", "-p 80", "-p 3000", "&&", "PORT=80", "PORTSUP_A=1", "$PORT", "'", "${x}"]
    )
    | st.text(max_size=4),
    min_size=1,
).map(" ".join)


@given(
    st.dictionaries(
        st.sampled_from(["dev", "start", "dev:a", "dev:A", "dev:ü", "build"]) | st.text(), SCRIPTS
    ),
    st.text(max_size=5),
    st.sampled_from(["yarn.lock", "bun.lock", ""]),
)
def test_whatever_it_says_the_result_loads(scripts: dict[str, str], name: str, lock: str) -> None:
    """Or it is an error with words."""
    try:
        made = draft(scripts, lock, name=name)
    except ConfigError:
        return
    assert len(loaded(made).services) == len(made.services)

"""The globs of `watch`: which files they mean, and which folders can lead to one."""

from __future__ import annotations

import glob
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supervisor.config.fields import Field, FieldError
from supervisor.config.globs import Glob
from supervisor.config.keys import GLOB, globs
from supervisor.config.lines import Lines
from supervisor.config.problems import Problems


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/deep/a.py", True),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/a/b/c.py", True),
        ("src/**/*.py", "lib/a.py", False),
        ("src/**/*.py", "src/a.pyc", False),
        ("src/**", "src/a/b", True),
        ("src/**", "src", False),
        ("**/test/**/*.py", "x/test/a.py", True),
        ("**/test/**/*.py", "x/tests/a.py", False),
        ("?.[ch]", "a.c", True),
        ("?.[!ch]", "a.c", False),
        ("**/*.py", "node_modules/x/a.py", False),
        ("*/a.py", "node_modules/a.py", False),
        ("node_modules/**/*.js", "node_modules/x/a.js", True),
        ("**/*.py", "__pycache__/a.py", False),
        ("**/*", ".git/index", False),
        ("**/*", ".venv/bin/python", False),
        (".git/HEAD", ".git/HEAD", True),
        ("**/*", "src/.app.py.swp", False),
        ("**", ".#app.py", False),
        (".env*", ".env.local", True),
        ("**/.env", "web/.env", True),
        ("*.py", "a.PY", False),
        ("a[.py", "a[.py", True),
    ],
)
def test_what_is_meant(pattern: str, path: str, meant: bool) -> None:
    """One pattern and one path."""
    assert Glob(pattern).matches(path.split("/")) is meant


@pytest.mark.parametrize(
    ("pattern", "folder", "leads"),
    [
        ("*.py", "", True),
        ("*.py", "src", False),
        ("src/*.py", "src", True),
        ("src/*.py", "lib", False),
        ("src/*.py", "src/deep", False),
        ("src/**/*.py", "src/deep/er", True),
        ("**", "a/b", True),
        ("**", "a/node_modules", False),
        ("**", ".git", False),
        ("**/node_modules/*", "a/node_modules", True),
        ("**/node_modules/*", "a/node_modules/b", False),
    ],
)
def test_where_it_leads(pattern: str, folder: str, leads: bool) -> None:
    """Folders that needn't be watched aren't."""
    assert Glob(pattern).leads_into(folder.split("/") if folder else []) is leads


@pytest.mark.parametrize("pattern", ["", "/src/*.py", "src//a", "../a", "a/../b", "./a", "src/", "."])
def test_what_is_no_glob(pattern: str) -> None:
    """The schema for editors refuses what the loader does."""
    with pytest.raises(FieldError):
        globs(field(pattern))
    assert not re.search(GLOB, pattern)


def field(*patterns: str) -> Field:
    return Field(list(patterns), ("watch",), Problems(Path("services.toml"), Lines("")))


NAMES = st.sampled_from(["a", "b", "ab.py", ".a", "c.d"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.sampled_from(["**", "*", "a", "b*", "?", "*.py", "[ab]", ".a", ".*", "c.d"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@settings(max_examples=100)
@given(PATTERNS, st.lists(PATHS, max_size=6))
@example("**/**/a", ["a", "b/a"])
@example("c.d/**", ["c.d"])
def test_as_python_globs_do(pattern: str, paths: list[str]) -> None:
    """Of real files, the same as glob.glob; and each one's folders lead to it."""
    assert globs(field(pattern)) == (pattern,)
    assert re.search(GLOB, pattern)
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            file = Path(folder, path)
            if not any(parent.is_file() for parent in file.parents) and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        there = [file.relative_to(folder) for file in Path(folder).rglob("*") if file.is_file()]
        found = {file for file in there if Glob(pattern).matches(file.parts)}
        expected = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207
        # Of "a/**" it thinks that it leads to "a/", also where `a` is a file.
        assert found == {Path(path) for path in expected if not path.endswith("/")} & set(there)
    for file in found:
        assert all(Glob(pattern).leads_into(file.parts[:depth]) for depth in range(len(file.parts)))

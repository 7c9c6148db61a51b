"""The peers' programs, each in a folder of its own that git ignores. All versions stand here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PYPI = {"honcho": "2.0.0", "supervisor": "4.3.0", "circus": "0.19.0", "portpicker": "1.6.0"}
NPM = {"mprocs": "0.9.6", "pm2": "7.0.4"}
VERSIONS = {**PYPI, **NPM}

INSTALLED = Path(__file__).parent / ".peers"


class CannotInstall(Exception):
    """Says why, in one line."""


def folder(name: str) -> Path:
    """Where that peer is, or is to be: a folder a version, so that another one is installed anew."""
    return INSTALLED / f"{name}-{VERSIONS[name]}"


def install(name: str) -> None:
    """Unless it is there. Raises CannotInstall."""
    place, complete = folder(name), folder(name) / "complete"
    if complete.exists():
        return
    print(f"installing {name} {VERSIONS[name]} (once)", file=sys.stderr)
    if name in NPM:
        npm_install(place, f"{name}@{NPM[name]}")
    else:
        pip_install(place, f"{name}=={PYPI[name]}")
    complete.touch()


def npm_install(place: Path, package: str) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise CannotInstall("there is no npm")
    place.mkdir(parents=True, exist_ok=True)
    run([npm, "install", "--prefix", str(place), "--no-fund", "--no-audit", "--fetch-retries=1", package])


def pip_install(place: Path, requirement: str) -> None:
    """In a virtual environment of its own: `supervisor` owns the import name that portsup has."""
    run([sys.executable, "-m", "venv", "--clear", str(place)])
    python = str(place / "bin" / "python")
    run([python, "-m", "pip", "install", "--disable-pip-version-check", "--retries", "1", requirement])


def run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except subprocess.CalledProcessError as failed:
        said = [line for line in (failed.stderr or failed.stdout).splitlines() if line.strip()]
        raise CannotInstall(said[-1] if said else f"exit {failed.returncode}") from failed

# SPDX-License-Identifier: Apache-2.0
"""Build and install the package of a checkout."""

import subprocess
import sys
from pathlib import Path

from generator import VERSION
from helpers.support import lack, need_package

PROJECT = Path(__file__).parents[2]
PARTS = (
    "CHANGELOG.md",
    "LICENSE",
    "LICENSES",
    "README.md",
    "docs",
    "generator",
    "hatch_build.py",
    "output",
    "pyproject.toml",
)
SDIST, WHEEL = f"winscratch-{VERSION}.tar.gz", f"winscratch-{VERSION}-py3-none-any.whl"


def build(source: Path, target: Path, *options: str) -> Path:
    """Build the package of *source* into *target*, with the backend that the tests' environment has."""
    for module in ("build", "hatchling"):
        need_package(module)
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def install(wheel: Path, environment: Path) -> Path:
    """Install *wheel* into a new virtual environment; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin/python"
    command: list[str | Path] = [
        python,
        "-I",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        wheel,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Retrying" in done.stderr:
        lack("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return python

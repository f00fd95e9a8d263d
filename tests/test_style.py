# SPDX-License-Identifier: Apache-2.0
"""The project's own sources before its checkers. The generated ones have tests of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import need

PROJECT = Path(__file__).parents[1]
TYPED = ("tasks.py", "tests", "bench", "examples/python")
CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy of the generator": ("mypy", "--strict", "-p", "generator"),
    "mypy of the rest": ("mypy", "--strict", *TYPED),
}


@pytest.mark.parametrize("check", CHECKS)
def test_python_sources_have_nothing_to_find(check: str) -> None:
    assert_clean([sys.executable, "-m", *CHECKS[check]], MYPYPATH="tests:.")


def test_shell_sources_have_nothing_to_find() -> None:
    assert_clean([need("shellcheck"), "invokew", ".ci/run", ".ci/docker-engine"])


def assert_clean(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

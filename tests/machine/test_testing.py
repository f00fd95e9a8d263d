# SPDX-License-Identifier: Apache-2.0
"""The task that runs the tests, where what it is given names none."""

import pytest

from generator.base.errors import GeneratorError
from generator.machine import testing, venv


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install nothing: the packages are those of the tests that run."""
    monkeypatch.setattr(venv, "ensure_test_packages", lambda _: None)


@pytest.mark.parametrize("file", ["tests/nope.py", "tests/nope.py::test_it"])
def test_a_file_that_is_not_there_is_named(file: str) -> None:
    with pytest.raises(GeneratorError, match=rf"^--file: {file}: "):
        testing.run_tests(files=["tests/test_cli.py", file], note=print)


def test_an_expression_that_chooses_no_test_is_named() -> None:
    with pytest.raises(GeneratorError, match="--select no_such_name "):
        testing.run_tests(files=["tests/test_style.py"], select="no_such_name", note=print)

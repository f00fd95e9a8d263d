# SPDX-License-Identifier: Apache-2.0
"""What tests share."""

import functools
import sys
from typing import NoReturn

import pytest

from generator import machine
from generator.builder import choose, process, wire
from generator.machine import debian

# Plain invoke on this checkout, from whatever directory.
INVOKE = [sys.executable, "-P", "-m", "invoke", "--search-root", str(wire.ROOT)]

BUILDER = "builtin"  # the engine for tests that take any


def need(program: str) -> str:
    """Return the path of *program*; without it skip the test, but fail it in CI, where a skip would go unseen."""
    found = debian.find(program)
    if found is None:
        lack(f"there is no {program} on this machine")
    if program == "go" and (reason := debian.go_is_too_old(found)):
        lack(reason)
    return found


def lack(reason: str) -> NoReturn:
    """End the test for want of something outside the project: skipped, or failed in CI."""
    if machine.in_ci():
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def builder() -> str:
    """Return BUILDER; without it end the test as lack() does."""
    return selected(BUILDER).name


def selected(name: str) -> choose.Engine:
    """Return the engine *name*; without it end the test as lack() does."""
    try:
        return choose.select(name, lambda _: None)
    except process.EngineError as error:
        lack(str(error))

# SPDX-License-Identifier: Apache-2.0
"""What tests share."""

from typing import NoReturn

import pytest

from generator import toolbox


def need(program: str) -> str:
    """Return the path of *program*; without it skip the test, but fail it in CI, where a skip would go unseen."""
    found = toolbox.find(program)
    if found is None:
        lack(f"there is no {program} on this machine")
    return found


def lack(reason: str) -> NoReturn:
    """End the test for want of something outside the project: skipped, or failed in CI."""
    if toolbox.in_ci():
        pytest.fail(reason)
    pytest.skip(reason)

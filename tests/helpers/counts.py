# SPDX-License-Identifier: Apache-2.0
"""What a thorough run does more than a quick one: more random cases, and tests that take long."""

import os
from typing import Any

import pytest

THOROUGH = os.environ.get("WINSCRATCH_THOROUGH") == "1"  # set by ``./invokew test --thorough``


def count(small: int, large: int) -> int:
    """Return *large* in a thorough run, else *small*."""
    return large if THOROUGH else small


def thorough(why: str) -> pytest.MarkDecorator:
    """Return the mark of a test that only a thorough run takes; *why* is the reason."""
    return pytest.mark.skipif(not THOROUGH, reason=only_thorough(why))


def slow(value: object, why: str) -> Any:
    """Return a parameter that only a thorough run takes."""
    return pytest.param(value, marks=thorough(why))


def only_thorough(why: str) -> str:
    """Return the text for a test that a quick run skips."""
    return f"{why}; hint: ./invokew test --thorough"

# SPDX-License-Identifier: Apache-2.0
"""The project's own sources before its checkers. The generated ones have tests of their own."""

import pytest
from support import lack

from generator.machine import checks


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.name)
def test_sources_have_nothing_to_find(check: checks.Check) -> None:
    if lacks := check.lacks():
        lack(lacks)
    assert check.findings() == "", "./invokew fix may help"

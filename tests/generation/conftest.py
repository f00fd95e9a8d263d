# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of generation."""

import pytest


@pytest.fixture(autouse=True)
def _outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print no annotations when the tests run in GitHub Actions."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

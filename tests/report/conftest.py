# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the browser tests: one Chromium for all, and the committed report opened in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.browser import COMMITTED, chromium, visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yield a Chromium that all tests of this directory share."""
    with chromium() as started:
        yield started


@pytest.fixture
def shown(browser: Browser) -> Iterator[Page]:
    """Yield a page with the committed report."""
    with visit(browser, COMMITTED, viewport={"width": 1600, "height": 1000}) as opened:
        yield opened

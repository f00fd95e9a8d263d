# SPDX-License-Identifier: Apache-2.0
"""Browsers that look at a report as its readers do, and what Node.js brings to check it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from generator.builder.wire import ROOT
from generator.generation.unchanged import REPORT

from .support import HANG, lack, need, need_package, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

COMMITTED = ROOT / REPORT
PACKAGE = ROOT / "tests/report/browser"
SCRIPTS = ROOT / "templates/report"
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",  # which root needs
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, without a window."""
    program = need("chromium")
    with need_package("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS], timeout=1000 * HANG)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visit(browser: Browser, path: Path, **settings: Any) -> Iterator[Page]:
    """Open the report at *path*; fail if it says something to the console, has an error, or asks for another file."""
    context = browser.new_context(**settings)
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"console: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: said.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    until(page, "performance.getEntriesByName('drawn').length")
    yield page
    assert said == []
    context.close()


def until(page: Page, expression: str) -> None:
    """Wait until *expression* is true; Playwright's own way is one that the page's policy forbids."""
    wait_until(lambda: page.evaluate(expression))


def node_modules(folder: Path) -> Path:
    """Install the packages of package-lock.json into *folder*, without their scripts; return node_modules."""
    npm = need("npm")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "eslint.config.mjs"):
        shutil.copy(PACKAGE / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT", done.stderr):
        lack("npm's registry cannot be reached")
    if done.returncode:
        pytest.fail(f"npm ci: {done.stderr}")
    return folder / "node_modules"

# SPDX-License-Identifier: Apache-2.0
"""Open reports in Chromium, and install the Node.js packages that check them."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from generator.builder.wire import ROOT
from generator.generation.unchanged import REPORT
from generator.report.page import Subject, page
from generator.views.regions import Regions

from .support import HANG, lack, need, need_package, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

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
    "--no-sandbox",  # required for root
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium without a window; yield it."""

    program = need("chromium")
    with need_package("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*FLAGS], timeout=1000 * HANG)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def visit(browser: Browser, path: Path, **settings: Any) -> Iterator[Page]:
    """Open the report at *path*; fail if it logs to the console, has an error, or requests another file."""
    context = browser.new_context(**settings)
    context.set_default_timeout(1000 * HANG)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"console: {message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("dialog", lambda dialog: problems.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: problems.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    until(page, "performance.getEntriesByName('drawn').length")
    yield page
    assert problems == []
    context.close()


def until(page: Page, expression: str) -> None:
    """Wait until *expression* is true; the page's policy forbids Playwright's own wait."""
    wait_until(lambda: page.evaluate(expression))


def node_modules(folder: Path) -> Path:
    """Install the packages of package-lock.json into *folder* without running their scripts; return node_modules."""
    npm = need("npm")
    for name in ("package.json", "package-lock.json", "tsconfig.json", "eslint.config.mjs"):
        shutil.copy(PACKAGE / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if re.search(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT", done.stderr):
        lack("npm's registry is unreachable")
    if done.returncode:
        pytest.fail(f"npm ci: {done.stderr}")
    return folder / "node_modules"


def report_of(folder: Path, **data: bytes) -> Path:
    """Write the report of tars and hives by name; return its path."""
    path = folder / "report.html"
    path.write_bytes(page(ROOT / "templates", "Test", [Subject(n, Regions(bytes(d)), ()) for n, d in data.items()]))
    return path


def details(shown: Page, view: int = 0) -> dict[str, str]:
    """Return the title of the selected structure, with the key "", and its fields by name."""
    box = shown.locator(".details").nth(view)
    rows = box.locator("tbody tr")
    names = rows.locator("th button").all_inner_texts()
    values = [text.partition("\n")[0] for text in rows.locator("td").all_inner_texts()]
    return {"": box.locator("h4").inner_text(), **dict(zip(names, values, strict=True))}

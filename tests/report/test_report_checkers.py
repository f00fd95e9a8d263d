# SPDX-License-Identifier: Apache-2.0
"""Check the report with axe, TypeScript, ESLint and Prettier, and in Firefox."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from helpers.browser import COMMITTED, PACKAGE, SCRIPTS, node_modules, visit
from helpers.counts import thorough
from helpers.support import need

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = thorough("checks many reports")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return node_modules(tmp_path_factory.mktemp("modules"))


SETTINGS: list[dict[str, Any]] = [
    {},
    {"color_scheme": "dark"},
    *({"viewport": {"width": width, "height": height}} for width, height in [(320, 640), (390, 844), (2560, 1440)]),
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_axe_finds_no_violations(browser: Browser, modules: Path, settings: dict[str, Any]) -> None:
    axe = (modules / "axe-core/axe.min.js").read_text("utf-8")
    with visit(browser, COMMITTED, **settings) as shown:
        shown.locator(".tour .next").click()
        shown.fill("input[name=text]", "Element")
        shown.click("form button")
        shown.evaluate(f"() => {{ {axe}; window.axe = axe; }}")
        for tab in shown.locator("[role=tab]").all():
            tab.click()
            for summary in shown.locator(".open summary").all():
                summary.click()
            found = shown.evaluate(
                "rules => axe.run(document, {resultTypes: ['violations'], runOnly: rules}).then(r => r.violations)",
                RULES,
            )
            assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == []


def test_scripts_pass_typescript_eslint_and_prettier(modules: Path) -> None:
    shutil.copytree(SCRIPTS, modules.parent / "report")
    node = need("node")
    settings = (PACKAGE / "tsconfig.json").read_text("utf-8").replace("../../templates/report", "./report")
    (modules.parent / "tsconfig.json").write_text(settings)
    for command in (
        ["typescript/bin/tsc", "-p", "tsconfig.json"],
        ["eslint/bin/eslint.js", "report"],
        ["prettier/bin/prettier.cjs", "--list-different", "report"],
    ):
        done = subprocess.run(
            [node, modules / command[0], *command[1:]],
            cwd=modules.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_tour_works_in_firefox(modules: Path, tmp_path: Path) -> None:
    program = need("firefox-esr")
    shutil.copy(PACKAGE / "firefox.mjs", modules.parent)
    done = subprocess.run(
        [need("node"), modules.parent / "firefox.mjs", program, COMMITTED.as_uri()],
        cwd=modules.parent,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "base block, bin header, key, hash leaf, value, value data\n",
        "",
    )

# SPDX-License-Identifier: Apache-2.0
"""The project's own sources before its checkers. The generated ones have tests of their own."""

import ast
import re
from collections.abc import Iterator

import pytest
from helpers.support import lack
from tooling import checks

from generator.builder.wire import ROOT

LEAST = 60  # seconds: less is no limit for a hang but for a slow machine
WAITS = {"Timer", "communicate", "join", "settimeout", "set_default_timeout", "sleep", "timeout", "wait"}
CLOCKS = re.compile(r"\b(monotonic|perf_counter|process_time|time)(_ns)?\(\)")
ALLOWED = {  # what is short by intent, and why no slow machine can fail for it
    "run_seconds=1": "the engine's clock is the test's: engines.clock",
    "build_seconds=1": "the engine's clock is the test's: engines.clock",
    "sleep(0.02)": "from one question to the next",
    "sleep(0.12)": "two files get different times; to take longer does no harm",
    "sleep(0.15)": "files are to be older than the cache trusts; older does no harm",
    "sleep(0.2)": "checks that follow at once keep a run from its lock, and a written page's time is to change",
}


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.name)
def test_sources_have_nothing_to_find(check: checks.Check) -> None:
    if lacks := check.lacks():
        lack(lacks)
    assert check.findings() == "", "./invokew fix may help"


def short(node: ast.expr) -> bool:
    """Tell whether *node* is a number of seconds below LEAST."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and 0 < node.value < LEAST


def hurries(source: str) -> Iterator[str]:
    """Yield the expressions of *source* that a slow machine decides: short limits, and clocks that are compared."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for word in node.keywords:
                if re.search("timeout|seconds|deadline", word.arg or "") and short(word.value):
                    yield f"{word.arg}={ast.unparse(word.value)}"
            if name in WAITS and node.args and short(node.args[0]):
                yield f"{name}({ast.unparse(node.args[0])})"
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.BinOp) and CLOCKS.search(ast.unparse(side)) for side in sides):
                yield ast.unparse(node)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(x, timeout=59)", "timeout=59"),
        ("run(x, seconds=1.5)", "seconds=1.5"),
        ("settings(deadline=20)", "deadline=20"),
        ("thread.join(1)", "join(1)"),
        ("threading.Timer(5, f)", "Timer(5)"),
        ("pytest.mark.timeout(30)", "timeout(30)"),
        ("assert time.monotonic() - start < 5", "time.monotonic() - start < 5"),
        ("assert 1 < perf_counter() - start < 5", "1 < perf_counter() - start < 5"),
        ("subprocess.run(x, timeout=60)", None),
        ("thread.join(); settings(deadline=None); ','.join(x)", None),
        ("assert time.monotonic() < end", None),
    ],
)
def test_a_short_limit_is_found(source: str, found: str | None) -> None:
    assert list(hurries(source)) == [found] * (found is not None)


def test_no_test_passes_or_fails_by_how_fast_the_machine_is() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {each}"
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "test_style.py"
        for each in hurries(path.read_text("utf-8"))
    }
    assert {each for each in found if each.partition(": ")[2] not in ALLOWED} == set()
    assert {each.partition(": ")[2] for each in found} == ALLOWED.keys(), "allowed, but nowhere"

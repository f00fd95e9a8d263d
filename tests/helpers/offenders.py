# SPDX-License-Identifier: Apache-2.0
"""Files, functions and messages that break a rule of test_style.py or test_words.py for now: offenders.toml.

The list only shrinks: ``python -m helpers.offenders`` in tests/ removes what no longer breaks a rule.
"""

import ast
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIST = ROOT / "tests/project/offenders.toml"
MOST_LINES, MOST_FUNCTION_LINES = 350, 40


def known() -> dict[str, Any]:
    """Return the list: names by rule, and counts of messages and phrases."""
    return tomllib.loads(LIST.read_text("utf-8"))


def long_files() -> set[str]:
    """Return the Python files of the program and its tests that have too many lines."""
    paths = [*(ROOT / "generator").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    long = (path for path in paths if path.read_text("utf-8").count("\n") > MOST_LINES)
    return {path.relative_to(ROOT).as_posix() for path in long}


def long_functions() -> set[str]:
    """Return `file: function` for each function of the program that has too many lines."""
    found = set()
    for path in (ROOT / "generator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES:
                found.add(f"{path.relative_to(ROOT).as_posix()}: {node.name}")
    return found


def double_classes() -> set[str]:
    """Return the names that several top-level classes of the program share."""
    paths = (ROOT / "generator").rglob("*.py")
    trees = (ast.parse(path.read_text("utf-8")) for path in paths)
    names = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    return {name for name, number in names.items() if number > 1}


RULES = {"files": long_files, "functions": long_functions, "classes": double_classes}


def shrink() -> None:
    """Remove from the list what no longer breaks a rule."""
    from project import test_words

    old = known()
    lines = []
    for rule, find in RULES.items():
        kept = sorted(find() & {*old[rule]})
        lines += [f"{rule} = [", *(f'    "{name}",' for name in kept), "]"]
    lines += [f"phrases = {min(old['phrases'], test_words.phrases().total())}", "", "[messages]"]
    found = {path: len(bad) for path, bad in test_words.bad_messages().items()}
    lines += [f'"{path}" = {min(old["messages"].get(path, 0), number)}' for path, number in sorted(found.items())]
    LIST.write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    shrink()

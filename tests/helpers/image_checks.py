# SPDX-License-Identifier: Apache-2.0
"""Run check-image on images, and return its findings."""

import json
from typing import Any

from generator.hives.rules import Level
from generator.imagecheck import command
from generator.imagecheck.rules import RULES

from .layouts import Layout


def checked(*names: str) -> tuple[int, list[dict[str, Any]]]:
    """Return the status of `check-image --json`, and its records, one an image."""
    said: list[str] = []
    status = command.report(names, True, say=said.append)
    return status, json.loads("\n".join(said))


def lines(*names: str) -> tuple[int, list[str]]:
    """Return the status of `check-image`, and the lines that it prints."""
    said: list[str] = []
    return command.report(names, say=said.append), said


def printed(name: str) -> tuple[int, str]:
    """Return the status of `check-image` on one image, and its output."""
    status, found = lines(name)
    return status, "\n".join(found)


def found(layout: Layout) -> dict[str, list[str]]:
    """Return the rules that an image breaks, each with the entries that break it; the status must agree."""
    status, (image, *_) = checked(layout.write())
    rules: dict[str, list[str]] = {}
    for each in image["findings"]:
        rules.setdefault(each["rule"], []).append(each["entry"])
    assert status == (0 if image["good"] else 1)
    assert image["good"] == all(RULES[rule].level == Level.UNUSUAL for rule in rules)
    return rules

# SPDX-License-Identifier: Apache-2.0
"""Parse a health check as in a Dockerfile: ``--interval=30s CMD check.exe``, or ``NONE``.

Source: github.com/moby/buildkit frontend/dockerfile/instructions parse.go, parseHealthcheck; durations as Go's
time.ParseDuration reads them.
"""

import json
import re
from fractions import Fraction
from typing import Any

from ..base.errors import GeneratorError, shorten

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"(?:([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|μs|ms|s|m|h))")
_TIMES = {name: name.title().replace("-", "") for name in ("interval", "timeout", "start-period", "start-interval")}
_FLAG = re.compile(r"\s*--([a-z-]+)=(\S*)(?:\s+|\Z)")
_LEAST = 10**6  # nanoseconds; the least that Docker accepts, besides 0
_MOST = 2**63 - 1


def parse(text: str) -> dict[str, Any]:
    """Return the object ``Healthcheck`` of a configuration; raises GeneratorError."""
    found: dict[str, Any] = {}
    at = 0
    while flag := _FLAG.match(text, at):
        name, value = flag.groups()
        if name in _TIMES:
            found[_TIMES[name]] = _nanoseconds(name, value, text)
        elif name == "retries" and re.fullmatch(r"[0-9]{1,9}", value):
            found["Retries"] = int(value)
        else:
            raise _wrong(text, f"invalid --{shorten(name)}={shorten(value)}")
        at = flag.end()
    kind, _, rest = text[at:].strip().partition(" ")
    if kind.upper() == "NONE" and not rest and not found:
        return {"Test": ["NONE"]}
    if kind.upper() != "CMD" or not rest.strip():
        raise _wrong(text, "neither NONE nor CMD and a command")
    return {"Test": _test(rest.strip())} | {key: value for key, value in found.items() if value}


def _test(command: str) -> list[str]:
    """Return the value of ``Test``: the words of a JSON array of strings, else the command for the shell."""
    if command.startswith("["):
        try:
            words = json.loads(command)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            return ["CMD", *words]
    return ["CMD-SHELL", command]


def _nanoseconds(name: str, text: str, whole: str) -> int:
    parts = list(_DURATION.finditer(text))
    if text == "0":
        return 0
    if not parts or "".join(part[0] for part in parts) != text:
        raise _wrong(whole, f"invalid duration --{name}={shorten(text)}")
    total = int(sum(Fraction("0" + part[1]) * _UNITS[part[2]] for part in parts))
    if 0 < total < _LEAST or total > _MOST:
        raise _wrong(whole, f"--{name}={shorten(text)} is not between 1ms and 2562047h")
    return total


def _wrong(text: str, why: str) -> GeneratorError:
    return GeneratorError(
        f"--healthcheck {shorten(text)}: {why}; hint: as in a Dockerfile, such as '--interval=30s CMD check.exe'"
    )

# SPDX-License-Identifier: Apache-2.0
"""The one line of a module that says how to make it again, and whether anyone touched it since.

The line is ``winscratch:`` and a JSON object without white space, so that no formatter breaks it. Its
``body`` is the SHA-256 of the whole file, in UTF-8 with LF line ends, taken while that digest's own
digits are zeros. Standard library only: checking a copy needs nothing else.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from .language import Options
from .table import mark

MAX_FIELD = 300  # characters of what a line holds, each longer than any real one; reports show it
MAX_VERSION = 32  # characters
UNSEALED = "sha256:" + "0" * 64
_MARK = re.compile(mark() + r"(\{[^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a module was made from, by which version.

    *layer* is the layer's name, or the kind of a module that embeds none, whose *digest* and *diff_id* are empty.
    """

    layer: str
    language: str
    file: str
    options: Options
    digest: str
    diff_id: str
    version: str

    def line(self) -> str:
        """Return the line's text, without a comment mark and not yet sealed."""
        fields = asdict(self) | {"options": self.options._asdict(), "body": UNSEALED}
        return "winscratch:" + json.dumps(fields, separators=(",", ":"), sort_keys=True)


def seal(text: str) -> str:
    """Return a freshly rendered module with its body's digest filled in."""
    return text.replace(UNSEALED, _digest(text), 1)


def read(text: str) -> tuple[Provenance, bool] | None:
    """Return the provenance in a module and whether the file is as it was made, or None if it has none."""
    fields = recorded(text)
    if not fields:
        return None
    try:
        body = fields.pop("body")
        options = Options(**fields.pop("options"))
        provenance = Provenance(options=options, **fields)
        intact = _digest(text.replace(body, UNSEALED, 1)) == body
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    values = (*options, *(v for k, v in asdict(provenance).items() if k != "options"))
    return (provenance, intact) if all(isinstance(v, str) and len(v) <= MAX_FIELD for v in values) else None


def recorded(text: str) -> dict[str, Any] | None:
    """Return what a module's line holds, unchecked: nothing where it is damaged, None where there is no such line."""
    match = _MARK.search(text)
    if match is None:
        return None
    try:
        fields = json.loads(match[1])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def is_made_alike(text: str, now: str) -> bool:
    """Tell whether a module's *text* is what is made *now*, line ends and version apart.

    Its line must stand where it stands now, and say the same in the same form, but for the version that made it
    and the digest that goes with that.
    """
    parts = [_MARK.split(each.replace("\r\n", "\n"), maxsplit=1) for each in (text, now)]
    lines = [recorded(each) or {} for each in (text, now)]
    if len(parts[0]) != len(parts[1]) or parts[0][::2] != parts[1][::2]:
        return False
    written = json.dumps(lines[0], separators=(",", ":"), sort_keys=True)
    short = len(str(lines[0].get("version"))) <= MAX_VERSION
    return short and parts[0][1] == written and lines[0] | {k: lines[1].get(k) for k in ("version", "body")} == lines[1]


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()

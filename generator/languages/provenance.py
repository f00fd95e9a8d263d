# SPDX-License-Identifier: Apache-2.0
"""Write and read the provenance line, which records how a module was made and a hash of its text.

The line is ``winscratch:`` and a JSON object without white space, so that no formatter breaks it. Its
``body`` is the SHA-256 of the whole file, in UTF-8 with LF line endings, with the digits of the digest itself
set to zeros. Standard library only, for the check of copies.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from .language import ModuleOptions
from .table import mark

MAX_FIELD = 300  # characters of a field: longer than any real one; reports show fields
MAX_VERSION = 32  # characters
UNSEALED = "sha256:" + "0" * 64
_MARK = re.compile(mark() + r"(\{[^\r\n]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The inputs of a module, and the version that made it.

    *layer* is the layer's name, or the kind of a module that embeds none, whose *digest* and *diff_id* are empty.
    """

    layer: str
    language: str
    file: str
    options: ModuleOptions
    digest: str
    diff_id: str
    version: str

    def line(self) -> str:
        """Return the line, without a comment mark and not yet sealed."""
        fields = asdict(self) | {"options": self.options._asdict(), "body": UNSEALED}
        return "winscratch:" + json.dumps(fields, separators=(",", ":"), sort_keys=True)


def seal(text: str) -> str:
    """Return a rendered module with the digest of its text filled in."""
    return text.replace(UNSEALED, _digest(text), 1)


def read(text: str) -> tuple[Provenance, bool] | None:
    """Return a module's provenance and whether its text is unedited, or None if it has no valid provenance line."""
    fields = recorded(text)
    if not fields:
        return None
    try:
        body = fields.pop("body")
        options = ModuleOptions(**fields.pop("options"))
        provenance = Provenance(options=options, **fields)
        intact = _digest(text.replace(body, UNSEALED, 1)) == body
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    values = (*options, *(v for k, v in asdict(provenance).items() if k != "options"))
    return (provenance, intact) if all(isinstance(v, str) and len(v) <= MAX_FIELD for v in values) else None


def recorded(text: str) -> dict[str, Any] | None:
    """Return the unchecked fields of a module's provenance line: empty if damaged, None if there is no line."""
    match = _MARK.search(text)
    if match is None:
        return None
    try:
        fields = json.loads(match[1])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def is_made_alike(text: str, now: str) -> bool:
    """Return whether a module's *text* equals the one rendered *now*, line endings and version apart.

    The provenance lines must be at the same place and equal in every byte, apart from the version and the digest
    that depends on it; so must the lines of the head that state the version.
    """
    text, now = (each.replace("\r\n", "\n") for each in (text, now))
    then, wanted = (recorded(each) or {} for each in (text, now))
    version = str(then.get("version"))
    if len(version) > MAX_VERSION or not re.fullmatch(r"[!-~]*", version):
        return False
    text = text.replace(f" Version: {version}\n", f" Version: {wanted.get('version')}\n", 1)
    parts, made = (_MARK.split(each, maxsplit=1) for each in (text, now))
    if len(parts) != len(made) or parts[::2] != made[::2]:
        return False
    written = json.dumps(then, separators=(",", ":"), sort_keys=True)
    return parts[1] == written and then | {key: wanted.get(key) for key in ("version", "body")} == wanted


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogateescape")).hexdigest()

# SPDX-License-Identifier: Apache-2.0
"""Encode requests to the hive builder and decode its responses, one JSON document each way.

Responses are checked for shape and digest here; accept.py checks the hives.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ..base.errors import shorten
from ..base.process import EngineError
from ..hives.model import Hive

FORMAT = 1  # of request and response, see hivebuilder/__main__.py
FOREIGN_HIVEX = 4  # the builder's exit status when the module named hivex is another project's
NO_HIVEX = 3  # … and if hivex is missing
MAX_VERSION = 64  # characters of hivex's version

ROOT = Path(__file__).parents[2]
BUILDER = "generator/hivebuilder"


class Built(NamedTuple):
    """The bytes of each hive by id, and the version of hivex, "" without hivex."""

    hives: dict[str, bytes]
    hivex: str = ""


def exchange(name: str, run: Callable[[bytes], bytes], hives: Mapping[str, Hive]) -> Built:
    """Return *hives* as built by *run*, which sends a request to the engine *name*; raises EngineError."""
    response = run(encode_request(hives))
    try:
        return decode_response(response, hives.keys())
    except EngineError as error:
        raise EngineError(f"engine {name}: invalid response: {error}") from error


def encode_request(hives: Mapping[str, Hive]) -> bytes:
    """Return the builder's request for *hives*: JSON, in UTF-8; data is base64. The format is hivebuilder's."""
    import msgspec

    return msgspec.json.encode({"format": FORMAT, "hives": {name: {"keys": hive} for name, hive in hives.items()}})


def decode_response(response: bytes, ids: Collection[str]) -> Built:
    """Return the hives in the builder's *response*, UTF-8 JSON: exactly those of *ids*, in that order.

    Raises EngineError, which names the member, for a wrong type, a missing, unknown or duplicate member, invalid or
    non-canonical base64, or a wrong digest.
    """
    try:
        document = json.loads(response.decode("utf-8"), object_pairs_hook=_unique_members)
    except RecursionError as error:
        raise EngineError("JSON: nested too deeply") from error
    except ValueError as error:
        raise EngineError(f"invalid JSON: {error}" if response.strip() else "empty") from error
    members = _members(document, "response", ("format", "hivex", "hives"))
    if type(members["format"]) is not int or members["format"] != FORMAT:  # True is 1, and 1.0 is
        raise EngineError(f"format: not {FORMAT}")
    version = _text(members["hivex"], "hivex")
    if len(version) > MAX_VERSION or not version.isprintable():
        raise EngineError(f"hivex: invalid version, not at most {MAX_VERSION} printable characters")
    hives = _members(members["hives"], "hives", ids)
    return Built({name: _decode_hive(hives[name], f"hives.{name}") for name in ids}, version)


def _decode_hive(document: object, where: str) -> bytes:
    members = _members(document, where, ("sha256", "data"))
    digest, text = _text(members["sha256"], f"{where}.sha256"), _text(members["data"], f"{where}.data")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise EngineError(f"{where}.data: invalid base64: {error}") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise EngineError(f"{where}.data: non-canonical base64")
    if hashlib.sha256(data).hexdigest() != digest:
        raise EngineError(f"{where}.sha256: wrong digest of data")
    return data


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _members(value: object, where: str, names: Collection[str]) -> dict[str, object]:
    """Return *value*, which must be an object with exactly the members *names*."""
    if not isinstance(value, dict):
        raise EngineError(f"{where}: not an object")
    missing = [name for name in names if name not in value]
    unknown = [name for name in value if name not in names]
    if missing or unknown:
        problem, found = ("missing", missing) if missing else ("unknown", unknown)
        raise EngineError(f"{where}: {problem} {shorten(', '.join(found), 200)}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise EngineError(f"{where}: not a string")
    return value

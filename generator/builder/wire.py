# SPDX-License-Identifier: Apache-2.0
"""What passes between this program and the hive builder: one JSON document each way.

What the builder answers is checked here for shape and digest; whether it is the hive that was asked for is for
accept.py to tell.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from ..base.process import EngineError
from ..hives.model import Hive

FORMAT = 1  # of request and response, see hivebuilder/__main__.py
FOREIGN_HIVEX = 4  # the builder's exit status when the module named hivex is another project's
NO_HIVEX = 3  # … and when there is none
MAX_VERSION = 64  # characters, of what the builder says its hivex is; any real one is far shorter

ROOT = Path(__file__).parents[2]
BUILDER = "generator/hivebuilder"


class Built(NamedTuple):
    """Hives by id, the bytes of a regf file each, and the version of the hivex that wrote them; none: an empty one."""

    hives: dict[str, bytes]
    hivex: str = ""


def exchange(name: str, run: Callable[[bytes], bytes], hives: Mapping[str, Hive]) -> Built:
    """Return *hives* as *run*, of the engine called *name*, answers the request for them; raise EngineError if not."""
    response = run(encode_request(hives))
    try:
        return decode_response(response, hives.keys())
    except EngineError as error:
        raise EngineError(f"engine {name}: the hive builder's answer is unusable: {error}") from error


def encode_request(hives: Mapping[str, Hive]) -> bytes:
    """Return the builder's request for *hives*: JSON, in ASCII; data is base64. The format is hivebuilder's."""
    document = {
        "format": FORMAT,
        "hives": {
            name: {
                "keys": [
                    {
                        "path": list(key.path),
                        "values": [
                            {"name": v.name, "type": v.type, "data": base64.b64encode(v.data).decode("ascii")}
                            for v in key.values
                        ],
                    }
                    for key in hive
                ]
            }
            for name, hive in hives.items()
        },
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode_response(response: bytes, ids: Collection[str]) -> Built:
    """Return what the builder's *response*, UTF-8 JSON, holds: exactly the hives of *ids*, in that order.

    Raises EngineError, naming the place, when the response is not of its format: wrong type,
    missing, unknown or doubled member, loose base64, or a digest other than the data's.
    """
    try:
        document = json.loads(response.decode("utf-8"), object_pairs_hook=_unique_members)
    except RecursionError as error:
        raise EngineError("it is nested too deeply") from error
    except ValueError as error:
        raise EngineError(f"it is not JSON ({error})" if response.strip() else "it is empty") from error
    members = _members(document, "it", ("format", "hivex", "hives"))
    if type(members["format"]) is not int or members["format"] != FORMAT:  # True is 1, and 1.0 is
        raise EngineError(f"format is not {FORMAT}")
    version = _text(members["hivex"], "hivex")
    if len(version) > MAX_VERSION or not version.isprintable():
        raise EngineError(f"hivex is not a version: at most {MAX_VERSION} printable characters")
    hives = _members(members["hives"], "hives", ids)
    return Built({name: _decode_hive(hives[name], f"hives.{name}") for name in ids}, version)


def _decode_hive(document: object, where: str) -> bytes:
    members = _members(document, where, ("sha256", "data"))
    digest, text = _text(members["sha256"], f"{where}.sha256"), _text(members["data"], f"{where}.data")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise EngineError(f"{where}.data is not base64 ({error})") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise EngineError(f"{where}.data is not the one base64 of its bytes")
    if hashlib.sha256(data).hexdigest() != digest:
        raise EngineError(f"{where}.sha256 is not the digest of its data")
    return data


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a member twice")
    return members


def _members(value: object, where: str, names: Collection[str]) -> dict[str, object]:
    """Return *value* as an object that has the members *names* and no others."""
    if not isinstance(value, dict):
        raise EngineError(f"{where} is not an object")
    missing = [name for name in names if name not in value]
    unknown = [name for name in value if name not in names]
    if missing or unknown:
        verb, found = ("lacks", missing) if missing else ("has the unknown", unknown)
        raise EngineError(f"{where} {verb} {', '.join(found)[:200]}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise EngineError(f"{where} is not a string")
    return value

# SPDX-License-Identifier: Apache-2.0
"""The document that the hive builder answers."""

import hashlib
import json
import re

import pytest
from helpers.engines import HIVES, message, response, with_hive

from generator.base.process import EngineError
from generator.builder import wire
from generator.hives.model import REG_SZ, Key, Value

pytestmark = pytest.mark.usefixtures("plain")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (" ", "empty"),
        ("{", "invalid JSON"),
        ("null", "response: not an object"),
        ("[" * 99999, "JSON: nested too deeply"),
        (json.dumps(response()) * 2, "invalid JSON"),
        ('{"format": 1, "format": 1}', "invalid JSON: duplicate member"),
        ({}, "response: missing format, hivex, hives"),
        (response(more=1), "response: unknown more"),
        (response(**{"x" * 9999: 1}), "response: unknown x{199}…$"),
        (response(format=2), "format: not 1"),
        (response(format=True), "format: not 1"),
        (response(format=1.0), "format: not 1"),
        (response(format="1"), "format: not 1"),
        (response(hivex=None), "hivex: not a string"),
        (response(hivex="1" * 65), "hivex: invalid version, not at most 64"),
        (response(hivex="1\n2"), "hivex: invalid version"),
        (response(hives=[]), "hives: not an object"),
        (response(hives={"empty": [], "one key": []}), "hives.empty: not an object"),
        (with_hive(more=1), "hives.empty: unknown more"),
        (with_hive(sha256=1), "hives.empty.sha256: not a string"),
        (with_hive(sha256=hashlib.sha256(b"regf").hexdigest().upper()), "hives.empty.sha256: wrong digest"),
        (with_hive(data=None), "hives.empty.data: not a string"),
        (with_hive(data="cmVnZg"), "hives.empty.data: invalid base64"),
        (with_hive(data="cmVn\nZg=="), "hives.empty.data: invalid base64"),
        (with_hive(data="é"), "hives.empty.data: invalid base64"),
        (with_hive(data="cmVnZh=="), "hives.empty.data: non-canonical base64"),
    ],
)
def test_response_of_wrong_shape_is_refused(document: object, expected: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(EngineError) as failure:
        wire.decode_response(text.encode(), HIVES)
    assert re.match(expected, message(failure))


def test_response_in_invalid_utf8_is_refused() -> None:
    with pytest.raises(EngineError, match=r"^invalid JSON"):
        wire.decode_response(json.dumps(response()).encode("utf-16"), HIVES)


def test_hives_come_in_the_requested_order() -> None:
    document = response()
    document["hives"] = dict(reversed(document["hives"].items()))
    assert list(wire.decode_response(json.dumps(document).encode(), HIVES).hives) == list(HIVES)


def test_request_has_the_format_of_the_builder() -> None:
    hive = (Key(()), Key(("A", "B"), (Value("", REG_SZ, b"\xe4\0"),)))
    expected = {
        "keys": [{"path": [], "values": []}, {"path": ["A", "B"], "values": [{"name": "", "type": 1, "data": "5AA="}]}]
    }
    assert json.loads(wire.encode_request({"ä": hive})) == {"format": 1, "hives": {"ä": expected}}

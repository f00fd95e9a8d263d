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
        (" ", "it is empty"),
        ("{", "it is not JSON"),
        ("null", "it is not an object"),
        ("[" * 99999, "it is nested too deeply"),
        (json.dumps(response()) * 2, "it is not JSON"),
        ('{"format": 1, "format": 1}', "it is not JSON .an object has a member twice."),
        ({}, "it lacks format, hivex, hives"),
        (response(more=1), "it has the unknown more"),
        (response(**{"x" * 9999: 1}), "it has the unknown x{200}$"),
        (response(format=2), "format is not 1"),
        (response(format=True), "format is not 1"),
        (response(format=1.0), "format is not 1"),
        (response(format="1"), "format is not 1"),
        (response(hivex=None), "hivex is not a string"),
        (response(hivex="1" * 65), "hivex is not a version: at most 64"),
        (response(hivex="1\n2"), "hivex is not a version"),
        (response(hives=[]), "hives is not an object"),
        (response(hives={"empty": [], "one key": []}), "hives.empty is not an object"),
        (with_hive(more=1), "hives.empty has the unknown more"),
        (with_hive(sha256=1), "hives.empty.sha256 is not a string"),
        (with_hive(sha256=hashlib.sha256(b"regf").hexdigest().upper()), "hives.empty.sha256: wrong digest"),
        (with_hive(data=None), "hives.empty.data is not a string"),
        (with_hive(data="cmVnZg"), "hives.empty.data is not base64"),
        (with_hive(data="cmVn\nZg=="), "hives.empty.data is not base64"),
        (with_hive(data="é"), "hives.empty.data is not base64"),
        (with_hive(data="cmVnZh=="), "hives.empty.data is not the one base64 of its bytes"),
    ],
)
def test_a_response_of_another_shape_is_refused(document: object, expected: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(EngineError) as failure:
        wire.decode_response(text.encode(), HIVES)
    assert re.match(expected, message(failure))


def test_a_response_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(EngineError, match=r"^invalid JSON"):
        wire.decode_response(json.dumps(response()).encode("utf-16"), HIVES)


def test_hives_come_in_the_order_asked_for() -> None:
    document = response()
    document["hives"] = dict(reversed(document["hives"].items()))
    assert list(wire.decode_response(json.dumps(document).encode(), HIVES).hives) == list(HIVES)


def test_the_request_is_what_the_builder_reads() -> None:
    hive = (Key(()), Key(("A", "B"), (Value("", REG_SZ, b"\xe4\0"),)))
    expected = {
        "keys": [{"path": [], "values": []}, {"path": ["A", "B"], "values": [{"name": "", "type": 1, "data": "5AA="}]}]
    }
    assert json.loads(wire.encode_request({"ä": hive})) == {"format": 1, "hives": {"ä": expected}}

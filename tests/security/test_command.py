# SPDX-License-Identifier: Apache-2.0
"""The command that turns SDDL into the record that layers carry, and back."""

import re
from pathlib import Path

import pytest
from helpers.descriptors import FIELD

from generator.base.errors import GeneratorError
from generator.security.command import sddl

DOCUMENT = Path(__file__).parents[2] / "docs/security-descriptors.md"


def said(text: str, *, decode: bool = False) -> str:
    lines: list[str] = []
    assert sddl(text, decode=decode, say=lines.append) == 0
    (line,) = lines
    return line


@pytest.mark.parametrize("name", FIELD)
def test_the_record_of_a_descriptor_of_the_field_is_made_and_read(name: str) -> None:
    assert said(FIELD[name].text) == FIELD[name].base64
    assert said(FIELD[name].base64, decode=True) == FIELD[name].text


def test_the_examples_of_the_document_come_out_as_it_shows() -> None:
    examples = re.findall(r"^\$ winscratch sddl (--decode )?(\S+)\n(.+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert len(examples) >= 3
    for decode, argument, shown in examples:
        try:
            printed = said(argument.strip("'"), decode=bool(decode))
        except GeneratorError as error:
            printed = f"error: {error}"
        assert printed == shown


def test_each_descriptor_of_the_documents_table_is_what_its_text_makes() -> None:
    rows = re.findall(r"^\| .* \| `(O:\S+)` \| (\d+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert {text: int(size) for text, size in rows} == {field.text: field.size for field in FIELD.values()}


@pytest.mark.parametrize(
    ("text", "decode", "message"),
    [
        ("O:BUG:XY", False, "O:BUG:XY: at character 7: unknown alias XY"),
        ("AQAA*", True, "AQAA*: at character 5: '*' is not in base64"),
        ("AQA", True, "AQA: invalid base64: Incorrect padding"),
        ("AQAA", True, "AQAA: at byte 0 of the descriptor: the descriptor has 3 bytes"),
        (
            "AQAEgAAAAAAAAAAAAAAAABQAAAACABwAAQAAAAkAFAD/AR8AAQEAAAAAAAEAAAAA",
            True,
            "AQAEgAAAAAAAAAAAAAAAABQAAAACABwAAQAAAAkAFAD/AR8AAQEAAAAAAAEAAAAA: "
            "D: has an entry of type 9 that SDDL's plain entries have no form for",
        ),
    ],
)
def test_an_error_has_its_position(text: str, decode: bool, message: str) -> None:
    with pytest.raises(GeneratorError) as caught:
        said(text, decode=decode)
    assert str(caught.value) == message

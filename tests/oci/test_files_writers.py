# SPDX-License-Identifier: Apache-2.0
"""The facts about layers on top, held against other sources of them."""

import base64
import json
import re
import struct
import subprocess
from pathlib import Path

import pytest
from helpers.support import lack, need

from generator.base.errors import GeneratorError
from generator.oci import files

FACTS = files.facts()
CAPITALS = FACTS.capitals()
WINE = Path("/usr/share/wine/nls/l_intl.nls")

# What BuildKit and imgutil write, as it stands in layers in the field.
FIELD = {
    (
        "users-read",
        0,
    ): """AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAAAxgA/wEfAAECAAAAAAAFIAAAACACAA
        AAAxQA/wEfAAEBAAAAAAAFEgAAAAAAGAD/AR8AAQIAAAAAAAUgAAAAIAIAAAALFAAAAAAQAQEAAAAAAAMAAAAAAAMYAKkAEgABAgAAAAAABSAAAAAhAgAA
        AAIYAAQAAAABAgAAAAAABSAAAAAhAgAAAAIYAAIAAAABAgAAAAAABSAAAAAhAgAA""",
    (
        "users-read",
        1,
    ): """AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAAFIAAAACACAA
        AAABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA==""",
    ("user-owned", 1): "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==",
    ("admin-owned", 1): "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAgAgAAAQIAAAAAAAUgAAAAIAIAAA==",
}


@pytest.mark.parametrize(("name", "which"), FIELD)
def test_the_descriptors_are_those_of_layers_in_the_field(name: str, which: int) -> None:
    assert FACTS.compiled()[name][which] == base64.b64decode("".join(FIELD[name, which].split()))


def test_only_one_name_stands_for_no_descriptor() -> None:
    assert [name for name, both in FACTS.compiled().items() if both == (b"", b"")] == ["none"]


def test_runs_are_in_order_and_hold_no_surrogate() -> None:
    before = -1
    for first, last, step, _ in FACTS.folding.runs:
        assert before < first <= last
        assert step in {1, 2}
        assert (last - first) % step == 0
        before = last
    assert all(not 0xD800 <= unit < 0xE000 and not 0xD800 <= capital < 0xE000 for unit, capital in CAPITALS.items())


def test_a_capital_is_its_own_capital() -> None:
    assert not set(CAPITALS) & set(CAPITALS.values())


def test_python_knows_the_same_capitals_where_it_has_one_for_one() -> None:
    """Where Python writes a capital as two letters, its title case is Unicode's simple mapping."""
    for unit in range(0x10000):
        capital = chr(unit).upper()
        if len(capital) == 1 and capital <= "\uffff" and (capital.lower() == chr(unit) or chr(unit) == "ς"):
            assert CAPITALS.get(unit, unit) == ord(capital), f"U+{unit:04X}"
        elif unit in CAPITALS:
            assert len(capital) > 1
            assert chr(unit).title() == chr(CAPITALS[unit]), f"U+{unit:04X}"


GO = """package main
import ("fmt"; "unicode")
func main() {
	fmt.Printf("{%q: %q", "version", unicode.Version)
	for r := rune(0); r < 0x10000; r++ {
		if u := unicode.ToUpper(r); u != r && u < 0x10000 && (unicode.ToLower(u) == r || r == 0x3C2) {
			fmt.Printf(", \\"%d\\": %d", r, u)
		}
	}
	fmt.Println("}")
}
"""


def test_go_knows_the_same_capitals(tmp_path: Path) -> None:
    """Go has UnicodeData's simple mappings. A later version can give a letter a capital, but take none away."""
    (tmp_path / "main.go").write_text(GO)
    command = [need("go"), "run", str(tmp_path / "main.go")]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    version = found.pop("version")
    theirs = {int(unit): capital for unit, capital in found.items()}
    assert CAPITALS.items() <= theirs.items()
    if version == FACTS.folding.unicode:
        assert theirs == CAPITALS


def test_wine_compares_names_by_the_same_capitals() -> None:
    """Wine's file has the form of Windows': words, looked up by bits 8 to 15 of a unit, then 4 to 7, then 0 to 3."""
    if not WINE.exists():
        lack(f"{WINE} not found")
    raw = WINE.read_bytes()
    table: tuple[int, ...] = struct.unpack(f"<{len(raw) // 2}H", raw)[2:]

    def capital(unit: int) -> int:
        return (unit + table[table[table[unit >> 8] + (unit >> 4 & 15)] + (unit & 15)]) & 0xFFFF

    theirs = {unit: capital(unit) for unit in range(0x10000) if capital(unit) != unit}
    assert theirs | {0x3C2: 0x3A3} == CAPITALS  # Windows does not fold the final sigma; the writers refuse it anyway


def test_reasons_have_their_numbers_and_fit_behind_a_path() -> None:
    for code, reason in FACTS.reasons().items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert re.fullmatch(r"[a-z][ -~]+", reason)
        assert not set(reason) & set('{}"\\')  # it goes into string literals as it is
    assert "32,756" in FACTS.reasons()["path-long"]


BROKEN = {
    "no TOML": (b"roots = [", b"roots = ]", "Invalid value"),
    "a missing table": (b"[records]", b"[limits.records]", "unknown field `records`"),
    "a missing key": (b"part = 255", b"", "missing required field `part`"),
    "a word too many": (b"[limits]", b"[limits]\nlimit = 1", "unknown field `limit`"),
    "no SDDL": (b'file = "O:BAG:BA"', b'file = "BA"', "must stand here"),
    "an unknown fact in a reason": (b"{part}", b"{pieces}", "pieces"),
    "a unit above 16 bits": (b"0xFF5A", b"0x1FF5A", "<= 65535"),
}


@pytest.mark.parametrize(("right", "wrong", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_facts_are_one_line_that_names_the_file(right: bytes, wrong: bytes, words: str) -> None:
    raw = files.FACTS.read_bytes()
    assert right in raw
    with pytest.raises(GeneratorError, match=words) as refused:
        files.parse(raw.replace(right, wrong, 1), files.SHOWN)
    assert str(refused.value).startswith("generator/oci/files.toml: ")

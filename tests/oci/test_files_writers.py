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
    "no TOML": ("roots = [", "roots = ]", "Invalid value"),
    "a missing table": ("[records]", "[limits.records]", "unknown field `records`"),
    "a missing key": ("part = 255", "", "missing required field `part`"),
    "a word too many": ("[limits]", "[limits]\nlimit = 1", "unknown field `limit`"),
    "no SDDL": ('file = "O:BAG:BA"', 'file = "BA"', "must stand here"),
    "an unknown fact in a reason": ("{part}", "{pieces}", "pieces"),
    "a unit above 16 bits": ("0xFF5A", "0x1FF5A", "<= 65535"),
    "a root twice": ('["Hives", "Files"]', '["Hives", "Files", "Files"]', "roots: not different names"),
    "a root that is not a name": ('["Hives", "Files"]', '["Hives", "Files", "a/b"]', "roots: not different names"),
    "users below no root": ('users_root = "Files"', 'users_root = "Documents"', "users_root: not one of roots"),
    "users among hives": ('users_root = "Files"', 'users_root = "Hives"', "hives_root: the same as users_root"),
    "another prefix": ('whiteout = ".wh."', 'whiteout = "wh/"', "whiteout: not letters between dots"),
    "records out of order": ('"LIBARCHIVE.creationtime"', '"creationtime"', "records.attributes.key: not in the order"),
    "a record twice": ('"ctime"', '"atime"', "records.changed.key: not in the order"),
    "a record that ends early": ('"mtime"', '"m=time"', "records.modified.key: not letters, digits and dots"),
    "an impossible condition": ('when = "large"', 'when = "long"', "records.size.when: not large"),
    "an unknown condition": ('when = "large"', 'when = "never"', "Invalid enum value 'never'"),
    "an unknown source": ('source = "pax"', 'source = "hearsay"', "Invalid enum value 'hearsay'"),
    "a record too many": ("size = { key", "owner = { key", "records.size: missing"),
    "two bits": ("hidden = 2", "hidden = 3", "attributes.settable.hidden: not one bit of 32"),
    "a bit twice": ("hidden = 2", "hidden = 4", "attributes.settable.system: the same bit as settable.hidden"),
    "the bit of directories": ("hidden = 2", "hidden = 16", "attributes.settable.hidden: the same bit as directory"),
    "an attribute's wrong name": ("hidden = 2", "Hidden = 2", "attributes.settable.Hidden: not words of small letters"),
    "a missing kind": ("[kinds.whiteout]", "[kinds.removal]", "kinds.whiteout: missing"),
    "another type": ('type = "5"', 'type = "6"', "kinds.directory.type: not 5"),
    "a mode of four digits": ("mode = 0o755", "mode = 0o1755", "kinds.directory.mode: not permissions"),
    "an impossible attribute": ("attributes = 1040", "attributes = 1024", "kinds.directory-link.attributes: not 1040"),
    "a default that nobody can set": ("default = 32", "default = 64", "kinds.file.default: not a sum of settable"),
    "a hard link's attribute": ('type = "1"', 'type = "1"\ndefault = 32', "kinds.hard-link.attributes: such entries"),
    "a limit of nothing": ("names = 1024", "names = 0", "limits.names: not from 1"),
    "a part longer than a path": ("part = 255", "part = 40000", "limits.part: above the limit"),
    "a directory longer than a part": ("directory = 245", "directory = 300", "limits.directory: above the limit"),
    "more parts than a path has": ("path = 32756", "path = 1000", "limits.parts: above the limit"),
    "a small descriptor": ("descriptor = 65535", "descriptor = 19", "limits.descriptor: a security descriptor has"),
    "half a step": (
        "time_most = 9223372036854775800",
        "time_most = 9223372036854775807",
        "limits.time_most: not a mult",
    ),
    "a default outside": ("default_time = 3", "default_time = -3", "limits.default_time: not from 1"),
    "a time above 64 bits": ("time_most = 92", "time_most = 192", "limits.time_most: not from 1"),
    "a control too many": ("controls = 32", "controls = 33", "names.controls: not from 1 to 32"),
    "a slash among characters": ('endings = ". "', 'endings = ". /"', "names.endings: not different printable"),
    "more for targets": ("target_characters = '<", "target_characters = '#<", "names.target_characters: more than"),
    "a device in small letters": ('"CON",', '"con",', "names.devices: 'con' is not a name in capitals"),
    "a device twice": ('"CON",', '"CON", "CON",', "names.devices: a name is there twice"),
    "half a descriptor": ("[descriptors.none]", '[descriptors.none]\nfile = "O:BA"', "descriptors.none: only one of"),
    "a missing error": ("part-long =", "part-short =", "errors.part-long: missing"),
    "an error that ends a string": ('closed = "the', 'closed = "the \\"', "errors.closed: not printable ASCII"),
    "an error not in ASCII": ('closed = "the', 'closed = "thé', "errors.closed: not printable ASCII"),
    "runs out of order": ("[0xFF41,", "[0x0041,", "not in order, or no step"),
    "a capital's capital": ("[0xFF41, 0xFF5A, 1, 0xFF21]", "[0xFF41, 0xFF5A, 1, 0x0061]", "a capital has a capital"),
    "a surrogate": ("[0xFF41, 0xFF5A, 1, 0xFF21]", "[0xFF41, 0xFF5A, 1, 0xDC00]", "holds a surrogate"),
}


@pytest.mark.parametrize(("right", "wrong", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_facts_are_one_line_that_names_the_key(right: str, wrong: str, words: str) -> None:
    raw = files.FACTS.read_text("utf-8")
    assert right in raw
    with pytest.raises(GeneratorError, match=re.escape(words)) as refused:
        files.parse(raw.replace(right, wrong, 1).encode(), files.SHOWN)
    line = str(refused.value)
    assert line.startswith("generator/oci/files.toml: ")
    assert line.isprintable()

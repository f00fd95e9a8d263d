# SPDX-License-Identifier: Apache-2.0
"""Invisible and bidirectional characters in names: views escape them, JSON keeps them."""

import contextlib
import html
import io
import json
import re
import sys
import tarfile
import unicodedata
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make
from helpers.views import document, layout, printed, run

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.cli import parser
from generator.hives.model import REG_SZ, Value

UNSEEN = [
    chr(code) for code in range(1, sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp"}
]
NAMES = [f"a{''.join(UNSEEN[at : at + 12])}b" for at in range(0, len(UNSEEN), 12)]
NAMES.append("a\udc80\udcffb")  # bytes that are invalid UTF-8
BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x1b\u2028\u2029\ufeff"


def escaped(name: str) -> str:
    """Return a name as views show it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def layer(word: str = "") -> bytes:
    """Return a layer with a file of each name, whose content is *word*."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for name in NAMES:
            entry = tarfile.TarInfo(f"Files/{name}")
            entry.size = len(word)
            archive.addfile(entry, io.BytesIO(word.encode()))
    return kept.getvalue()


def check(shown: str) -> None:
    """Fail unless *shown* has every name escaped and none of these characters."""
    assert not {*UNSEEN, "\0", *NAMES[-1][1:-1]} & {*shown} - {"\n"}
    for name in NAMES:
        assert escaped(name) in shown


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a directory with layers, a hive and an image that contain the names; return it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_bytes(layer())
    (tmp_path / "new").write_bytes(layer("word"))
    keys = [
        Node(f"{number:03d}{name}".replace("\\", "/"), values=[Value(name, REG_SZ, b"")])
        for number, name in enumerate(each for each in NAMES if not re.search("[\udc80-\udcff]", each))
    ]
    (tmp_path / "hive").write_bytes(make(Node("root", subkeys=keys)).data)
    layout(tmp_path / "image", [layer()])
    return tmp_path


def test_the_list_of_invisible_characters_is_complete() -> None:
    assert {*BIDI} < {*UNSEEN}
    assert "".join(NAMES).replace("a", "").count("b") == len(NAMES)
    assert len(UNSEEN) > 220


@pytest.mark.usefixtures("place")
def test_inspect_and_diff_escape_invisible_characters() -> None:
    check("\n".join(printed("inspect", "old")))
    check("\n".join(printed("inspect", "oci:image")))
    check("\n".join(printed("diff", "old", "new", status=1)))
    check("\n".join(printed("diff", "old", "new", "--stat", status=1)))
    shown = "\n".join(printed("inspect", "hive"))
    assert not {*UNSEEN} & {*shown} - {"\n"}
    assert all(escaped(c) in shown for c in BIDI)


@pytest.mark.usefixtures("place")
def test_check_image_escapes_invisible_characters() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert parser.main(["check-image", "oci:image"]) == 1
    shown = out.getvalue()
    assert not {*UNSEEN} & {*shown} - {"\n"}
    status, text = run("check-image", "oci:image", "--json")
    named = {finding["entry"] for finding in json.loads(text)[0]["findings"]} - {""}
    assert status == 1
    assert named < {f"Files/{name}" for name in NAMES}
    assert len(named) >= 3  # findings of one rule are listed up to a number
    assert all(escaped(name) in shown for name in named)


@pytest.mark.usefixtures("place")
def test_json_keeps_invisible_characters_in_ascii() -> None:
    for words in (("inspect", "old"), ("inspect", "hive"), ("diff", "old", "new")):
        status = int(words[0] == "diff")
        assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in run(*words, "--json")[1])
        made = document(*words, status=status)
        if words[0] == "diff":
            assert {change["entry"] for change in made["changes"]} >= {f"Files/{name}" for name in NAMES}
        elif words[1] == "old":
            assert [entry["path"] for entry in made["opened"][0]["entries"]] == [f"Files/{name}" for name in NAMES]
        else:
            values = {value["name"] for key in made["opened"][0]["hive"]["keys"] for value in key["values"]}
            assert {c for name in values for c in name} >= {*BIDI}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_errors_escape_invisible_characters(form: tuple[str, ...]) -> None:
    for name in NAMES:
        if re.search("[\udc80-\udcff]", name):
            continue
        with pytest.raises(GeneratorError, match="is not a hive, so it has no keys") as failure:
            run("inspect", "old", "--path", f"Files/{name}\\key", *form)
        assert f"Files/{escaped(name)} is" in str(failure.value)


def test_the_report_escapes_invisible_characters_and_keeps_them_in_its_data(place: Path) -> None:
    assert run("report", "old", "new", "hive", "--to", "page.html")[0] == 0
    page = (place / "page.html").read_text("utf-8")
    assert not {*UNSEEN} & {*page} - {"\n"}
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert [line[2] for line in data["subjects"][0]["tree"]] == NAMES
    assert [entry[0] for entry in data["subjects"][0]["entries"]] == [f"Files/{name}" for name in NAMES]
    text = html.unescape(re.sub(r"<script.*?</script>|<style>.*?</style>|<[^>]*>", "", page, flags=re.DOTALL))
    check(text)


def test_the_reports_script_escapes_all_invisible_characters() -> None:
    source = (ROOT / "templates/report/read.js").read_text("utf-8")
    assert r"const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;" in source
    assert {unicodedata.category(c)[0] for c in UNSEEN} == {"C", "Z"}

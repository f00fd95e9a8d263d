# SPDX-License-Identifier: Apache-2.0
"""`inspect` of damaged files shows them up to the damage; untrusted text is escaped on terminals and in JSON."""

import gzip
import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make, text
from helpers.views import document, layout, printed, run, tar

from generator.base import console
from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.hives.model import REG_BINARY, REG_MULTI_SZ, REG_SZ, Value
from generator.views import resolve, spool, unpacked_layers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOB = (ROOT / "output/layers/scratch.tar.gz").read_bytes()
TAR = gzip.decompress(BLOB)


# Damage


@pytest.mark.parametrize("size", [100, 600, 1100, len(BLOB) - 1])
def test_inspect_shows_a_truncated_gzip_up_to_its_end(size: int, tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(BLOB[:size])
    (found,) = document("inspect", tmp_path / "layer", status=1)["opened"]
    assert {"part": "gzip", "offset": size, "message": "it ends too early"} in found["damage"]
    assert (found["diffID"], found["compressedSize"]) == (None, size)
    assert [entry["path"] for entry in found["entries"]][:1] == ["UtilityVM"] * (size > 100)
    shown = printed("inspect", tmp_path / "layer", status=1)
    assert f"  the gzip is damaged at byte {size:,}: it ends too early" in shown
    assert "  diff ID  unknown, since it is damaged" in shown
    assert (size < 1000) != ('                        Element  REG_SZ  "winscratch"' in shown)


def test_inspect_shows_a_gzip_up_to_the_invalid_byte(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(BLOB[:900] + b"\xff" * 8 + BLOB[908:])
    (found,) = document("inspect", tmp_path / "layer", status=1)["opened"]
    assert found["damage"][0]["part"] == "gzip"
    assert 900 <= found["damage"][0]["offset"] < len(BLOB)
    assert len(found["entries"]) >= 6


def test_inspect_reads_gzip_members_and_reports_trailing_bytes(tmp_path: Path) -> None:
    for data, status in (
        (gzip.compress(TAR[:1000]) + gzip.compress(TAR[1000:]), 0),
        (BLOB + bytes(1000), 1),
        (BLOB + b"more", 1),
        (BLOB + BLOB[:30], 1),
    ):
        (tmp_path / "layer").write_bytes(data)
        (found,) = document("inspect", tmp_path / "layer", status=status)["opened"]
        assert len(found["entries"]) == 15


@pytest.mark.parametrize("size", [512 * 3 + 100, 512 * 9, len(TAR) - 2000])
def test_inspect_shows_a_truncated_tar_up_to_its_end(size: int, tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(TAR[:size])
    (found,) = document("inspect", tmp_path / "layer", status=1)["opened"]
    assert [damage["part"] for damage in found["damage"]] == ["tar"]
    assert [entry["path"] for entry in found["entries"]][:3] == ["UtilityVM", "UtilityVM/Files", "UtilityVM/Files/EFI"]
    assert any(
        line.startswith("  the tar is damaged at byte ") for line in printed("inspect", tmp_path / "layer", status=1)
    )


def test_inspect_shows_a_tar_up_to_an_invalid_header(tmp_path: Path) -> None:
    at = TAR.index(b"Files/Windows/System32\0")
    (tmp_path / "layer").write_bytes(TAR[:at] + b"X" + TAR[at + 1 :])
    (found,) = document("inspect", tmp_path / "layer", status=1)["opened"]
    assert found["damage"] == [{"part": "tar", "offset": at, "message": "not a tar header: its checksum is wrong"}]
    assert [entry["path"] for entry in found["entries"]][-1] == "Files/Windows"


def test_inspect_shows_a_hive_around_its_damage(tmp_path: Path) -> None:
    made = make(Node("root", subkeys=[Node("a"), Node("b", subkeys=[Node("below")]), Node("c")]))
    made.data[made.at["key b"]] = 0
    (tmp_path / "hive").write_bytes(made.data)
    shown = printed("inspect", tmp_path / "hive", status=1)
    assert [line.split()[0] for line in shown[2:4]] == ["a", "c"]
    assert re.match(r"  refused: offset 0x[0-9a-f]+: found: the key begins with ", shown[4])
    assert shown[-1].endswith("hive that Windows refuses or repairs")
    (found,) = document("inspect", tmp_path / "hive", status=1)["opened"]
    assert [finding["rule"] for finding in found["hive"]["findings"]] == ["key-signature"]


def test_textconv_shows_a_damaged_file_with_status_0(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(BLOB[:900])
    shown = printed("inspect", tmp_path / "layer", "--textconv")
    assert shown[0].startswith("layer, ")
    assert "  the gzip is damaged at byte 900: it ends too early" in shown


def test_inspect_shows_a_truncated_hive(tmp_path: Path) -> None:
    values = [Value("long", REG_BINARY, bytes(6000))]
    data = bytes(make(Node("root", subkeys=[Node("a"), Node("b", values=values)])).data)
    for size in (5000, 9000, len(data) - 4096):
        (tmp_path / "hive").write_bytes(data[:size])
        status, shown = run("inspect", tmp_path / "hive")
        assert status == 1
        assert b"refused: offset 0x" in shown


def test_inspect_shows_a_layout_with_missing_and_replaced_layers(tmp_path: Path) -> None:
    folder = layout(tmp_path / "image", [TAR, tar([("Files", None, {})])])
    manifest = next(
        json.loads(path.read_bytes())
        for path in (folder / "blobs/sha256").iterdir()
        if b'"layers": [{' in path.read_bytes()
    )
    first, second = (folder / "blobs/sha256" / layer["digest"][7:] for layer in manifest["layers"])
    second.write_bytes(gzip.compress(tar([("Hives", None, {})]), mtime=0))
    shown = printed("inspect", f"oci:{folder}", status=1)
    assert '                          Element  REG_SZ  "winscratch"' in shown
    assert "    Hives/  directory" in shown
    assert any(" its digest is sha256:" in line for line in shown)
    first.unlink()
    shown = printed("inspect", f"oci:{folder}", status=1)
    assert any("cannot be read: No such file" in line for line in shown)
    assert "    Hives/  directory" in shown
    (folder / "index.json").write_text("{")
    with pytest.raises(GeneratorError, match=r"index\.json"):
        run("inspect", f"oci:{folder}")


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b", b"hello", gzip.compress(b"hello", mtime=0), bytes(100), b"\xff" * 5000]
)
def test_inspect_refuses_other_files(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(GeneratorError, match=r"file: neither a layer .* with gzip or zstd\) nor a registry hive$"):
        run("inspect", tmp_path / "file")
    assert printed("inspect", tmp_path / "file", "--textconv")[0].startswith("cannot be shown: ")


def test_inspect_refuses_pipes_directories_and_compressed_hives(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    hive = bytes(make(Node("root")).data)
    (tmp_path / "hive.gz").write_bytes(gzip.compress(hive))
    (tmp_path / "hive.zst").write_bytes(zstd.compress(hive))
    (tmp_path / "hive.LOG1").write_bytes(hive[:28] + b"\6" + hive[29:512] + b"HvLE")
    for name, wrong in (
        ("pipe", "not a regular file"),
        ("none", "file, layer or git revision not found"),
        ("a\0b", "file, layer or git revision not found"),
        (".", "a directory without the file oci-layout"),
        ("hive.gz", "a compressed hive; hint: extract the hive: gzip -dc "),
        ("hive.zst", "a compressed hive; hint: extract the hive: zstd -dc "),
        ("hive.LOG1", "a transaction log of a registry hive"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            run("inspect", f"{tmp_path}/{name}")


def test_inspect_refuses_a_gzip_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked_layers, "MAX_UNPACKED", 1 << 20)
    (tmp_path / "layer").write_bytes(gzip.compress(bytes(1 << 24)))
    with pytest.raises(GeneratorError, match=r"more than 1,048,576 bytes in all, unpacked"):
        run("inspect", tmp_path / "layer")


def test_layers_of_an_image_share_one_limit_and_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked_layers, "MAX_UNPACKED", 1 << 20)
    one, other = (tar([("Files", None, {}), ("Files/a", bytes([each]) * 600_000, {})]) for each in (1, 2))
    layout(tmp_path / "same", [one] * 5)
    assert sum("Files/" not in line and "layer, " in line for line in printed("inspect", tmp_path / "same")) == 5
    layout(tmp_path / "image", [one, other])
    with pytest.raises(GeneratorError, match=r"more than 1,048,576 bytes in all, unpacked"):
        run("inspect", tmp_path / "image")


def test_entries_use_memory_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked_layers, "MAX_KEPT", 1 << 20)
    (tmp_path / "layer").write_bytes(tar([(f"Files/{i}", b"", {"k": "a" * 100_000}) for i in range(50)]))
    shown = printed("inspect", tmp_path / "layer", status=1)
    assert "its entries need more than 1,048,576 bytes of memory" in shown[-1]
    assert len(shown) < 15


def test_an_unpacked_layer_survives_truncation_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_IN_MEMORY", 1 << 16)
    content = tar([("Files/a", bytes(range(256)) * (1 << 13), {}), ("Files/zeros", bytes(1 << 20), {})])
    (tmp_path / "layer").write_bytes(content)
    (layer,) = resolve.open_paths([str(tmp_path / "layer")])
    os.truncate(tmp_path / "layer", 0)
    assert isinstance(layer, unpacked_layers.UnpackedLayer)
    assert layer.tar[:] == content
    assert layer.tar[1 << 21 :] == content[1 << 21 :]
    assert b"".join(layer.tar.chunks()) == content


def test_out_of_memory_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise MemoryError

    assert console.status_of(fail) == 2
    assert capsys.readouterr().err == "error: memory: exhausted; hint: free some, or raise the limit\n"


@pytest.mark.parametrize("name", ["oci:x.hive", "scratch", "docker:x", "HEAD:x"])
def test_textconv_takes_its_argument_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_bytes(make(Node("root", subkeys=[Node("here")])).data)
    monkeypatch.chdir(tmp_path)
    assert "    here" in printed("inspect", "--textconv", name)
    (tmp_path / name).unlink()
    assert printed("inspect", "--textconv", name)[0].startswith("cannot be shown: ")


# Untrusted text

MARKUP = "[bold red]x[/] <script>alert(1)</script> &amp; {{ 1 }} \\[b]"
CONTROLS = "\x1b[31m\x07\x08\r\n\x9b2J\x00\x7f\t"
BIDI = "\u202eexe.\u202c\u2066x\u2069\u200b\ufeff\u2028"
LOGS = "::error::x ##[error]x ##vso[task.complete]"
LONG = "a" * (1 << 20)


def hive_with(word: str) -> bytes:
    """Return a hive with *word* in every place for text."""
    name = word.replace("\\", "/")[:200]
    values = [
        Value(word[:16000], REG_SZ, text(word)),
        Value("list", REG_MULTI_SZ, f"{word.replace(chr(0), '')}\0b\0\0".encode("utf-16-le")),
    ]
    return bytes(make(Node("root", values=[values[1]], subkeys=[Node(name, values=values, class_name=name)])).data)


def layer_with(word: str) -> bytes:
    """Return a layer with *word* in every place for text."""
    name = word.replace("\0", "").replace("/", "_")
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo(f"Files/{name}")
        entry.pax_headers = {"MSWINDOWS.fileattr": name[:1000], "MSWINDOWS.rawsd": name[:1000], "comment": name[:1000]}
        archive.addfile(entry)
        link = tarfile.TarInfo("Files/link")
        link.type, link.linkname = tarfile.SYMTYPE, name
        archive.addfile(link)
    return kept.getvalue()


WORDS = {"markup": MARKUP, "controls": CONTROLS, "bidi": BIDI, "logs": LOGS, "long": LONG[: 1 << 19]}


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("make_one", [hive_with, layer_with], ids=["hive", "layer"])
@pytest.mark.parametrize("drawn", [False, True], ids=["plain", "drawn"])
def test_untrusted_text_is_escaped_on_a_terminal(
    kind: str, make_one: Callable[[str], bytes], drawn: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    if drawn:
        monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / "file").write_bytes(make_one(WORDS[kind]))
    shown = run("inspect", tmp_path / "file")[1].decode()
    ours = re.sub(r"\x1b\[[0-9;]*m", "", shown) if drawn else shown
    assert all(char.isprintable() or char == "\n" for char in ours)
    assert not re.search(r"^\s*::|##\w*\[", ours, re.MULTILINE)
    assert len(ours) < 20_000
    flat = re.sub(r"[\s│├└─]", "", ours)
    if kind == "markup":
        assert re.sub(r"\s", "", MARKUP if make_one is hive_with else MARKUP.replace("/", "_"))[:30] in flat
    elif kind == "long":
        assert "characters)" in ours
    elif kind == "bidi":
        assert r"\u202e" in flat


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("make_one", [hive_with, layer_with], ids=["hive", "layer"])
def test_untrusted_text_is_complete_and_escaped_in_json(
    kind: str, make_one: Callable[[str], bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(make_one(WORDS[kind]))
    (found,) = document("inspect", tmp_path / "file")["opened"]
    raw = run("inspect", tmp_path / "file", "--json")[1]
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in raw)
    assert b"##[" not in raw
    assert b"##vso[" not in raw
    if make_one is hive_with:
        value = found["hive"]["keys"][1]["values"][0]
        assert (value["name"], value["data"]) == (WORDS[kind][:16000], WORDS[kind])
    else:
        name = WORDS[kind].replace("\0", "").replace("/", "_")
        assert (found["entries"][0]["path"], found["entries"][1]["target"]) == (f"Files/{name}", name)


@pytest.mark.parametrize("kind", WORDS)
def test_untrusted_text_is_escaped_in_dumps_stores_and_images(kind: str, tmp_path: Path) -> None:
    word = WORDS[kind]
    (tmp_path / "hive").write_bytes(hive_with(word))
    element = Node("12000004", values=[Value("Element", REG_SZ, text(word))])
    about = Node("Description", values=[Value("Type", 4, (0x10200003).to_bytes(4, "little"))])
    one = Node("{6a6c1f1b-59d4-11ea-9438-9402e6abd998}", subkeys=[about, Node("Elements", subkeys=[element])])
    (tmp_path / "BCD").write_bytes(make(Node("root", subkeys=[Node("Objects", subkeys=[one])])).data)
    layout(tmp_path / "image", [tar([("Files", None, {})])], config={"config": {"Labels": {word: word}, "User": word}})
    for words in (("hive", "--hex", ".", "--length", "20000"), ("BCD", "--bcd"), ("image",)):
        shown = run("inspect", tmp_path / words[0], *words[1:])[1].decode()
        assert all(char.isprintable() or char == "\n" for char in shown), words
        assert not re.search(r"^\s*::|##\w*\[", shown, re.MULTILINE)


def test_invalid_utf8_is_kept_in_json(tmp_path: Path) -> None:
    made = tar([("Files/abc", b"", {})]).replace(b"Files/abc", b"Files/\xff\xfe\xfd")
    header = bytearray(made[:512])
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "layer").write_bytes(bytes(header) + made[512:])
    (found,) = document("inspect", tmp_path / "layer")["opened"]
    assert found["entries"][0]["path"] == "Files/\udcff\udcfe\udcfd"
    assert printed("inspect", tmp_path / "layer")[2].split()[0] == r"Files/\udcff\udcfe\udcfd"

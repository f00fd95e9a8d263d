# SPDX-License-Identifier: Apache-2.0
"""`diff` of layers, images and hives: differences in meaning, then in bytes, and the exit status."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.hive_maker import Node, make, text
from helpers.views import document, index, layout, printed, run, tar

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.cli import parser
from generator.hives.model import REG_DWORD, REG_SZ, Value
from generator.views import comparison

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"


def hive(tmp_path: Path, name: str, root: Node) -> Path:
    (tmp_path / name).write_bytes(make(root).data)
    return tmp_path / name


def test_diff_of_equal_layers_prints_nothing(tmp_path: Path) -> None:
    assert run("diff", "scratch", "scratch") == (0, b"")
    assert run("diff", "scratch", "scratch", "--stat") == (0, b"")
    assert document("diff", "scratch", ROOT / "output/layers/scratch.tar.gz")["equal"] is True
    layout(tmp_path / "image", [tar([("Files", None, {})])])
    assert run("diff", f"oci:{tmp_path}/image", f"{tmp_path}/image")[0] == 0


def test_diff_prints_keys_and_values_before_bytes(tmp_path: Path) -> None:
    common = [Value("same", REG_DWORD, bytes(4)), Value("number", REG_DWORD, bytes(4))]
    old = hive(
        tmp_path, "old", Node("root", values=common, subkeys=[Node("gone", values=[Value("x", REG_SZ, text("y"))])])
    )
    common = [
        Value("same", REG_DWORD, bytes(4)),
        Value("number", REG_DWORD, b"\1\0\0\0"),
        Value("", REG_SZ, text("new")),
    ]
    new = hive(tmp_path, "new", Node("root", values=common, subkeys=[Node("come")]))
    shown = printed("diff", old, new, status=1)
    assert shown[: shown.index("in bytes")] == [
        "in meaning",
        r"    ~  \  number  REG_DWORD 0x00000000 (0)  →  REG_DWORD 0x00000001 (1)",
        r'    +  \  (default)  REG_SZ "new"',
        r"    +  \come",
        r"    -  \gone",
        r'    -  \gone  x  REG_SZ "y"',
    ]
    assert printed("diff", old, new, "--stat", status=1)[0].startswith("all  +2 -2 ~1  ")
    found = document("diff", old, new, status=1)
    assert [(each["kind"], each["what"], each["key"], each["value"]) for each in found["changes"]] == [
        ("changed", "value", [], "number"),
        ("added", "value", [], ""),
        ("added", "key", ["come"], None),
        ("removed", "key", ["gone"], None),
        ("removed", "value", ["gone"], "x"),
    ]


def test_diff_prints_where_long_values_differ(tmp_path: Path) -> None:
    old, new = (
        hive(tmp_path, name, Node("root", values=[Value("long", REG_SZ, text("a" * 300 + name))]))
        for name in ("old", "new")
    )
    (change,) = document("diff", old, new, status=1)["changes"]
    assert change["new"] == change["old"] + ", differs from byte 600 on"


def test_diff_prints_the_fields_of_changed_bytes(tmp_path: Path) -> None:
    made = make(Node("root", subkeys=[Node("a", values=[Value("number", REG_DWORD, bytes(4))])]))
    (tmp_path / "old").write_bytes(made.data)
    at = made.at["key a"]
    made.data[at + 4 : at + 12] = (1 << 57).to_bytes(8, "little")  # when it was last written
    made.data[0x1F0] ^= 0xFF  # a reserved byte of the base block
    (tmp_path / "new").write_bytes(made.data)
    shown = printed("diff", tmp_path / "old", tmp_path / "new", status=1)
    assert re.match(r"    ~ written  \\a  0  →  20\d\d-", shown[1])
    assert shown[2:] == [
        "in bytes",
        "  2 bytes in 2 structures",
        "    ~ base block at 0x0",
        f"      reserved 1  {bytes(16).hex(' ')} …  →  {bytes(16).hex(' ')} …",
        f"    ~ key at 0x{at - 4:x}",
        f"      last written  0x0  →  0x200000000000000 ({shown[1].rpartition('  ')[2]})",
    ]
    (old, new) = document("diff", tmp_path / "old", tmp_path / "new", status=1)["bytes"]
    assert (old["structure"], old["differing"], new["structure"], new["differing"]) == ("base block", 1, "key", 1)


def test_diff_prints_descriptors_as_sddl(tmp_path: Path) -> None:
    made = make(Node("root", security=0))
    (tmp_path / "old").write_bytes(made.data)
    data = bytes(made.data)
    mask = (0x20019).to_bytes(4, "little")
    (tmp_path / "new").write_bytes(data.replace(mask, (0xF003F).to_bytes(4, "little")))
    (change,) = document("diff", tmp_path / "old", tmp_path / "new", status=1)["changes"]
    assert change["what"] == "descriptor"
    assert "KR;;;WD" in change["old"]
    assert "KA;;;WD" in change["new"]


def test_diff_prints_bcd_elements_by_bcdedits_names(tmp_path: Path) -> None:
    raw = run("layer", "scratch", "--tar")[1]
    (tmp_path / "other").write_bytes(raw.replace("winscratch".encode("utf-16-le"), "windscreen".encode("utf-16-le")))
    shown = printed("diff", "scratch", tmp_path / "other", status=1)
    assert shown[:4] == [
        "in meaning",
        f"  {BCD}",
        r"    ~  \Objects\{6a6c1f1b-59d4-11ea-9438-9402e6abd998}\Elements\12000004  Element"
        '  REG_SZ "winscratch"  →  REG_SZ "windscreen"',
        "in bytes",
    ]
    number = raw.replace((0x10200003).to_bytes(4, "little"), (0x10200004).to_bytes(4, "little"))
    (tmp_path / "other").write_bytes(number)
    (change,) = document("diff", "scratch", tmp_path / "other", status=1)["changes"]
    assert change["words"] == "osloader → resume"


def test_diff_prints_changed_entries_and_their_order(tmp_path: Path) -> None:
    old = [
        ("Files", None, {}),
        ("Files/a", b"abc", {"MSWINDOWS.fileattr": "32"}),
        ("Files/b", b"", {}),
        ("Hives", None, {}),
    ]
    new = [
        ("Hives", None, {}),
        ("Files", None, {}),
        ("Files/a", b"abd", {"MSWINDOWS.fileattr": "33"}),
        ("Files/c", b"1", {}),
    ]
    for name, entries in (("old", old), ("new", new)):
        (tmp_path / name).write_bytes(tar(entries))
    found = document("diff", tmp_path / "old", tmp_path / "new", status=1)
    assert [
        (each["kind"], each["what"], each["entry"], each["old"][:7], each["new"][:7]) for each in found["changes"]
    ] == [
        ("changed", "attributes", "Files/a", "archive", "read-on"),
        ("changed", "content", "Files/a", "3 bytes", "3 bytes"),
        ("removed", "entry", "Files/b", "file, 0", ""),
        ("added", "entry", "Files/c", "", "file, 1"),
        ("changed", "order", "", "Files/", "Hives/"),
    ]


def test_layers_with_other_compression_or_padding_are_not_equal(tmp_path: Path) -> None:
    raw = run("layer", "scratch", "--tar")[1]
    (tmp_path / "other.gz").write_bytes(gzip.compress(raw, 1))
    (change,) = document("diff", "scratch", tmp_path / "other.gz", status=1)["changes"]
    assert change["what"] == "compression"
    (tmp_path / "other").write_bytes(raw + bytes(512))
    (change,) = document("diff", "scratch", tmp_path / "other", status=1)["changes"]
    assert change["what"] == "tar"


def test_diff_compares_damaged_layers_up_to_the_damage(tmp_path: Path) -> None:
    raw = run("layer", "scratch", "--tar")[1]
    (tmp_path / "cut").write_bytes(raw[:20000])
    found = document("diff", "scratch", tmp_path / "cut", status=1)["changes"]
    assert found[0]["what"] == "damage"
    assert {each["kind"] for each in found[1:]} <= {"removed", "changed"}


def test_diff_compares_settings_and_layers_of_images(tmp_path: Path) -> None:
    one, other = tar([("Files", None, {})]), tar([("Files", None, {}), ("Files/a", b"", {})])
    layout(tmp_path / "old", [one, one], config={"config": {"User": "a"}})
    layout(tmp_path / "new", [one, other, one], config={"config": {"User": "b"}})
    found = document("diff", f"oci:{tmp_path}/old", f"oci:{tmp_path}/new", status=1)["changes"]
    assert {"user", "manifest digest", "configuration digest"} <= {each["words"] for each in found}
    assert [(each["kind"], each["what"], each["layer"], each["entry"]) for each in found if each["layer"]] == [
        ("added", "entry", "layer 2", "Files/a"),
        ("added", "layer", "layer 3", ""),
    ]
    with pytest.raises(GeneratorError, match="not of the same kind; hint: "):
        run("diff", f"oci:{tmp_path}/old", "scratch")


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"config": {"ExposedPorts": {"80/tcp": {}}}}, "config.ExposedPorts.80/tcp"),
        ({"config": {"Volumes": {"C:\\data": {}}}}, "config.Volumes.C:\\data"),
        ({"config": {"Shell": ["cmd"]}}, "config.Shell[0]"),
        ({"config": {"StopSignal": "9"}}, "config.StopSignal"),
        ({"config": {"ArgsEscaped": True}}, "config.ArgsEscaped"),
        ({"created": "2020-01-01T00:00:00Z"}, "created"),
    ],
)
def test_diff_compares_every_value_of_a_configuration(tmp_path: Path, config: Any, path: str) -> None:
    layer = tar([("Files", None, {})])
    layout(tmp_path / "old", [layer], config={"config": {"User": "a"}})
    known = {"config": {"User": "a"} | config.get("config", {})}
    layout(tmp_path / "new", [layer], config=config | known)
    found = document("diff", f"oci:{tmp_path}/old", f"oci:{tmp_path}/new", status=1)["changes"]
    assert [each["words"] for each in found] == ["manifest digest", "configuration digest", f"configuration {path}"]


def saved(path: Path, layer: str, config: bytes = b"{}") -> str:
    """Write an archive for `docker load` of an image with one named layer; return its reference."""
    listed = [{"Config": "config", "Layers": [layer]}]
    data = tar([("manifest.json", json.dumps(listed).encode(), {}), ("config", config, {})])
    path.write_bytes(data)
    return f"docker-archive:{path}"


def test_diff_compares_archives_by_layer_names_and_configuration_bytes(tmp_path: Path) -> None:
    one = saved(tmp_path / "one", "a.tar")
    found = document("diff", one, saved(tmp_path / "two", "b.tar"), status=1)["changes"]
    assert [each["words"] for each in found][:2] == ["manifest digest", "manifest Layers[0]"]
    found = document("diff", one, saved(tmp_path / "two", "a.tar", b"{ }"), status=1)["changes"]
    assert "configuration digest" in [each["words"] for each in found]
    found = document("diff", one, saved(tmp_path / "two", "a.tar"), status=1)["changes"]
    assert [(each["what"], each["layer"]) for each in found] == [("damage", "layer 1")]  # both lack their layer


def test_bytes_after_a_hive_are_a_difference(tmp_path: Path) -> None:
    data = bytes(make(Node("root")).data)
    (tmp_path / "old").write_bytes(data)
    (tmp_path / "new").write_bytes(data + b"more")
    assert run("diff", tmp_path / "old", tmp_path / "new")[0] == 1


def test_diff_compares_images_platform_by_platform(tmp_path: Path) -> None:
    layers = [tar([("Files", None, {})])], [tar([("Files", None, {}), ("Files/a", b"", {})])]
    old = [layout(tmp_path / "old", layers[0]), layout(tmp_path / "arm", layers[0], config={"architecture": "arm64"})]
    several = index(tmp_path / "several", old)
    layout(tmp_path / "new", layers[1])
    digest = json.loads((tmp_path / "arm/index.json").read_text())["manifests"][0]["digest"]
    found = document("diff", f"oci:{several}", f"oci:{tmp_path}/new", status=1)["changes"]
    assert [each["words"] for each in found[:2]] == ["manifest digest", "configuration digest"]
    assert [(each["kind"], each["what"], each["layer"], each["old"]) for each in found[2:]] == [
        ("added", "entry", "windows/amd64 layer 1", ""),
        ("removed", "image", "windows/arm64", f"windows/arm64:10.0.20348.1, 1 layer, {digest}"),
    ]


def test_diff_reports_equality_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.main(["diff", "scratch", "scratch"]) == 0
    assert capsys.readouterr() == ("", "equal\n")


def test_diff_limits_the_structures_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_STRUCTURES", 60)
    old, new = (
        hive(tmp_path, name, Node("root", subkeys=[Node(f"{name}{i:03}") for i in range(200)]))
        for name in ("old", "new")
    )
    found = document("diff", old, new, status=1)
    assert len(found["bytes"]) == 60
    assert sum(found["more"].values()) > 100
    assert re.fullmatch(r"    and \d+ more structures", printed("diff", old, new, status=1)[-1])


def test_diff_refuses_missing_and_unknown_names() -> None:
    for words, wrong in (
        ((), "takes OLD and NEW"),
        (("scratch", "legacy", "hostprocess"), "takes OLD and NEW"),
        (("scratch",), "NEW is missing; hint: diff scratch NEW"),
        (("no-such-thing",), "file, layer or git revision not found"),
        (("--", "--exec=x:scratch", "scratch"), "file, layer or git revision not found"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            run("diff", *words)

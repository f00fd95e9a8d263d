# SPDX-License-Identifier: Apache-2.0
"""How two layers, images or hives differ: the meaning first, then the bytes, and a status that scripts can use."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.hive_maker import Node, make, text
from helpers.support import lack
from helpers.vendoring import commit, git
from helpers.views import document, index, layout, lines, said, tar

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.cli import parser
from generator.generation.manifest import layers
from generator.hives.model import REG_DWORD, REG_SZ, Value
from generator.views import comparison, diff

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"


def hive(tmp_path: Path, name: str, root: Node) -> Path:
    (tmp_path / name).write_bytes(make(root).data)
    return tmp_path / name


def test_what_is_equal_says_nothing_and_status_0(tmp_path: Path) -> None:
    assert said("diff", "scratch", "scratch") == (0, b"")
    assert said("diff", "scratch", "scratch", "--stat") == (0, b"")
    assert document("diff", "scratch", ROOT / "output/layers/scratch.tar.gz")["equal"] is True
    layout(tmp_path / "image", [tar([("Files", None, {})])])
    assert said("diff", f"oci:{tmp_path}/image", f"{tmp_path}/image")[0] == 0


def test_keys_and_values_that_differ_are_told_before_the_bytes(tmp_path: Path) -> None:
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
    shown = lines("diff", old, new, status=1)
    assert shown[: shown.index("in bytes")] == [
        "in meaning",
        r"    ~  \  number  REG_DWORD 0x00000000 (0)  →  REG_DWORD 0x00000001 (1)",
        r'    +  \  (default)  REG_SZ "new"',
        r"    +  \come",
        r"    -  \gone",
        r'    -  \gone  x  REG_SZ "y"',
    ]
    assert lines("diff", old, new, "--stat", status=1)[0].startswith("all  +2 -2 ~1  ")
    found = document("diff", old, new, status=1)
    assert [(each["kind"], each["what"], each["key"], each["value"]) for each in found["changes"]] == [
        ("changed", "value", [], "number"),
        ("added", "value", [], ""),
        ("added", "key", ["come"], None),
        ("removed", "key", ["gone"], None),
        ("removed", "value", ["gone"], "x"),
    ]


def test_a_value_that_differs_behind_what_is_shown_of_it_says_where(tmp_path: Path) -> None:
    old, new = (
        hive(tmp_path, name, Node("root", values=[Value("long", REG_SZ, text("a" * 300 + name))]))
        for name in ("old", "new")
    )
    (change,) = document("diff", old, new, status=1)["changes"]
    assert change["new"] == change["old"] + ", another from byte 600 on"


def test_each_byte_that_differs_is_told_by_its_field(tmp_path: Path) -> None:
    made = make(Node("root", subkeys=[Node("a", values=[Value("number", REG_DWORD, bytes(4))])]))
    (tmp_path / "old").write_bytes(made.data)
    at = made.at["key a"]
    made.data[at + 4 : at + 12] = (1 << 57).to_bytes(8, "little")  # when it was last written
    made.data[0x1F0] ^= 0xFF  # a reserved byte of the base block
    (tmp_path / "new").write_bytes(made.data)
    shown = lines("diff", tmp_path / "old", tmp_path / "new", status=1)
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


def test_a_descriptor_that_differs_is_told_in_sddl(tmp_path: Path) -> None:
    made = make(Node("root", security=0))
    (tmp_path / "old").write_bytes(made.data)
    data = bytes(made.data)
    mask = (0x20019).to_bytes(4, "little")
    (tmp_path / "new").write_bytes(data.replace(mask, (0xF003F).to_bytes(4, "little")))
    (change,) = document("diff", tmp_path / "old", tmp_path / "new", status=1)["changes"]
    assert change["what"] == "descriptor"
    assert "KR;;;WD" in change["old"]
    assert "KA;;;WD" in change["new"]


def test_a_stores_element_is_told_in_bcdedits_words(tmp_path: Path) -> None:
    raw = said("layer", "scratch", "--tar")[1]
    (tmp_path / "other").write_bytes(raw.replace("winscratch".encode("utf-16-le"), "windscreen".encode("utf-16-le")))
    shown = lines("diff", "scratch", tmp_path / "other", status=1)
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


def test_entries_that_differ_are_told_by_what_windows_reads_of_them(tmp_path: Path) -> None:
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


def test_what_differs_only_in_how_it_is_packed_is_not_equal(tmp_path: Path) -> None:
    raw = said("layer", "scratch", "--tar")[1]
    (tmp_path / "other.gz").write_bytes(gzip.compress(raw, 1))
    (change,) = document("diff", "scratch", tmp_path / "other.gz", status=1)["changes"]
    assert change["what"] == "compression"
    (tmp_path / "other").write_bytes(raw + bytes(512))
    (change,) = document("diff", "scratch", tmp_path / "other", status=1)["changes"]
    assert change["what"] == "tar"


def test_a_damaged_layer_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    raw = said("layer", "scratch", "--tar")[1]
    (tmp_path / "cut").write_bytes(raw[:20000])
    found = document("diff", "scratch", tmp_path / "cut", status=1)["changes"]
    assert found[0]["what"] == "damage"
    assert {each["kind"] for each in found[1:]} <= {"removed", "changed"}


def test_images_differ_by_their_settings_and_their_layers_in_order(tmp_path: Path) -> None:
    one, other = tar([("Files", None, {})]), tar([("Files", None, {}), ("Files/a", b"", {})])
    layout(tmp_path / "old", [one, one], config={"config": {"User": "a"}})
    layout(tmp_path / "new", [one, other, one], config={"config": {"User": "b"}})
    found = document("diff", f"oci:{tmp_path}/old", f"oci:{tmp_path}/new", status=1)["changes"]
    assert {"user", "manifest digest", "configuration digest"} <= {each["words"] for each in found}
    assert [(each["kind"], each["what"], each["layer"], each["entry"]) for each in found if each["layer"]] == [
        ("added", "entry", "layer 2", "Files/a"),
        ("added", "layer", "layer 3", ""),
    ]
    with pytest.raises(GeneratorError, match="are not of one kind"):
        said("diff", f"oci:{tmp_path}/old", "scratch")


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
def test_whatever_differs_in_a_configuration_is_a_difference(tmp_path: Path, config: Any, path: str) -> None:
    layer = tar([("Files", None, {})])
    layout(tmp_path / "old", [layer], config={"config": {"User": "a"}})
    told = {"config": {"User": "a"} | config.get("config", {})}
    layout(tmp_path / "new", [layer], config=config | told)
    found = document("diff", f"oci:{tmp_path}/old", f"oci:{tmp_path}/new", status=1)["changes"]
    assert [each["words"] for each in found] == ["manifest digest", "configuration digest", f"configuration {path}"]


def saved(path: Path, layer: str, config: bytes = b"{}") -> str:
    """Write an archive for `docker load` of an image whose one layer has a name; return what to call it."""
    said = [{"Config": "config", "Layers": [layer]}]
    data = tar([("manifest.json", json.dumps(said).encode(), {}), ("config", config, {})])
    path.write_bytes(data)
    return f"docker-archive:{path}"


def test_archives_whose_layers_have_other_names_or_whose_configuration_has_other_bytes_differ(tmp_path: Path) -> None:
    one = saved(tmp_path / "one", "a.tar")
    found = document("diff", one, saved(tmp_path / "two", "b.tar"), status=1)["changes"]
    assert [each["words"] for each in found][:2] == ["manifest digest", "manifest Layers[0]"]
    found = document("diff", one, saved(tmp_path / "two", "a.tar", b"{ }"), status=1)["changes"]
    assert "configuration digest" in [each["words"] for each in found]
    found = document("diff", one, saved(tmp_path / "two", "a.tar"), status=1)["changes"]
    assert [(each["what"], each["layer"]) for each in found] == [("damage", "layer 1")]  # neither has its layer


def test_bytes_behind_a_hive_are_a_difference(tmp_path: Path) -> None:
    data = bytes(make(Node("root")).data)
    (tmp_path / "old").write_bytes(data)
    (tmp_path / "new").write_bytes(data + b"more")
    assert said("diff", tmp_path / "old", tmp_path / "new")[0] == 1


def test_images_of_several_platforms_are_named_and_compared_by_these(tmp_path: Path) -> None:
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


def test_what_is_equal_is_said_to_be_beside_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.main(["diff", "scratch", "scratch"]) == 0
    assert capsys.readouterr() == ("", "equal\n")


def test_hives_that_differ_everywhere_are_told_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_STRUCTURES", 60)
    old, new = (
        hive(tmp_path, name, Node("root", subkeys=[Node(f"{name}{i:03}") for i in range(200)]))
        for name in ("old", "new")
    )
    found = document("diff", old, new, status=1)
    assert len(found["bytes"]) == 60
    assert sum(found["more"].values()) > 100
    assert re.fullmatch(r"    and \d+ more structures", lines("diff", old, new, status=1)[-1])


def test_two_words_are_needed_unless_the_first_is_a_revision() -> None:
    for words, wrong in (
        ((), "name OLD and NEW"),
        (("scratch", "legacy", "hostprocess"), "name OLD and NEW"),
        (("scratch",), "name what scratch is to be compared with"),
        (("no-such-thing",), "neither a file, a layer nor a git revision has that name"),
        (("--", "--exec=x:scratch", "scratch"), "neither a file, a layer nor a git revision has that name"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            said("diff", *words)


# In git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout of this project, committed as it is, whose hooks and monitors would leave a file if they ran."""
    folder = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__", ".git", ".*cache")
    for name in ("generator", "output", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / ".gitattributes", folder)
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    (folder / "trap").write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    (folder / "trap").chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(folder / "trap"))
    return folder


def run(folder: Path, *words: str, status: int = 0) -> list[str]:
    """Return the lines that the checkout's own program says."""
    command = [sys.executable, "-m", "generator", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


def test_a_revision_is_compared_with_what_stands_here(repository: Path, tmp_path: Path) -> None:
    assert run(repository, "diff", "main") == []
    committed = repository / "output/layers"
    shutil.copy(committed / "legacy.tar.gz", committed / "scratch.tar.gz")
    shown = run(repository, "diff", "main", status=1)
    assert shown[1] == "  scratch: Files/Windows/System32/config/DEFAULT"
    assert len(run(repository, "diff", "HEAD", "--stat", status=1)) == 5
    assert run(repository, "diff", "main:scratch", status=1)[1:2] == [shown[1].replace("scratch: ", "")]
    assert run(repository, "diff", "main:legacy", "scratch") == []
    assert (
        run(repository, "inspect", "main:output/layers/legacy.tar.gz")[1:] == run(repository, "inspect", "legacy")[1:]
    )
    assert not (tmp_path / "sprung").exists()
    git(repository, "config", "--unset", "core.fsmonitor")
    commit(repository)
    assert run(repository, "diff", "main~1:scratch", "main:scratch", "--stat", status=1) != []
    (committed / "hostprocess.tar.gz").unlink()
    (repository / "generator/layers/hostprocess.toml").unlink()
    assert run(repository, "diff", "HEAD", status=1) == [
        "in meaning",
        "  hostprocess",
        "    - layer  46,592 bytes, 9 entries",
    ]


def test_git_diff_shows_what_layers_and_hives_hold(repository: Path) -> None:
    (repository / "some.hive").write_bytes(make(Node("root", subkeys=[Node("before")])).data)
    commit(repository)
    committed = repository / "output/layers"
    shutil.copy(committed / "legacy.tar.gz", committed / "scratch.tar.gz")
    (repository / "some.hive").write_bytes(make(Node("root", subkeys=[Node("after")])).data)
    assert "Binary files a/some.hive and b/some.hive differ" in git(repository, "diff")
    git(repository, "config", "diff.winscratch.textconv", f"{sys.executable} -m generator inspect --textconv")
    git(repository, "config", "--unset", "core.fsmonitor")
    shown = git(repository, "diff").splitlines()
    assert "-    before" in shown
    assert "+    after" in shown
    assert "-          DEFAULT  8,192 bytes" in shown
    assert "+          DEFAULT  0 bytes" in shown
    assert not any(re.match(r"[-+].*git-blob", line) for line in shown)
    (committed / "scratch.tar.gz").write_bytes(b"no layer")
    assert any(line.startswith("+cannot be shown: ") for line in git(repository, "diff").splitlines())


def test_every_committed_layer_is_shown_by_git() -> None:
    paths = [f"output/layers/{name}.tar.gz" for name in layers(ROOT)]
    if not (ROOT / ".git").exists():
        lack("this is no checkout")
    assert git(ROOT, "check-attr", "diff", *paths).splitlines() == [f"{path}: diff: winscratch" for path in paths]
    assert diff.FORMAT == 1

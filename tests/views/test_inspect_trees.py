# SPDX-License-Identifier: Apache-2.0
"""`inspect` as a tree: entries, keys and values of layers, hives and images, at any width and without colours."""

import base64
import gzip
import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.hive_maker import Node, make, text
from helpers.support import HANG
from helpers.views import document, index, layout, printed, run, tar

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.generation.manifest import layers
from generator.hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_SZ, Value
from generator.imageread import registry
from generator.oci.files import facts

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
PROGRAM = [sys.executable, "-m", "generator", "inspect"]


def test_inspect_shows_sizes_digests_entries_keys_and_bcdedits_names() -> None:
    shown = printed("inspect", "scratch")
    assert re.fullmatch(r"scratch  layer, 61,952 bytes, compressed to 1,\d{3} bytes \(1\.9 %\)", shown[0])
    assert [line.split()[0] for line in shown[1:3]] == ["diff", "digest"]
    indented = [
        "            BCD  12,288 bytes",
        r"              \  O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU)",
        "                Description",
        "                  FirmwareModified  REG_DWORD  0x00000001 (1)",
        '                  KeyName  REG_SZ  "BCD00000000"',
        "                Objects",
        "                  {6a6c1f1b-59d4-11ea-9438-9402e6abd998}  Windows Boot Loader {default}",
        "                    Description",
        "                      Type  REG_DWORD  0x10200003 (270,532,611)  osloader",
        "                    Elements",
        "                      12000004  description",
        '                        Element  REG_SZ  "winscratch"',
        "                  {9dea862c-5cdd-4e70-acc1-f32b344d4795}  Windows Boot Manager {bootmgr}",
    ]
    start = shown.index(indented[0])
    assert shown[start : start + len(indented)] == indented
    assert "                      23000003  default" in shown
    assert '                        Element  REG_SZ  "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"  {default}' in shown
    assert shown.count("            1 key, 0 values: good hive") == 5


def test_inspect_without_names_shows_all_committed_layers() -> None:
    assert [line.split()[0] for line in printed("inspect") if line[:1].strip()] == layers(ROOT)


def test_inspect_shows_attributes_by_name_and_descriptors_as_sddl(tmp_path: Path) -> None:
    attributes, security = facts().key("attributes"), facts().key("descriptor")
    descriptor = base64.b64encode(next(iter(facts().compiled().values()))[1]).decode()
    made = tar(
        [
            ("Files", None, {attributes: "16"}),
            ("Files/a.txt", b"abc", {attributes: str(1 + 32 + (1 << 20)), security: descriptor}),
            ("Files/b.txt", b"", {attributes: "many", security: "?"}),
            ("Hives", None, {}),
            ("Files/late", None, {}),
        ]
    )
    (tmp_path / "layer").write_bytes(gzip.compress(made))
    shown = printed("inspect", tmp_path / "layer")
    assert shown[3:] == [
        "  Files/  directory  directory",
        f"    a.txt  3 bytes  read-only archive 0x100000  {next(iter(facts().descriptors.values())).file}",
        "    b.txt  0 bytes  no number: many  no base64: ?",
        "  Hives/  directory",
        "  Files/late/  directory",
    ]


def test_inspect_shows_values_by_type(tmp_path: Path) -> None:
    values = [
        Value("", REG_SZ, text("default")),
        Value("many", REG_MULTI_SZ, "a\0b\0\0".encode("utf-16-le")),
        Value("odd", REG_SZ, b"abc"),
        Value("long", REG_BINARY, bytes(range(100))),
        Value("short", REG_DWORD, b"\1"),
        Value("none", 0, b""),
        Value("unknown", 0x123, b"\1\2"),
    ]
    (tmp_path / "hive").write_bytes(make(Node("root", values=values)).data)
    assert printed("inspect", tmp_path / "hive")[2:-2] == [
        '    (default)  REG_SZ  "default"',
        '    many  REG_MULTI_SZ  ["a", "b"]',
        "    odd  REG_SZ  61 62 63",
        f"    long  REG_BINARY  {bytes(range(32)).hex(' ')} … (100 bytes)",
        "    short  REG_DWORD  01",
        "    none  REG_NONE  no bytes",
        "    unknown  0x123  01 02",
    ]


def test_inspect_shows_an_images_platform_settings_and_layers(tmp_path: Path) -> None:
    layer = tar([("Files", None, {}), ("Hives", None, {})])
    settings = {"config": {"Entrypoint": ["a.exe"], "Env": ["A=b"], "Labels": {"what": "this"}}, "os.version": "10.0.1"}
    layout(
        tmp_path / "image",
        [gzip.decompress((ROOT / "output/layers/scratch.tar.gz").read_bytes()), layer],
        config=settings,
    )
    for name in (f"oci:{tmp_path}/image", f"oci:{tmp_path}/image:new", f"{tmp_path}/image"):
        shown = printed("inspect", name)
        assert "  platform  windows/amd64:10.0.20348.1" in shown
        assert "  made for  windows/amd64:10.0.1" in shown
        assert '  entrypoint  ["a.exe"]' in shown
        assert "  label what  this" in shown
        assert sum(bool(re.match(r"  sha256:\w{64}  layer, ", line)) for line in shown) == 2
        assert '                          Element  REG_SZ  "winscratch"' in shown
        assert shown[-2:] == ["    Files/  directory", "    Hives/  directory"]
    subprocess.run(["tar", "-C", tmp_path / "image", "-cf", tmp_path / "image.tar", "."], check=True)
    assert printed("inspect", f"oci-archive:{tmp_path}/image.tar")[1:] == shown[1:]
    assert printed("inspect", tmp_path / "image.tar")[1:] == shown[1:]
    with pytest.raises(GeneratorError, match="file, layer or git revision not found"):
        run("inspect", "nothing")


def test_a_path_in_an_image_is_shown_in_each_layer_that_has_it(tmp_path: Path) -> None:
    layers = [tar([("Files", None, {})]), tar([("Files", None, {}), ("Files/a", b"abc", {})])]
    one = layout(tmp_path / "one", layers)
    several = index(tmp_path / "several", [one, layout(tmp_path / "arm", layers, config={"architecture": "arm64"})])
    for name, images in ((one, 1), (several, 2)):
        assert sum("a  3 bytes" in line for line in printed("inspect", name, "--path", "Files/a")) == images
        for options in ((), ("--json",), ("--hex", "none"), ("--reg", "none")):
            place = () if len(options) == 2 else ("--path", "none")
            with pytest.raises(GeneratorError, match=r"has no entry 'none'$"):
                run("inspect", name, *place, *options)


def test_printed_image_names_are_accepted(tmp_path: Path) -> None:
    layer = tar([("Files", None, {})])
    one = layout(tmp_path / "one", [layer])
    several = index(tmp_path / "several", [one, layout(tmp_path / "arm", [layer], config={"architecture": "arm64"})])
    for given in (f"oci:{several}", f"oci:{several}:all", several):
        names = [image["name"] for image in document("inspect", given)["opened"]]
        assert len(names) == 2
        for name in names:
            assert re.fullmatch(rf"oci:{several}@sha256:[0-9a-f]{{64}}", name)
            assert [image["name"] for image in document("inspect", name)["opened"]] == [name]
            assert printed("inspect", name)[0] == f"{name}  image"
            run("report", name, "--to", tmp_path / "report.html")
        assert printed("diff", *names, status=1)


def test_image_references_need_a_host_or_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str, _: Path, **__: Any) -> None:
        asked.append(name)
        raise GeneratorError("fetched")

    monkeypatch.setattr(registry, "fetch", fetch)
    digest = f"sha256:{'0' * 64}"
    names = (f"localhost:5987/hello@{digest}", f"user/hello@{digest}", "registry.example/hello:x")
    for name in names:
        for words in (("inspect", name), ("diff", name, "scratch"), ("diff", name), ("report", name)):
            with pytest.raises(GeneratorError, match="fetched"):
                run(*words)
    assert {*asked} == {*names}
    for name in ("user/hello", "hello.tar", "hello:x"):
        with pytest.raises(GeneratorError, match="docker://REF"):
            run("inspect", name)


def test_a_docker_archive_is_recognized_under_any_name(tmp_path: Path) -> None:
    config = {"architecture": "amd64", "os": "windows", "config": {"User": "ContainerUser"}}
    made = tar(
        [
            (
                "manifest.json",
                json.dumps([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["layer.tar"]}]).encode(),
                {},
            ),
            ("c.json", json.dumps(config).encode(), {}),
            ("layer.tar", tar([("Files", None, {}), ("Files/a", b"abc", {}), ("Hives", None, {})]), {}),
        ]
    )
    (tmp_path / "some").write_bytes(made)
    shown = printed("inspect", tmp_path / "some")
    assert shown == printed("inspect", f"docker-archive:{tmp_path}/some")
    assert shown[1:3] == ["  made for  windows/amd64", "  user  ContainerUser"]
    assert shown[-3:] == ["    Files/  directory", "      a  3 bytes", "    Hives/  directory"]


def test_path_selects_an_entry_or_key_in_any_case(tmp_path: Path) -> None:
    assert printed("inspect", "scratch", "--path", f"{BCD.lower()}\\objects\\{{9DEA862C-5cdd-4e70-acc1-f32b344d4795}}")[
        2
    ] == (
        "    {9dea862c-5cdd-4e70-acc1-f32b344d4795}  Windows Boot Manager {bootmgr}"
        "  O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU)"
    )
    assert len(printed("inspect", "scratch", "--path", f"{BCD}\\Description")) == 5
    config = printed("inspect", "scratch", "--path", "Files/Windows/System32/config")
    assert [line.split()[0] for line in config if line.startswith("    ") and "bytes" in line] == [
        *("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM")
    ]
    (tmp_path / "hive").write_bytes(make(Node("root", subkeys=[Node("a", subkeys=[Node("b")]), Node("c")])).data)
    for path in ("a", "\\a", "A\\", "\\a\\"):
        assert [line.split()[0] for line in printed("inspect", tmp_path / "hive", "--path", path)[1:]] == [
            "a",
            "b",
        ]
    for what, path, wrong in (
        ("scratch", "Files/none", "scratch: has no entry 'Files/none'"),
        ("scratch", f"{BCD}\\none", f"{BCD}: has no key 'none'"),
        ("scratch", "Files\\none", r"scratch: has no entry 'Files\\none'"),
        ("scratch", "C:\\none", r"scratch: has no entry 'C:\\none'"),
    ):
        with pytest.raises(GeneratorError, match=re.escape(wrong)):
            run("inspect", what, "--path", path)


@pytest.mark.parametrize(
    "spelling",
    [
        *(r"Files\Windows\System32\config", r"C:\Windows\System32\config", "c:/windows/system32/config/"),
        *("/Windows/System32/config", "\\Windows\\System32\\config\\", "Windows/System32/config"),
    ],
)
def test_path_accepts_every_spelling(spelling: str, tmp_path: Path) -> None:
    expected = "Files/Windows/System32/config"
    assert printed("inspect", "scratch", "--path", spelling) == printed("inspect", "scratch", "--path", expected)
    hive = spelling.rstrip("/\\") + spelling[-1:].replace("g", "/" if "/" in spelling else "\\") + "SYSTEM"
    for key in ("", "\\"):
        for form in ("--hex", "--reg"):
            shown = run("inspect", "scratch", form, hive + key)
            assert shown == run("inspect", "scratch", form, f"{expected}/SYSTEM{key}")
    hive_data = bytes(make(Node("r", subkeys=[Node("k/l", subkeys=[Node("m")])])).data)
    (tmp_path / "layer").write_bytes(tar([("Files", None, {}), ("Files/a", hive_data, {})]))
    for path in ("Files/a\\k/l\\m", r"Files\a\k/l\m", r"C:\a\K/L\m"):
        assert printed("inspect", tmp_path / "layer", "--path", path)[-1].split()[0] == "m"


def test_inspect_shows_when_a_key_was_written(tmp_path: Path) -> None:
    made = make(Node("root", subkeys=[Node("a")]))
    at = made.at["key a"]
    made.data[at + 4 : at + 12] = (133_500_000_000_000_000).to_bytes(8, "little")  # 100 ns since 1601
    (tmp_path / "hive").write_bytes(made.data)
    assert printed("inspect", tmp_path / "hive")[2] == "    a  written 2024-01-17T21:20:00+00:00"


def on_a_terminal(*words: str, columns: int = 80, **environment: str) -> bytes:
    """Return the command's output on a terminal with *columns*."""
    ours, its = pty.openpty()
    known = os.environ | {"TERM": "xterm-256color", "COLUMNS": str(columns), "PAGER": "", "PYTHONIOENCODING": "utf-8"}
    known.pop("NO_COLOR", None)
    with subprocess.Popen([*PROGRAM, *words], stdout=its, stderr=its, cwd=ROOT, env=known | environment) as process:
        os.close(its)
        written = b""
        while select.select([ours], [], [], HANG)[0]:
            try:
                written += os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
        assert process.wait(HANG) == 0
    os.close(ours)
    return written


def test_a_terminal_gets_branches_colours_and_lines_that_fit() -> None:
    shown = on_a_terminal("scratch").decode()
    assert "└─ " in shown
    assert "\x1b[33mObjects\x1b[0m" in shown
    for columns in (20, 40, 79):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("scratch", columns=columns).decode())
        assert max(map(len, plain.splitlines())) <= columns
        assert '"winscratch"' in re.sub(r"[\s│├└]", "", plain)


def test_no_color_plain_and_dumb_terminals_are_respected() -> None:
    no_color = on_a_terminal("legacy", NO_COLOR="1").decode()
    assert "└─ " in no_color
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", no_color)
    for written in (on_a_terminal("legacy", "--plain"), on_a_terminal("legacy", TERM="dumb")):
        assert b"\x1b" not in written
        assert written.decode().replace("\r\n", "\n").splitlines() == printed("inspect", "legacy")
        assert written.isascii()


def test_a_terminal_without_unicode_gets_ascii_branches() -> None:
    shown = on_a_terminal("legacy", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert b"`- " in shown
    assert shown.isascii()


def test_the_pager_gets_the_lines_and_may_exit_early(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    on_a_terminal("scratch", PAGER=f"tee {kept}")
    assert "winscratch" in kept.read_text("utf-8")
    assert b"scratch" in on_a_terminal("scratch", PAGER="head -1")


def test_a_hive_of_50_mb_prints_its_first_lines_immediately(tmp_path: Path) -> None:
    keys = [Node(f"Key{i:03}", values=[Value("Bytes", REG_BINARY, bytes(16344))] * 8) for i in range(400)]
    (tmp_path / "hive").write_bytes(make(Node("root", subkeys=keys)).data)
    assert (tmp_path / "hive").stat().st_size > 50e6
    command = [*PROGRAM, str(tmp_path / "hive")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()  # as a pager does when the user quits
        assert process.wait(HANG) == 2
        assert process.stderr.read() == b""
    assert first[2].split()[0] == b"Key000"
    (tmp_path / "hive").unlink()

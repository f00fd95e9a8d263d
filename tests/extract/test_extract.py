# SPDX-License-Identifier: Apache-2.0
"""`extract`: the merged files of an image in a new folder or a tar, as other unpackers see them."""

import json
import os
import random
import re
import shlex
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.counts import count
from helpers.extracting import APP, extracted, image
from helpers.layouts import ROOTS, Layout, Part, base, directory, tarred
from helpers.random_images import RandomImage, on_disk
from helpers.registry_proxy import Traffic
from helpers.support import need
from helpers.views import index, layout, printed, run

from generator.base import folders
from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.extract import disk
from generator.oci.names import fold

LINK, SYMLINK = tarfile.LNKTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize("seed", range(count(12, 200)))
def test_random_images_are_unpacked_as_umoci_unpacks_them(seed: int, tmp_path: Path) -> None:
    made = RandomImage(seed, 4)
    name = image(tmp_path, *made.layers)
    found = extracted(tmp_path, name)
    assert found == made.tree
    command: list[str | Path] = [
        need("umoci"),
        "raw",
        "unpack",
        "--rootless",
        "--image",
        f"{tmp_path}/image:latest",
        tmp_path / "umoci",
    ]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["chmod", "-R", "u+rwX", tmp_path / "umoci"], check=True)  # their modes in the tar are 0
    assert found == on_disk(tmp_path / "umoci")
    for path, data in found.items():
        if data is not None:
            ours, its = ((tmp_path / each / path).stat() for each in ("out", "umoci"))
            assert int(ours.st_mtime) == int(its.st_mtime)
            assert ours.st_nlink == its.st_nlink


@pytest.mark.parametrize("seed", range(count(12, 200)))
def test_case_does_not_matter_in_random_images(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311

    def spell(name: str) -> str:
        return "".join(each.upper() if chance.random() < 0.5 else each.lower() for each in name).replace("ß", "ss")

    made = RandomImage(seed, 4, lambda name: "".join(each if each == "ß" else spell(each) for each in name))
    found = extracted(tmp_path, image(tmp_path, *made.layers))
    assert {fold(path): data for path, data in found.items()} == {fold(path): data for path, data in made.tree.items()}


@pytest.mark.parametrize("seed", range(count(6, 60)))
def test_the_tar_of_random_images_has_the_same_files(seed: int, tmp_path: Path) -> None:
    made = RandomImage(seed, 3)
    name = image(tmp_path, *made.layers)
    status, tar = run("extract", name, "--tar")
    (tmp_path / "a").mkdir()
    command: list[str | Path] = [need("tar"), "--warning=no-unknown-keyword", "-xf", "-", "-C", tmp_path / "a"]
    subprocess.run(command, input=tar, check=True)
    assert (status, on_disk(tmp_path / "a")) == (0, made.tree)
    (tmp_path / "again.tar").write_bytes(tar)
    assert extracted(tmp_path, str(tmp_path / "again.tar")) == made.tree


def test_files_are_the_same_without_descriptors_of_folders_as_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (folders, disk):
        monkeypatch.setattr(module, "AT_FOLDER", False)
    monkeypatch.setattr(os, "supports_fd", set[object]())
    made = RandomImage(3, 4)
    assert extracted(tmp_path, image(tmp_path, *made.layers, [*ROOTS, *APP])) == made.tree | {
        "Files/app": None,
        "Files/app/a.txt": b"a",
        "Files/app/b.txt": b"bb",
    }
    assert (tmp_path / "out/Files/app/b.txt").stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize(
    "path",
    [
        *("app", "./app", r".\app", "././Files/app", "/app", r"C:\app", r"c:/APP/", "Files/app", r"Files\App", r"\app"),
        r"files\APP\\",
    ],
)
def test_a_path_in_any_spelling_selects_its_files(path: str, tmp_path: Path) -> None:
    name = image(tmp_path, [*ROOTS, *APP, Part("Files/other", b"o")])
    assert extracted(tmp_path, name, path) == {
        "Files": None,
        "Files/app": None,
        "Files/app/a.txt": b"a",
        "Files/app/b.txt": b"bb",
    }
    assert (tmp_path / "out/Files/app/b.txt").stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize("path", ["C:\\", "c:/", "/", "\\", "Files", "files\\"])
def test_a_drive_is_all_of_its_files(path: str, tmp_path: Path) -> None:
    name = image(tmp_path, [*ROOTS, *APP, directory("UtilityVM"), Part("Hives/x", b"")])
    assert extracted(tmp_path, name, path).keys() == {"Files", "Files/app", "Files/app/a.txt", "Files/app/b.txt"}


@pytest.mark.parametrize(
    "path", ["D:\\", "C:\\app\\a.txt\\", "C:app", "a.txt", "Files/app/a", "..\\app", "Files/..", ""]
)
def test_other_paths_are_absent(path: str, tmp_path: Path) -> None:
    name = image(tmp_path, [*ROOTS, *APP])
    with pytest.raises(GeneratorError, match=r"has no entry|a registry key|an empty PATH"):
        run("extract", name, path, "--to", tmp_path / "out")


def test_an_absent_path_and_a_key_of_a_hive_are_errors(tmp_path: Path) -> None:
    for path, wrong in (("nothing", "has no entry 'nothing'"), ("Files/Windows/System32/config/SAM\\a", "a registry")):
        with pytest.raises(GeneratorError, match=wrong):
            run("extract", "scratch", path, "--to", tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_whiteouts_hide_lower_layers_and_opaque_ones_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    top = [
        *ROOTS,
        directory("Files/App"),
        Part("Files/APP/.wh.A.TXT"),
        Part("Files/App/.wh..wh..opq"),
        Part("Files/App/.wh.new"),
        Part("Files/App/new", b"n"),
        Part("Files/.wh.gone/", b"", tarfile.DIRTYPE),  # hcsshim removes Files/.wh.gone/gone
    ]
    lower = [*ROOTS, *APP, directory("Files/gone"), Part("Files/gone/gone", b"")]
    found = extracted(tmp_path, image(tmp_path, lower, top))
    assert {path: data for path, data in found.items() if data is not None} == {
        "Files/App/b.txt": b"bb",
        "Files/App/new": b"n",
        "Files/gone/gone": b"",
    }
    assert "Files/App/.wh..wh..opq hides nothing: Windows has no opaque whiteouts" in capsys.readouterr().err


def test_files_and_directories_replace_each_other_across_layers(tmp_path: Path) -> None:
    lower = [*ROOTS, *APP, Part("Files/x", b"x")]
    top = [*ROOTS, Part("Files/APP", b"now a file"), directory("Files/x"), Part("Files/x/y", b"y")]
    assert extracted(tmp_path, image(tmp_path, lower, top)) == {
        "Files": None,
        "Hives": None,
        "Files/APP": b"now a file",
        "Files/x": None,
        "Files/x/y": b"y",
    }


def test_hard_links_lead_into_lower_layers_even_to_hidden_files(tmp_path: Path) -> None:
    top = [
        *ROOTS,
        Part("Files/one", b"", LINK, "files/APP/a.txt", {}),
        Part("Files/two", b"", LINK, "Files/app/a.txt", {}),
        directory("Files/app"),
        Part("Files/app/.wh.a.txt"),
    ]
    name = image(tmp_path, [*ROOTS, *APP], top)
    found = extracted(tmp_path, name)
    assert (found["Files/one"], found["Files/two"], "Files/app/a.txt" in found) == (b"a", b"a", False)
    assert (tmp_path / "out/Files/one").samefile(tmp_path / "out/Files/two")
    (tmp_path / "out").rename(tmp_path / "all")
    assert extracted(tmp_path, name, "two") == {"Files": None, "Files/two": b"a"}


def test_one_image_of_an_index_is_chosen_by_platform(tmp_path: Path) -> None:
    made = [
        layout(tmp_path / arch, [tarred([*ROOTS, Part(f"Files/{arch}", b"")])], config={"architecture": arch})
        for arch in ("amd64", "arm64")
    ]
    name = f"oci:{index(tmp_path / 'both', made)}"
    with pytest.raises(GeneratorError, match=r"2 images; hint: --platform, or name one of .*@sha256:.*arm64"):
        run("extract", name, "--to", tmp_path / "out")
    with pytest.raises(GeneratorError, match="no Windows image for windows/amd64:10"):
        run("extract", name, "--to", tmp_path / "out", "--platform", "windows/amd64:10.0.1")
    found = extracted(tmp_path, name, "--platform", "windows/arm64:10.0.20348")
    assert set(found) == {"Files", "Hives", "Files/arm64"}


@pytest.mark.parametrize(
    ("platform", "fits"),
    [
        ("windows/amd64", True),
        ("windows/amd64:10.0.20348", True),
        ("windows/amd64:10.0.20348.7", True),
        ("windows(10.0.20348.7)/amd64", True),
        ("windows/amd64:10.0.2034", False),
        ("windows/amd64:10.0.20348.77", False),
        ("windows/arm64", False),
    ],
)
def test_a_platform_is_that_of_the_index_or_of_the_configuration(platform: str, fits: bool, tmp_path: Path) -> None:
    made = Layout(tmp_path / "image", [tarred(ROOTS)])
    made.config["os.version"] = "10.0.20348.7"
    name = made.write()
    if fits:
        assert extracted(tmp_path, name, "--platform", platform) == {"Files": None, "Hives": None}
    else:
        with pytest.raises(GeneratorError, match=r"no Windows image for .*; hint: oci:.*/amd64:10.0.20348.7\)"):
            run("extract", name, "--platform", platform, "--to", tmp_path / "out")


def test_a_layer_an_archive_and_a_hive(tmp_path: Path) -> None:
    (tmp_path / "layer.tar").write_bytes(tarred([*ROOTS, *APP]))
    assert run("extract", tmp_path / "layer.tar", "app/a.txt", "--to", tmp_path / "a")[0] == 0
    assert (tmp_path / "a/Files/app/a.txt").read_bytes() == b"a"
    image(tmp_path, [*ROOTS, *APP])
    subprocess.run(
        [need("skopeo"), "copy", "-q", f"oci:{tmp_path}/image", f"oci-archive:{tmp_path}/image.tar"], check=True
    )
    assert run("extract", tmp_path / "image.tar", "--to", tmp_path / "b")[0] == 0
    (tmp_path / "hive").write_bytes(run("layer", "scratch", "--bcd")[1])
    with pytest.raises(GeneratorError, match="a registry hive, not a layer or an image"):
        run("extract", tmp_path / "hive", "--to", tmp_path / "c")


def test_what_image_pushes_to_a_registry_is_extracted_as_it_was(tmp_path: Path) -> None:
    top = image_runs.sources(tmp_path / "sources")
    with image_runs.registry(tmp_path / "registry") as registry:
        (reference,) = image_runs.made(top, f"docker://{registry.host}/a/b:1")
        assert run("extract", reference, r"C:\conf", "hello.exe", "--to", tmp_path / "out")[0] == 0
    assert image_runs.tree(tmp_path / "out/Files") == image_runs.tree(top)
    assert (tmp_path / "out/Files/conf/link.toml").readlink() == Path("hello.toml")


def test_a_registry_without_tls_needs_the_option(tmp_path: Path) -> None:
    try:
        address = socket.gethostbyname(socket.gethostname())
    except OSError:
        pytest.skip("this machine's name leads nowhere")
    if socket.gethostname() == "localhost":
        pytest.skip("this machine is called localhost, which needs no TLS")
    top = image_runs.sources(tmp_path / "sources")
    with image_runs.registry(tmp_path / "registry") as registry:
        image_runs.made(top, f"docker://{registry.host}/a/b:1")
        traffic = Traffic(registry.host, address, socket.gethostname())
        words = ("extract", f"docker://{traffic.host}/a/b:1", "--to", tmp_path / "out")
        with pytest.raises(GeneratorError, match=f"give --plain-http {traffic.host}"):
            run(*words)
        assert run(*words, "--plain-http", traffic.host)[0] == 0
        traffic.close()
    with pytest.raises(GeneratorError, match="--plain-http http://a: invalid registry"):
        run("extract", "scratch", "--tar", "--plain-http", "http://a")


def test_exactly_one_of_to_and_tar_is_given() -> None:
    for words in ([], ["--tar", "--to", "x"]):
        with pytest.raises(GeneratorError, match="give either --to or --tar"):
            run("extract", "scratch", *words)


def test_inspect_merged_shows_the_tree_that_extract_writes(tmp_path: Path) -> None:
    made = RandomImage(7, 4)
    name = image(tmp_path, *made.layers)
    status, shown = run("inspect", name, "--merged", "--json")
    (one,) = json.loads(shown)["opened"][0]["layers"]
    assert status == 0
    assert {each["path"]: each["type"] == "5" for each in one["entries"]} == {
        path: data is None for path, data in made.tree.items()
    }
    assert extracted(tmp_path, name) == made.tree
    lines = printed("inspect", name, "--merged")
    assert any(line.startswith("  merged  merged from 4 layers") for line in lines)
    assert sum("  directory" in line for line in lines) == list(made.tree.values()).count(None)


def test_inspect_merged_reads_hives_of_the_topmost_layer(tmp_path: Path) -> None:
    name = Layout(tmp_path / "image", [base(), tarred(ROOTS)]).write()
    hive = "Files/Windows/System32/config/SAM"
    assert run("inspect", name, "--merged", "--reg", hive)[1].endswith(b"\n[\\]\n\n")
    assert "good hive" in "\n".join(printed("inspect", name, "--merged", "--path", hive))
    with pytest.raises(GeneratorError, match="--merged and --hex exclude each other"):
        run("inspect", name, "--merged", "--hex", ".")


DOCUMENT = (ROOT / "docs/extract.md").read_text("utf-8")
EXAMPLES = re.findall(r"^\$ winscratch (extract .*)\n(.*)$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_documented_examples_match_the_program(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(EXAMPLES) == 2
    monkeypatch.chdir(tmp_path)
    assert run(*shlex.split(command)) == (0, f"{shown}\n".encode())


def test_documented_limits_are_those_of_the_program() -> None:
    limits = f"{disk._MOST_BYTES:,} bytes" if os.name != "nt" else ""
    assert f"{limits} (32,000 on Windows) or {disk._MOST_PARTS} parts" in " ".join(DOCUMENT.split())

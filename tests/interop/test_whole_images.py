# SPDX-License-Identifier: Apache-2.0
"""The programs that make an image of a folder: one in each language, and one and the same image from all of them."""

import functools
import gzip
import hashlib
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.committed_modules import OUTPUT, PROJECT, run
from helpers.support import need
from languages.programs import WRITERS, Command

DOCUMENT = PROJECT / "docs/layer-format.md"

DATA: dict[str, bytes] = {
    "B.txt": b"B",
    "a-b": b"beside the folder a",
    "a.txt": b"a",
    "a/nested/deeper/deepest.txt": b"x" * 512,
    "a/nested/" + "long" * 30 + ".txt": b"a path for a PAX record",
    "empty.txt": b"",
    "program.exe": bytes(range(250)) * 280,
    "Ärger.txt": "ä".encode(),
    "данные/файл.txt": b"1",
    "資料/ファイル.txt": b"2",
    "\uff5e.txt": b"U+FF5E, whose UTF-8 comes before that of U+1F600, and its UTF-16 behind",
    "\U0001f600.txt": b"U+1F600",
}
LINKS = {"link.txt": "a/nested/deeper/deepest.txt", "link": "資料", "dangling": "../nowhere"}
EMPTY = "empty"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("folder")
    top.joinpath(EMPTY).mkdir()
    for name, data in DATA.items():
        top.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        top.joinpath(name).write_bytes(data)
    for name, target in LINKS.items():
        top.joinpath(name).symlink_to(target)
    return top


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Command]:
    """Return a function that builds a language's program and returns its command line."""
    return functools.cache(lambda language: WRITERS[language].image(tmp_path_factory.mktemp(language)))


@pytest.fixture(scope="module")
def make(
    command: Callable[[str], Command], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return what makes the layout of the one folder by a language's program."""

    @functools.cache
    def made(language: str) -> Path:
        layout = tmp_path_factory.mktemp(language) / "layout"
        run(*command(language), folder, layout)
        return layout

    return made


@pytest.fixture(params=WRITERS)
def layout(make: Callable[[str], Path], request: pytest.FixtureRequest) -> Path:
    return make(request.param)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def _digest(layout: Path) -> str:
    """Return the digest of a layout's one manifest."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return str(entry["digest"])


def _top(layout: Path) -> Path:
    """Return the layer on top, uncompressed as it is."""
    return _blob(layout, json.loads(_blob(layout, _digest(layout)).read_bytes())["layers"][1]["digest"])


def test_each_language_with_a_writer_has_a_program_that_stays_short() -> None:
    for user in WRITERS.values():
        assert len((PROJECT / user.source).read_text("utf-8").splitlines()) <= user.lines, user.source


def test_one_folder_has_one_manifest_digest_in_every_language(make: Callable[[str], Path]) -> None:
    layouts = {language: make(language) for language in WRITERS}
    digests = {language: _digest(layout) for language, layout in layouts.items()}
    assert len(set(digests.values())) == 1, digests
    for language, layout in layouts.items():
        assert _files(layout) == _files(layouts["python"]), language


def test_the_names_come_in_another_order_by_utf_16_and_by_letters() -> None:
    names = sorted({name.partition("/")[0] for name in DATA}, key=lambda name: name.encode("utf-8"))
    assert names != sorted(names, key=lambda name: name.encode("utf-16-be"))
    assert names != sorted(names, key=str.casefold)
    paths = sorted(DATA, key=lambda name: name.encode("utf-8"))
    assert paths != sorted(DATA, key=lambda name: name.encode("utf-8").split(b"/")), "a-b comes behind a/nested"


def test_the_documents_json_is_that_of_the_layout_byte_for_byte(layout: Path) -> None:
    blocks = re.findall(
        r"^<!-- json: (\S+) -->\n```\n(.*?)\n```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    texts = {name: re.sub(r"\n *", "", text) for name, text in blocks}
    assert texts.keys() == {"config", "manifest", "index.json", "oci-layout"}
    blob = (OUTPUT / "layers/hostprocess.tar.gz").read_bytes()
    words = (
        {"BASE-DIFF-ID": _sha256(gzip.decompress(blob))}
        | _words("BASE", blob)
        | _words("TOP", _top(layout).read_bytes())
    )

    def filled(name: str) -> bytes:
        return re.sub(r"[A-Z]+-[A-Z-]+", lambda match: words[match[0]], texts[name]).encode("ascii")

    words |= _words("CONFIG", filled("config"))
    words |= _words("MANIFEST", filled("manifest"))
    wanted = {"index.json": filled("index.json"), "oci-layout": filled("oci-layout")}
    for data in (blob, _top(layout).read_bytes(), filled("config"), filled("manifest")):
        wanted[_sha256(data).replace("sha256:", "blobs/sha256/")] = data
    assert _files(layout) == wanted


def _words(of: str, data: bytes) -> dict[str, str]:
    return {f"{of}-DIGEST": _sha256(data), f"{of}-SIZE": str(len(data))}


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_the_layer_on_top_holds_the_folder_in_order_at_one_time(layout: Path) -> None:
    folders = {str(parent) for name in DATA for parent in Path(name).parents} - {"."} | {EMPTY}
    paths = sorted([*DATA, *LINKS, *folders], key=lambda name: name.encode("utf-8").split(b"/"))
    with tarfile.open(_top(layout)) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == ["Hives", "Files", *(f"Files/{path}" for path in paths)]
        for member in members:
            name = member.name.removeprefix("Files/")
            assert (member.mtime, member.isdir()) == (315619200, name in folders | {"Hives", "Files"})
            assert member.linkname == LINKS.get(name, "")
            if name in DATA:
                data = tar.extractfile(member)
                assert data is not None
                assert data.read() == DATA[name]
        attributes = {member.name: member.pax_headers["MSWINDOWS.fileattr"] for member in members if member.issym()}
    assert attributes == {"Files/dangling": "1056", "Files/link": "1040", "Files/link.txt": "1056"}


def test_skopeo_reads_the_image(layout: Path) -> None:
    found = json.loads(run(need("skopeo"), "inspect", f"oci:{layout}:latest"))
    assert (found["Os"], found["Architecture"], found["Digest"]) == ("windows", "amd64", _digest(layout))
    assert found["Layers"][1] == f"sha256:{_top(layout).name}"


def test_umoci_unpacks_the_folder_again(layout: Path, tmp_path: Path) -> None:
    # Raw, since umoci makes bundles for Linux only.
    root = tmp_path / "root"
    run(need("umoci"), "raw", "unpack", "--rootless", "--image", f"{layout}:latest", root)
    files = root / "Files"
    found = {
        path.relative_to(files).as_posix(): path for path in files.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    hives = {name for name in found if name.startswith("Windows/System32/config/")}
    assert len(hives) == 5
    assert found.keys() - hives == DATA.keys() | LINKS.keys()
    for name, data in DATA.items():
        assert found[name].read_bytes() == data
    for name, target in LINKS.items():
        assert str(found[name].readlink()) == target
    assert list(files.joinpath(EMPTY).iterdir()) == []


def test_go_containerregistry_finds_the_image_valid(layout: Path) -> None:
    run(need("go"), "run", "./validate", layout, cwd=PROJECT / "tests/languages/go")


def _fail(command: Command, *arguments: Path) -> str:
    """Run *command*, which must fail with one line, and return that."""
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("language", WRITERS)
def test_a_layout_that_is_there_stays_as_it_is(
    language: str, command: Callable[[str], Command], folder: Path, tmp_path: Path
) -> None:
    run(*command(language), folder, tmp_path / "layout")
    before = _files(tmp_path)
    assert "layout" in _fail(command(language), folder, tmp_path / "layout")
    assert _files(tmp_path) == before


@pytest.mark.parametrize("language", WRITERS)
@pytest.mark.parametrize("name", ["what:stream", "aux.txt", "a/TWIN", "fifo"])
def test_what_cannot_be_in_a_layer_is_named_and_no_image_comes_out(
    language: str, name: str, command: Callable[[str], Command], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.joinpath("a").mkdir(parents=True)
    source.joinpath("a/twin").write_bytes(b"")
    if name == "fifo":
        os.mkfifo(source / name)
    else:
        source.joinpath(name).write_bytes(b"")
    said = _fail(command(language), source, tmp_path / "layout")
    assert ("a/twin" if name == "a/TWIN" else name) in said
    assert not tmp_path.joinpath("layout/index.json").exists()

# SPDX-License-Identifier: Apache-2.0
"""The report as a file: self-contained, safe, fresh, and made of committed layers or of named files."""

import base64
import gzip
import hashlib
import html
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS
from helpers.hive_maker import Node, make, sample
from helpers.hive_maker import text as utf16
from helpers.vendoring import commit, git

from generator.base.errors import GeneratorError
from generator.builder.wire import ROOT
from generator.generation import manifest, pipeline, unchanged
from generator.hives.model import REG_SZ, Value
from generator.report import report as room
from generator.report.difference_table import differences
from generator.report.report import documents
from generator.views.regions import Regions

PAGE = (ROOT / unchanged.REPORT).read_text("utf-8")


def run(*words: str, root: Path = ROOT) -> tuple[int, list[str]]:
    """Return the exit status of `report` and the lines it prints."""
    start = f"import sys; sys.path.insert(0, {str(root)!r}); from generator.__main__ import main; "
    command = [sys.executable, "-P", "-c", f"{start}sys.exit(main({['report', *words]!r}))"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def tar_of(layer: str) -> bytes:
    return gzip.decompress((ROOT / manifest.blob_path(layer)).read_bytes())


def data_of(page: str) -> dict[str, list[dict[str, object]]]:
    """Return the data that the page's script reads."""
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return data


def test_the_report_is_small_and_requests_nothing() -> None:
    assert len(PAGE.encode()) < 150_000
    without_data = re.sub(r'<script type="application/json".*?</script>', "", PAGE, flags=re.DOTALL)
    assert not re.search(r"https?:|//[a-z]|\bsrc=|@import|url\(", without_data)
    assert re.findall(r'href="([^"]*)"', PAGE) == ["#maps"]
    assert [each["name"] for each in data_of(PAGE)["subjects"]] == ["scratch", "hostprocess", "legacy"]


PYTHON = re.compile(
    r"\b(None|True|False)\b|(?<!\w)b['\"]|\bobject at 0x|<[A-Z]\w+\.|\b[A-Z]\w+\(\w+=|\b[A-Z][a-z]\w*\.[A-Z_]{2,}\b"
)


def test_the_report_shows_no_python_values(tmp_path: Path) -> None:
    hive = sample()
    hive.poke("key Alpha", 0, "<2s", b"xx")  # a finding
    (tmp_path / "hive").write_bytes(bytes(hive.seal()))
    target = tmp_path / "report.html"
    room.report(ROOT, [str(tmp_path / "hive")], to=str(target), show=False, history=False, say=lambda _: None)
    for page in (PAGE, target.read_text("utf-8")):
        shown = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
        texts = [html.unescape(text) for text in re.findall(r">([^<]+)<", shown)]
        found: list[object] = [texts, data_of(page)["subjects"]]
        while found:
            each = found.pop()
            if isinstance(each, dict):
                found += each.values()
            elif isinstance(each, list):
                found += each
            elif isinstance(each, str):
                assert not PYTHON.search(each), each
    for value in (None, True, b"x", object()):
        assert PYTHON.search(repr(value))


def test_the_policy_allows_only_its_style_and_script() -> None:
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', PAGE)
    allowed = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    for directive, pattern in (
        ("style-src", r"<style>(.*?)</style>"),
        ("script-src", r'<script type="module">(.*?)</script>'),
    ):
        (text,) = re.findall(pattern, PAGE, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert allowed.pop(directive) == f"'sha256-{digest}'"
    assert allowed.pop("require-trusted-types-for") == "'script'"
    assert set(allowed.values()) == {"'none'"}
    assert "default-src" in allowed
    assert not re.search(r' style="| on\w+="', PAGE)


def test_the_report_contains_the_layers_bytes() -> None:
    for each in data_of(PAGE)["subjects"]:
        kept, skipped = base64.b64decode(str(each["bytes"])), each["skipped"]
        assert isinstance(skipped, list)
        made, at = bytearray(), 0
        for start, length in zip(skipped[::2], skipped[1::2], strict=True):
            size = start - len(made)
            made += kept[at : at + size] + bytes(length)
            at += size
        assert made + kept[at:] == tar_of(str(each["name"]))


@pytest.mark.usefixtures("place")
def test_report_overwrites_only_reports() -> None:
    assert run() == (0, ["wrote winscratch-report.html"])
    assert run() == (0, ["wrote winscratch-report.html"])
    assert Path("winscratch-report.html").read_text("utf-8") == PAGE
    Path("mine.html").write_text("mine")
    status, printed = run("scratch", "--to", "mine.html")
    assert (status, printed) == (
        2,
        ["error: mine.html: exists and is not a report; hint: --to FILE"],
    )
    assert Path("mine.html").read_text() == "mine"


@pytest.mark.usefixtures("place")
def test_open_starts_a_browser_with_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Path("browser")
    browser.write_text('#!/bin/sh\necho "$1" >opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser.absolute()} %s")
    assert run("scratch", "--open", "--to", "a b.html") == (0, ["wrote a b.html"])
    assert Path("opened").read_text() == f"{Path('a b.html').absolute().as_uri()}\n"


@pytest.mark.usefixtures("place")
def test_report_shows_tars_hives_and_layers_of_images() -> None:
    Path("layer.tar").write_bytes(tar_of("legacy"))
    Path("hive").write_bytes(bytes(sample().data))
    with tarfile.open("image.tar", "w") as image:
        digest = hashlib.sha256(tar_of("legacy")).hexdigest()
        settings = {
            "os": "windows",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
        listed = [{"Config": "config.json", "RepoTags": ["a:b"], "Layers": ["layer.tar"]}]
        for name, data in (
            ("config.json", json.dumps(settings).encode()),
            ("layer.tar", tar_of("legacy")),
            ("manifest.json", json.dumps(listed).encode()),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            image.addfile(info, io.BytesIO(data))
    assert run("layer.tar", "hive", "image.tar", "--to", "all.html") == (0, ["wrote all.html"])
    page = Path("all.html").read_text("utf-8")
    names = [str(each["name"]) for each in data_of(page)["subjects"]]
    assert names[:2] == ["layer.tar", "hive"]
    assert (len(names), names[2].endswith("layer 1")) == (3, True)
    assert f"sha256:{digest}" in page
    assert "windows/amd64" in page


@pytest.mark.usefixtures("place")
def test_report_shows_damaged_files_up_to_the_damage() -> None:
    Path("cut.tar").write_bytes(tar_of("scratch")[:13000])
    Path("cut.gz").write_bytes((ROOT / manifest.blob_path("scratch")).read_bytes()[:600])
    Path("hive").write_bytes(bytes(sample().data)[:5000])
    for name in ("cut.tar", "cut.gz", "hive"):
        status, printed = run(name, "--to", f"{name}.html")
        assert (status, f"wrote {name}.html" in printed) == (0, True)
        page = Path(f"{name}.html").read_text("utf-8")
        assert '<p class="wrong">the ' in page or 'class="findings"' in page
        assert data_of(page)["subjects"][0]["tree"]
    for name in ("nothing", "text"):
        Path("text").write_text("no layer")
        status, printed = run(name, "--to", "no.html")
        assert (status, len(printed), Path("no.html").exists()) == (2, 1, False)


def test_report_refuses_too_many_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(room, "MAX_BYTES", 100_000)
    with pytest.raises(GeneratorError, match=r"scratch: more than 100,000 bytes in all"):
        room.report(ROOT, ["scratch", "legacy"] * 3, to=str(tmp_path / "x"), show=False, history=False)
    assert not (tmp_path / "x").exists()


def test_report_recognizes_only_whole_reports(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    mark = '<meta name="generator" content="winscratch report">'
    for text in (mark, f"notes about {mark}", PAGE.replace("<html", "<!-- mine -->\n<html", 1), f" {PAGE}"):
        target.write_text(text, "utf-8")
        with pytest.raises(GeneratorError, match="exists and is not a report"):
            room.report(ROOT, ["scratch"], to=str(target), show=False, history=False)
        assert target.read_text("utf-8") == text
    target.write_text(PAGE, "utf-8")
    room.report(ROOT, ["scratch"], to=str(target), show=False, history=False, say=lambda _: None)
    assert target.read_text("utf-8") != PAGE


def test_report_shows_the_beginning_of_other_files(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("Files/program.exe")
        info.size = 3_000_000
        tar.addfile(info, io.BytesIO(b"MZ" + bytes(range(1, 256)) * 12000))
    (tmp_path / "layer.tar").write_bytes(out.getvalue())
    target = tmp_path / "report.html"
    room.report(ROOT, [str(tmp_path / "layer.tar")], to=str(target), show=False, history=False, say=lambda _: None)
    assert target.stat().st_size < 120_000
    (shown,) = data_of(target.read_text("utf-8"))["subjects"]
    assert shown["hidden"] == [512 + 4096, 3_000_000 - 4096]


def test_history_has_the_sizes_of_each_revision(tree: Path, tmp_path: Path) -> None:
    git(tree, "init", "-q")
    commit(tree)
    (tree / "output/layers/legacy.tar.gz").unlink()
    commit(tree)
    target = tmp_path / "report.html"
    room.report(tree, ["scratch"], to=str(target), show=False, history=True, say=lambda _: None)
    page = target.read_text("utf-8")
    rows = re.findall(r'<tr><th scope="row"><code>[0-9a-f]{12}</code></th><td>[\d-]+</td>(.*)</tr>', page)
    sizes = [re.findall(r'<td class="number">([\d,]*)</td>', row) for row in rows]
    now = [f"{(ROOT / manifest.blob_path(name)).stat().st_size:,}" for name in LAYERS]
    assert sizes == [[size if name != "legacy" else "" for name, size in zip(LAYERS, now, strict=True)], now]
    assert "Sizes by revision" not in PAGE
    with pytest.raises(GeneratorError, match="--history: git has no revisions here"):
        room.report(tmp_path, [], to=str(tmp_path / "x"), show=False, history=True)


def test_differences_compare_hives_of_the_same_path() -> None:
    hive = sample()
    changed = sample()
    changed.poke("data Alpha\\Text", 0, "<2s", b"S\0")
    rows = {row.what: row for row in differences([Regions(bytes(hive.data)), Regions(bytes(changed.data))])}
    assert rows["hive"].differs
    assert rows["Alpha\\Text"].cells == ("REG_SZ: some text", "REG_SZ: Some text")
    assert len([row for row in rows.values() if row.differs]) == 2
    layers = {row.what: row for row in differences([Regions(tar_of("scratch")), Regions(tar_of("legacy"))])}
    assert not layers["UtilityVM"].differs
    assert layers["Files/Windows/System32/config/SAM"].cells[1] == "file, 0 bytes"


def test_differences_show_where_cut_values_differ() -> None:
    old, new = (make(Node("root", values=[Value("long", REG_SZ, utf16("a" * 300 + end))])).data for end in "bc")
    rows = differences([Regions(bytes(old)), Regions(bytes(new)), Regions(bytes(old))])
    (row,) = (row for row in rows if row.what == "\\long")
    assert row.cells[1] == f"{row.cells[0]}, differs from byte 600 on"
    assert row.cells[2] == row.cells[0]


def test_committed_documents_can_be_stale(tree: Path) -> None:
    def check() -> list[str]:
        printed: list[str] = []
        pipeline.check(tree, documents, say=printed.append, note=lambda _: None)
        return printed

    paths = [unchanged.REPORT, *unchanged.MAPS]
    assert all((tree / path).read_bytes() == (ROOT / path).read_bytes() for path in paths)
    assert check() == ["fresh: every output is what its inputs make"]
    (tree / unchanged.REPORT).unlink()
    (tree / unchanged.MAPS[0]).write_text("<svg/>")
    printed = check()
    assert f"stale: {unchanged.REPORT}: deleted" in printed
    assert f"stale: {unchanged.MAPS[0]}: edited by hand, or half written" in printed
    pipeline.generate(tree, documents, say=lambda _: None, note=lambda _: None)
    assert check() == ["fresh: every output is what its inputs make"]
    style = tree / "templates/report/page.css"
    style.write_text(style.read_text("utf-8") + "/* other */\n")
    printed = check()
    assert (
        f"stale: {unchanged.REPORT}: not what its sources make" in printed or f"stale: {unchanged.REPORT}" in printed[0]
    )
    assert "changed since: templates/report/page.css: changed" in printed


def test_a_script_with_an_end_tag_is_refused(tree: Path) -> None:
    script = tree / "templates/report/page.js"
    script.write_text(script.read_text("utf-8") + 'const end = "</script>";\n')
    with pytest.raises(GeneratorError, match=r"templates/report/page\.js: contains '</'"):
        pipeline.generate(tree, documents, say=lambda _: None, note=lambda _: None)


@pytest.mark.usefixtures("place")
def test_documented_commands_work() -> None:
    text = (ROOT / "docs/report.md").read_text("utf-8")
    commands = re.findall(r"^\./invokew report(.*?)(?:  +#.*)?$", text, re.MULTILINE)
    assert len(commands) == 3
    for words in commands:
        status, printed = run(*(str(ROOT / word) if word.startswith("output/") else word for word in words.split()))
        if "--history" in words and "git has no revisions" in printed[0]:  # in a copy without git history
            continue
        assert (status, printed[0].startswith("wrote ")) == (0, True), printed

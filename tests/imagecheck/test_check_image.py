# SPDX-License-Identifier: Apache-2.0
"""check-image: each rule is found broken by an image that breaks it, and good images are good in every form."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import test_check_image_documents
import test_import_rules
from helpers.committed_modules import LAYERS, PROJECT, registry, run
from helpers.image_checks import checked, found
from helpers.layouts import BCD, CONFIG, RECORDS, ROOTS, Layout, Part, base, directory, parts_of, sha256, tarred
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.hives import check
from generator.imagecheck import command
from generator.imagecheck.rules import RULES
from generator.imageread import images
from generator.runtime.model import Rule

TOP = [*ROOTS, directory("Files/app", **RECORDS), Part("Files/app/hello.exe", b"MZ")]


def on_top(folder: Path, *parts: Part) -> Layout:
    return Layout(folder, [base(), tarred([*ROOTS, *parts])])


@pytest.mark.parametrize("name", LAYERS)
def test_our_base_layers_are_good_but_the_one_with_empty_hives(name: str, tmp_path: Path) -> None:
    rules = found(Layout(tmp_path, [base(name)]))
    empty = ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"]
    assert rules == ({"hive": [f"{CONFIG}/{hive}" for hive in empty]} if name == "legacy" else {})


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = Layout(tmp_path_factory.mktemp("good"), [base(), tarred(TOP)])
    layout.write()
    return layout.folder


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as where:
        yield where


@pytest.mark.parametrize(
    "form", ["oci:{0}/x:v1", "oci-archive:{0}/x.tar:v1", "docker-archive:{0}/x.tar:a/b:v1", "dir:{0}/x"]
)
def test_a_good_image_is_good_in_every_form_that_skopeo_writes(form: str, image: Path, tmp_path: Path) -> None:
    name = form.format(tmp_path)
    run(need("skopeo"), "copy", f"oci:{image}:latest", name)
    status, (each,) = checked(name)
    assert (status, each["good"], each["findings"], each["os"]) == (0, True, [], "windows")
    assert [layer["diff_id"] for layer in each["layers"]] == [sha256(base()), sha256(tarred(TOP))]


@pytest.mark.parametrize("name", ["docker://{}/a/b:v1", "{}/a/b:v1"])
def test_a_good_image_is_good_in_a_registry(name: str, image: Path, address: str, place: Path) -> None:
    run(need("skopeo"), "copy", "--dest-tls-verify=false", f"oci:{image}:latest", f"docker://{address}/a/b:v1")
    status, (each,) = checked(name.format(address))
    assert (status, each["findings"]) == (0, [])
    assert each["digest"] == json.loads((image / "index.json").read_text())["manifests"][0]["digest"]
    assert list(place.iterdir()) == []


def test_a_reference_without_a_registry_that_answers_is_an_error_of_one_line() -> None:
    need("skopeo")
    with pytest.raises(GeneratorError, match=r"docker://127\.0\.0\.1:1/a: .* connection refused"):
        checked("docker://127.0.0.1:1/a")


# ---------------------------------------------------------------------------------------------
# Each rule, broken by a layer on top


@pytest.mark.parametrize("name", ["oic:layout", "docker-daemon:x", "scratch", "hello:1"])
def test_a_single_word_is_no_registrys_image(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("skopeo was started"))
    with pytest.raises(GeneratorError, match=f"^{name}: no .* docker://{name} for Docker Hub's"):
        checked(name)


def test_a_reference_that_can_be_no_typo_may_stand_alone() -> None:
    names = ("a/b", "a/b:1", "localhost/x", "localhost:5000/x:1", f"hello@{sha256(b'')}")
    assert [images.split(name) for name in names] == [("docker", f"//{name}", "") for name in names]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE, attributes: str = "1056") -> Part:
    return Part(name, b"", kind, target, RECORDS | {"MSWINDOWS.fileattr": attributes})


def file(name: str, **records: str) -> Part:
    return Part(name, b"", tarfile.REGTYPE, "", RECORDS | records)


A = directory("Files/a", **RECORDS)
SDDL: list[tuple[Part, ...]] = [(Part("Files/x", records={"MSWINDOWS.sd": "O:XX", "atime": "0", "ctime": "0"}),)]
BROKEN: dict[str, list[tuple[Part, ...]]] = {
    "root": [(file("etc"),), (file("./Files/x"),), (file("files/x"),)],
    "name": [
        (file(f"Files/{name}"),)
        for name in (
            "nul",
            "aux.txt",
            "COM¹ .x",
            "a.",
            "b ",
            "a*b",
            "c\\d",
            "a\x07",
            "n" * 256,
            "\udcff",
            "CONIN$",
            "a/",
        )
    ],
    "stream": [(file("Files/a"), file("Files/a:stream"))],
    "parent": [(file("Files/a/b"),), (file("Files/a"), file("Files/a/b")), (link("Files/a", "b"), file("Files/a/b"))],
    "repeated": [(file("Files/a"), file("Files/a")), (A, A), (directory("Files/"),)],
    "case": [(file("Files/a"), file("Files/A")), (A, file("Files/A/b")), (file("Files/größe"), file("Files/GRÖßE"))],
    "kind": [(Part("Files/a", b"", kind),) for kind in (b"3", b"4", b"6", b"7", b"V")],
    "whiteout": [
        (file("Hives/.wh.x"),),
        (file("Files/.wh..wh..opq"),),
        (file("Files/x"), file("Files/.wh.x")),
        (file("Files/.wh.x"), file("Files/x")),
    ],
    "link-target": [
        (link("Files/x", "Files/y"), file("Files/y")),
        (link("Files/x", ""),),
        (link("Files/x", "a*b"),),
        (link("Files/x", "y" * 4088),),
        (link("Files/x", "Files/y", tarfile.LNKTYPE),),
        (link("Files/x", "Hives/y", tarfile.LNKTYPE),),
        (file("Files/y"), link("Files/x", "Files/./y", tarfile.LNKTYPE)),
        (file("Files/y"), link("Files/x", "Files/y/", tarfile.LNKTYPE)),
    ],
    "link-kind": [(A, link("Files/x", "a")), (file("Files/a"), link("Files/x", "C:\\A", attributes="1040"))],
    "attributes": [
        (file("Files/x", **{"MSWINDOWS.fileattr": value}),) for value in ("0x20", "-1", "4294967296", "16", "", " 1")
    ],
    "descriptor": [
        (file("Files/x", **{"MSWINDOWS.rawsd": value}),) for value in ("AQ", "AQ==", "", "ä", "A" * 80, "!!!!")
    ]
    + SDDL,
    "descriptor-missing": [(Part("Files/x", records={"atime": "0", "ctime": "0"}),)],
    "time": [
        (file("Files/x", **{key: value}),)
        for key, values in (
            *dict.fromkeys(("mtime", "atime", "LIBARCHIVE.creationtime"), ("9223372037", "-9223372037")).items(),
            ("LIBARCHIVE.creationtime", ("x", "1e3", "1.-5", "1" * 30, "")),
        )
        for value in values
    ],
    "layer": [
        (file("Files/x", **{key: value}),)
        for key in ("mtime", "atime", "ctime")
        for value in ("x", "1e3", "1.-5", "1" * 30)
    ],
    "time-missing": [(Part("Files/x", records={"MSWINDOWS.rawsd": RECORDS["MSWINDOWS.rawsd"]}),)],
    "time-fraction": [(file("Files/x", mtime="1700000000.05", **{"LIBARCHIVE.creationtime": "1700000000.50000000"}),)],
    "record": [
        (file("Files/x", **{"MSWINDOWS.xattr.a": "?"}),),
        (file("Files/x", **{"MSWINDOWS.mountpoint": ""}),),
    ],
}


@pytest.mark.parametrize(("rule", "parts"), [(rule, each) for rule, rows in BROKEN.items() for each in rows])
def test_a_layer_on_top_that_breaks_a_rule_is_found_by_entry(
    rule: str, parts: tuple[Part, ...], tmp_path: Path
) -> None:
    rules = found(on_top(tmp_path, *parts))
    assert rules.keys() == {rule}
    assert {entry.rstrip("/") for entry in rules[rule]} <= {part.name.rstrip("/") for part in parts}


GOOD: list[tuple[Part, ...]] = [
    (directory("Files/a/", **RECORDS), file("Files/a/b")),
    (file("Files/x"), link("Files/y1", "Files/x", tarfile.LNKTYPE), link("Files/z1", "Files/y1", tarfile.LNKTYPE)),
    (link("Files/yy", f"{CONFIG}/SAM", tarfile.LNKTYPE),),  # in the layer below
    (link("Files/x", "y"), link("Files/z", "C:\\nowhere"), link("Files/u", "\\\\?\\C:\\x"), link("Files/w", "../..")),
    (link("Files/x", "Windows", attributes="1040"),),
    (directory("UtilityVM"), directory("UtilityVM/Files/x"), file("UtilityVM/Files/x/y")),
    (file("Files/.wh.x"), file("Files/a/.wh.b")),
    (file("Files/" + "ü" * 120), file("Files/🦀"), file("Files/x", mtime="-0.5"), file("Files/y", atime="1.123456789")),
    (file("Files/x", **{"MSWINDOWS.sd": "O:BAG:BA", "MSWINDOWS.xattr.a": "YQ==", "unknown": "x", "size": "0"}),),
]


@pytest.mark.parametrize("parts", GOOD, ids=range(len(GOOD)))
def test_what_windows_takes_is_not_found_fault_with(parts: tuple[Part, ...], tmp_path: Path) -> None:
    assert found(on_top(tmp_path, *parts)) == {}


def test_a_layer_without_hives_and_one_without_files_is_found(tmp_path: Path) -> None:
    layers = [base(), tarred([directory("Files")]), tarred([directory("Hives")]), tarred([])]
    assert found(Layout(tmp_path, layers)) == {"root-missing": [""] * 3}


# ---------------------------------------------------------------------------------------------
# A base layer


def without(name: str) -> list[Part]:
    return [part for part in parts_of(base()) if part.name != name]


def changed(which: str, **fields: Any) -> list[Part]:
    return [part._replace(**fields) if part.name == which else part for part in parts_of(base())]


def dirty(hive: bytes) -> bytes:
    """Return a hive whose last write did not end: its first sequence number is ahead, its checksum right."""
    data = bytearray(hive)
    data[4] += 1
    total = 0
    for at in range(0, 508, 4):
        total ^= int.from_bytes(data[at : at + 4], "little")
    data[508:512] = total.to_bytes(4, "little")
    return bytes(data)


SAM = f"{CONFIG}/SAM"
HIVE = next(part.data for part in parts_of(base()) if part.name == SAM)
ON_TOP = [
    (rule, name, data, good)
    for rule, name in (("hive-delta", "Hives/System_Delta"), ("hive-delta", "Hives/X_DELTA"), ("hive-on-top", SAM))
    for data, good in ((HIVE, True), (dirty(HIVE), False), (HIVE[:-1], False), (b"junk", False), (b"", False))
]


@pytest.mark.parametrize(("rule", "name", "data", "good"), ON_TOP)
def test_hives_of_a_layer_on_top_are_checked(rule: str, name: str, data: bytes, good: bool, tmp_path: Path) -> None:
    way = [directory(str(folder), **RECORDS) for folder in reversed(Path(name).parents) if len(folder.parts) > 1]
    rules = found(on_top(tmp_path, *way, Part(name, data)))
    assert rules == ({} if good and rule == "hive-delta" else {rule: [name]})


def test_a_link_is_no_hive_of_a_layer_on_top(tmp_path: Path) -> None:
    assert "hive-delta" in found(on_top(tmp_path, link("Hives/System_Delta", "x")))


BASES: list[tuple[str, list[Part], str]] = [
    ("hive", changed(SAM, data=b""), SAM),
    ("hive", changed(SAM, data=b"regf"), SAM),
    ("hive", changed(SAM, data=HIVE[:-1]), SAM),
    ("hive", changed(SAM, data=dirty(HIVE)), SAM),
    ("hive", changed(BCD, data=b"x"), BCD),
    ("hive-missing", without(SAM), ""),
    ("hive-missing", changed(SAM, name=f"{CONFIG}/sam"), ""),
    ("hive-linked", [*parts_of(base()), link("Files/xx", SAM, tarfile.LNKTYPE)], "Files/xx"),
    ("utility-vm", without(BCD), ""),
    ("base-slash", changed("UtilityVM/Files", name="UtilityVM/Files/"), "UtilityVM/Files/"),
    ("base-whiteout", [*parts_of(base()), file("Files/.wh.x")], "Files/.wh.x"),
    ("repeated", [*parts_of(base()), file(SAM)], SAM),
    ("parent", [*parts_of(base()), file("Files/x/y")], "Files/x/y"),
    ("link-target", [*parts_of(base()), link("Files/y", "Files/x", tarfile.LNKTYPE)], "Files/y"),
]


@pytest.mark.parametrize(("rule", "parts", "entry"), BASES, ids=[f"{rule}-{at}" for at, (rule, *_) in enumerate(BASES)])
def test_a_base_layer_that_windows_would_not_take_is_found(
    rule: str, parts: list[Part], entry: str, tmp_path: Path
) -> None:
    rules = found(Layout(tmp_path, [tarred(parts)]))
    assert entry in rules.pop(rule)
    assert rules.keys() <= {"case", "hive"}  # which come with a name in other case, and a second hive


def test_a_dirty_hive_that_check_hive_lets_pass_is_a_fault_in_an_image(tmp_path: Path) -> None:
    (tmp_path / "SAM").write_bytes(dirty(HIVE))
    said: list[str] = []
    assert check.report([tmp_path / "SAM"], say=said.append) == 0
    layout = Layout(tmp_path / "image", [tarred(changed(SAM, data=dirty(HIVE)))])
    status, (image,) = checked(layout.write())
    assert status == 1
    assert "the hive is dirty" in image["findings"][0]["found"]


def test_one_line_tells_of_each_finding_by_entry_and_many_alike_are_counted(tmp_path: Path) -> None:
    bad = [file("Files/nul"), *(file(f"Files/{at}*") for at in range(50))]
    layout = on_top(tmp_path, *bad, *(Part(f"Files/{at}", records={}) for at in range(10)))
    said: list[str] = []
    assert command.report([layout.write()], say=said.append) == 1
    assert [line.count(": Files/") for line in said[:20]] == [1] * 20
    assert said[0].endswith(
        ": layers[1]: Files/nul: refused: the name is that of a device; "
        "a name is one that Windows can have (name; naming)"
    )
    assert sum("31 more of name" in line for line in said) == 1
    assert sum("7 more of time-missing" in line for line in said) == 1
    assert "image that Windows or a client refuses or misreads, windows/amd64, 2 layers" in said[-1]


def test_the_command_is_there_at_the_door_with_its_three_statuses(tmp_path: Path) -> None:
    good = Layout(tmp_path / "good", [base()]).write()
    bad = Layout(tmp_path / "bad", [base("legacy")]).write()

    def status(*words: str) -> tuple[int, str]:
        line = [sys.executable, "-m", "generator", "check-image", *words]
        done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode < 2 or len(done.stderr.splitlines()) == 1, done.stderr
        return done.returncode, done.stdout

    assert status(good)[0] == 0
    assert status("--json", good, bad)[0] == 1
    assert status()[0] == 2
    assert status(f"oci:{tmp_path}/none") == (2, "")
    assert status(f"{good}:nosuch") == (2, "")
    assert status(f"{good}:latest")[0] == 0


def test_every_rule_is_broken_by_a_test() -> None:
    elsewhere = {"index", "bomb", "entries", "two-faces"}  # test_check_image_hostile.py, test_check_image_indexes.py
    importers = {rule for row in test_import_rules.ROWS for rule in row.rules}
    documents = {rule for rule, _ in test_check_image_documents.DOCUMENTS}
    tested = {
        *BROKEN,
        *(rule for rule, *_ in BASES),
        *documents,
        "root-missing",
        *(rule for rule, *_ in ON_TOP),
        *elsewhere,
        *importers,
        *({*get_args(Rule)} - {"program-node"}),  # test_check_image_start.py
    }
    assert tested == RULES.keys()

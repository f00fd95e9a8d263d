# SPDX-License-Identifier: Apache-2.0
"""check-image finds each broken rule, and accepts good images in every form."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, PROJECT, registry, run
from helpers.image_checks import checked, found
from helpers.layouts import CONFIG, RECORDS, ROOTS, Layout, Part, base, directory, sha256, tarred
from helpers.rule_examples import EXAMPLES, rows
from helpers.rule_layers import BASES, BROKEN, GOOD, HIVE, ON_TOP, SAM, changed, dirty, file, folders_of, link, on_top
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.hives import check
from generator.hives.rules import Level
from generator.imagecheck import command
from generator.imagecheck.rules import RULES
from generator.imageread import images

TOP = [*ROOTS, directory("Files/app", **RECORDS), Part("Files/app/hello.exe", b"MZ")]


@pytest.mark.parametrize("name", LAYERS)
def test_base_layers_are_good_except_legacy_with_empty_hives(name: str, tmp_path: Path) -> None:
    rules = found(Layout(tmp_path, [base(name)]))
    empty = ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"]
    assert rules == ({"hive": [f"{CONFIG}/{hive}" for hive in empty]} if name == "legacy" else {})


def test_the_target_of_a_link_is_shown_as_windows_spells_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path, [base(), tarred([*TOP, link("Files/x", "C:\\APP")])])
    (finding,) = checked(layout.write())[1][0]["findings"]
    assert (finding["rule"], finding["found"][:24]) == ("link-kind", r"the target 'C:\APP' is a")


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
def test_a_single_word_is_not_looked_up_in_a_registry(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("skopeo was started"))
    with pytest.raises(
        GeneratorError, match=f"^{name}: (unknown transport|not an image).*; hint: .* docker://{name} for Docker Hub's"
    ):
        checked(name)


def test_a_reference_that_can_be_no_typo_may_stand_alone() -> None:
    names = ("a/b", "a/b:1", "localhost/x", "localhost:5000/x:1", f"hello@{sha256(b'')}")
    assert [images.split(name) for name in names] == [("docker", f"//{name}", "") for name in names]


@pytest.mark.parametrize(("rule", "parts"), [(rule, each) for rule, rows in BROKEN.items() for each in rows])
def test_findings_name_the_rule_and_the_entry_of_a_layer_on_top(
    rule: str, parts: tuple[Part, ...], tmp_path: Path
) -> None:
    rules = found(on_top(tmp_path, *parts))
    assert rules.keys() == {rule}
    assert {entry.rstrip("/") for entry in rules[rule]} <= {part.name.rstrip("/") for part in parts}


@pytest.mark.parametrize("parts", GOOD, ids=range(len(GOOD)))
def test_layers_that_windows_accepts_have_no_findings(parts: tuple[Part, ...], tmp_path: Path) -> None:
    assert found(on_top(tmp_path, *parts)) == {}


def test_a_layer_without_hives_and_one_without_files_is_found(tmp_path: Path) -> None:
    layers = [base(), tarred([directory("Files")]), tarred([directory("Hives")]), tarred([])]
    assert found(Layout(tmp_path, layers)) == {"root-missing": [""] * 3}


# ---------------------------------------------------------------------------------------------
# A base layer


@pytest.mark.parametrize(("rule", "name", "data", "good"), ON_TOP)
def test_hives_of_a_layer_on_top_are_checked(rule: str, name: str, data: bytes, good: bool, tmp_path: Path) -> None:
    rules = found(on_top(tmp_path, *folders_of(name), Part(name, data)))
    assert rules == ({} if good and rule == "hive-delta" else {rule: [name]})


def test_a_link_as_delta_hive_is_refused(tmp_path: Path) -> None:
    assert "hive-delta" in found(on_top(tmp_path, link("Hives/System_Delta", "x")))


@pytest.mark.parametrize(("rule", "parts", "entry"), BASES, ids=[f"{rule}-{at}" for at, (rule, *_) in enumerate(BASES)])
def test_check_image_refuses_invalid_base_layers(rule: str, parts: list[Part], entry: str, tmp_path: Path) -> None:
    rules = found(Layout(tmp_path, [tarred(parts)]))
    assert entry in rules.pop(rule)
    assert rules.keys() <= {"case", "hive"}  # which come with a name in other case, and a second hive


def test_a_dirty_hive_passes_check_hive_but_not_check_image(tmp_path: Path) -> None:
    (tmp_path / "SAM").write_bytes(dirty(HIVE))
    said: list[str] = []
    assert check.report([tmp_path / "SAM"], say=said.append) == 0
    layout = Layout(tmp_path / "image", [tarred(changed(SAM, data=dirty(HIVE)))])
    status, (image,) = checked(layout.write())
    assert status == 1
    assert "the hive is dirty" in image["findings"][0]["found"]


def test_each_finding_is_one_line_and_further_ones_are_counted(tmp_path: Path) -> None:
    bad = [file("Files/nul"), *(file(f"Files/{at}*") for at in range(50))]
    layout = on_top(tmp_path, *bad, *(Part(f"Files/{at}", records={}) for at in range(10)))
    said: list[str] = []
    assert command.report([layout.write()], say=said.append) == 1
    assert [line.count(": Files/") for line in said[:20]] == [1] * 20
    assert said[0].endswith(
        ": layers[1]: Files/nul: refused: the name is a device's; a name is valid on Windows (name; naming)"
    )
    assert sum("31 more of name" in line for line in said) == 1
    assert sum("7 more of time-missing" in line for line in said) == 1
    assert "image that Windows or a client refuses or misreads, windows/amd64, 2 layers" in said[-1]


def test_the_command_exits_with_0_1_or_2(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_broken_by_its_smallest_example(rule: str, tmp_path: Path) -> None:
    status, images = checked(EXAMPLES[rule](tmp_path))
    levels = {each["rule"]: each["level"] for image in images for each in image["findings"]}
    assert levels.get(rule) == RULES[rule].level
    assert status == (Level.REFUSED in levels.values())


def test_the_table_of_examples_has_the_rules_and_no_more() -> None:
    assert EXAMPLES.keys() == RULES.keys()
    assert [row[0] for row in rows()] == ["rule", *RULES]

# SPDX-License-Identifier: Apache-2.0
"""Rebase images between layouts and archives: what moves, what stays, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers import image_indexes, image_runs, layouts
from helpers.composing import base, documents, indexed, on, rebase, top
from helpers.image_checks import checked
from helpers.layouts import ROOTS, Part, directory, tarred
from helpers.rebasing import APP, BASE, NEW, OLD, OTHER, Stage, assert_good, patch
from helpers.support import need

from generator.base.errors import GeneratorError


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_the_lowest_layers_are_replaced_and_those_above_stay_byte_for_byte(stage: Stage) -> None:
    found = stage.rebased()
    image, new = documents(stage.folder / "image"), documents(stage.folder / "new")
    assert found.layers == [*new.layers, *image.layers[2:]]
    assert found.diff_ids == [*new.diff_ids, *image.diff_ids[2:]]
    for digest in image.layers[2:]:
        path = f"blobs/{digest.replace(':', '/')}"
        assert (stage.folder / "out" / path).read_bytes() == (stage.folder / "image" / path).read_bytes()
    image_runs.assert_whole(stage.folder / "out")
    assert_good(stage.folder / "out")


def test_the_configuration_follows_the_base_but_for_what_the_image_sets(stage: Stage) -> None:
    found = stage.rebased()
    assert found.config["os.version"] == NEW
    assert found.config["config"] == {
        "Cmd": [r"c:\windows\system32\cmd.exe"],
        "Entrypoint": ["hello.exe"],
        "Env": [r"Path=C:\Windows;C:\More"],
        "Labels": {"own": "1"},
        "User": "ContainerUser",
    }
    assert [each["created_by"] for each in found.config["history"]] == [f"Apply image {NEW}"] * 3 + ["own"] * 2
    new = stage.folder / "new"
    assert found.manifest["annotations"] == {
        "org.opencontainers.image.base.digest": image_runs.named(new)["latest"]["digest"]
    }


def test_differences_are_printed_and_the_reference_is_all_of_standard_output(stage: Stage) -> None:
    image, new, old = stage.names()
    words = (image, "--onto", new, "--from", old, "--to", f"oci:{stage.folder}/out:1")
    done = image_runs.command(*words, folder=stage.folder, name="rebase")
    digest = image_runs.named(stage.folder / "out")["1"]["digest"]
    assert (done.returncode, done.stdout) == (0, f"oci:{stage.folder}/out@{digest}\n")
    before = f"windows({OLD})/amd64: "
    assert done.stderr.splitlines() == [
        f"{before}layers: 2 of {old} replaced by 3 of {new}, 2 kept",
        f"{before}os.version: {OLD} becomes {NEW}",
        rf"{before}Env PATH: C:\Windows becomes C:\Windows;C:\More",
    ]


def test_a_second_rebase_back_gives_the_same_layers_and_configuration(stage: Stage) -> None:
    stage.rebased()
    rebase(
        f"oci:{stage.folder}/out", f"oci:{stage.folder}/old", f"oci:{stage.folder}/back", old=f"oci:{stage.folder}/new"
    )
    found, image = documents(stage.folder / "back"), documents(stage.folder / "image")
    assert (found.layers, found.config) == (image.layers, image.config)


def test_archives_are_read_and_written(stage: Stage) -> None:
    image, new, old = (_archived(name, stage.folder / f"{at}.tar") for at, name in enumerate(stage.names()))
    to = (f"oci-archive:{stage.folder}/o.tar:x", f"docker-archive:{stage.folder}/d.tar:x:1", f"oci:{stage.folder}/out")
    done = rebase(image, new, *to, old=old)
    assert len(done.said) == 3
    for place in (to[0], to[2]):
        assert checked(place)[1][0]["digest"] == done.digest
    assert checked(to[1])[0] == 0


def _archived(name: str, path: Path) -> str:
    image_runs.run(need("skopeo"), "copy", "--quiet", name, f"oci-archive:{path}")
    return f"oci-archive:{path}"


def test_layers_of_docker_types_become_those_of_oci(stage: Stage) -> None:
    docker = "application/vnd.docker."
    for layout in (stage.old, stage.new, stage.image):
        for layer in layout.manifest["layers"]:
            layer["mediaType"] = f"{docker}image.rootfs.diff.tar.gzip"
        layout.manifest["mediaType"] = layout.kinds["manifest"] = f"{docker}distribution.manifest.v2+json"
        layout.kinds["config"] = f"{docker}container.image.v1+json"
    found = stage.rebased()
    kinds = {found.manifest["mediaType"], found.manifest["config"]["mediaType"]}
    kinds |= {each["mediaType"] for each in found.manifest["layers"]}
    assert not [kind for kind in kinds if docker in kind]
    assert_good(stage.folder / "out")


def test_unknown_fields_of_the_documents_stay(stage: Stage) -> None:
    stage.image.config |= {"x": [1]}
    stage.image.manifest |= {
        "y": {"z": None},
        "annotations": {"own": "1", "org.opencontainers.image.base.name": "gone"},
    }
    stage.image.manifest["layers"][2]["annotations"] = {"layer": "1"}
    found = stage.rebased()
    assert (found.config["x"], found.manifest["y"]) == ([1], {"z": None})
    assert found.manifest["annotations"]["own"] == "1"
    assert "org.opencontainers.image.base.name" not in found.manifest["annotations"]
    assert found.manifest["layers"][3]["annotations"] == {"layer": "1"}


@pytest.mark.parametrize("whose", ["image", "old", "new"])
def test_a_missing_history_is_made_up(whose: str, stage: Stage) -> None:
    getattr(stage, whose).config["history"] = []
    found = stage.rebased()
    assert len(found.config["history"]) == 5
    assert_good(stage.folder / "out")


@pytest.mark.parametrize("whose", ["image", "old", "new"])
def test_nulls_in_lists_are_empty_as_for_go(whose: str, stage: Stage) -> None:
    getattr(stage, whose).config["history"] = [None] * len(getattr(stage, whose).blobs)
    getattr(stage, whose).config["config"] |= {"Env": [None], "Labels": {"own": None}, "Entrypoint": [None]}
    getattr(stage, whose).config["os.features"] = [None]
    found = json.dumps(stage.rebased().config)
    assert "null" not in found
    assert len(json.loads(found)["history"]) == 5


def test_a_damaged_layer_above_many_ties_is_refused_with_force(stage: Stage) -> None:
    tied = [tarred([*ROOTS, Part("Hives/a", bytes([each]))]) for each in range(4)]
    stage.image = on(stage.old, stage.folder / "image", tied)
    stage.image.config["rootfs"]["diff_ids"][-1] = f"sha256:{'0' * 64}"
    with pytest.raises(GeneratorError, match="the content is sha256:"):
        stage.rebased(force=True)


def test_steps_without_a_layer_stay_in_the_history(stage: Stage) -> None:
    step = {"created_by": "ENV A=1", "empty_layer": True}
    stage.old.config["history"].append(step)
    stage.image.config["history"] = [*stage.old.config["history"], step, {"created_by": "a"}, {"created_by": "b"}]
    found = stage.rebased()
    assert found.config["history"][3:] == [step, {"created_by": "a"}, {"created_by": "b"}]


# ---------------------------------------------------------------------------------------------
# Refusals


def refused(stage: Stage, pattern: str, **options: Any) -> None:
    image, new, old = stage.names()
    with pytest.raises(GeneratorError, match=pattern):
        rebase(image, options.pop("onto", new), f"oci:{stage.folder}/out", old=options.pop("old", old), **options)
    assert not (stage.folder / "out").exists()


def test_an_image_on_another_base_is_refused(stage: Stage) -> None:
    stage.image.config["rootfs"]["diff_ids"][1] = stage.new.config["rootfs"]["diff_ids"][1]
    stage.image.manifest["layers"][1] = stage.new.manifest["layers"][1]
    stage.image.blobs[1] = stage.new.blobs[1]
    refused(stage, r"not on oci:.*old: its layer 1 is sha256:.*; hint: --from REF", force=True)


def test_an_image_with_fewer_layers_than_its_base_is_refused(stage: Stage) -> None:
    for kept in (
        stage.image.config["rootfs"]["diff_ids"],
        stage.image.manifest["layers"],
        stage.image.config["history"],
    ):
        del kept[1:]
    refused(stage, r"not on oci:.*old: its layer 1 is missing", force=True)


def test_an_unknown_base_is_refused(stage: Stage) -> None:
    stage.image.config["rootfs"]["diff_ids"][0] = layouts.sha256(b"")
    refused(stage, r"its base is unknown; hint: --from REF", old="", force=True)


def test_another_build_is_refused_without_force(stage: Stage) -> None:
    stage.new.config["os.version"] = OTHER
    stage.new.platform = {"architecture": "amd64", "os": "windows", "os.version": OTHER}
    refused(stage, r"the build changes from 10.0.20348 to 10.0.26100, not only its revision; hint: .* --force")
    assert stage.rebased(force=True).config["os.version"] == OTHER


def test_a_base_without_a_windows_is_refused_without_force(stage: Stage) -> None:
    refused(stage, r"the build changes from 10.0.20348 to none: scratch has no os.version; hint: .*", onto="scratch")
    image, _, old = stage.names()
    done = rebase(image, "scratch", f"oci:{stage.folder}/out", old=old, force=True)
    assert "warning" in done.noted[0]
    assert "os.version" not in documents(stage.folder / "out").config


def test_an_image_whose_base_has_no_version_of_windows_keeps_its_own(stage: Stage) -> None:
    image = on(base(stage.folder / "legacy", [layouts.base("legacy")]), stage.folder / "image", [APP])
    image.config["os.version"] = OLD
    rebase(image.write(), "scratch", f"oci:{stage.folder}/out")
    assert documents(stage.folder / "out").config["os.version"] == OLD


def test_the_version_of_an_index_alone_counts_as_the_build(stage: Stage) -> None:
    stage.image.config.pop("os.version")
    stage.new.config["os.version"] = OTHER
    stage.new.platform = None
    refused(stage, r"the build changes from 10.0.20348 to 10.0.26100")


@pytest.mark.parametrize(
    "part",
    [
        Part("Hives/Software_Delta", b"regf"),
        directory("UtilityVM"),
        Part("Files/link.txt", b"", b"1", f"Files/{OLD}.txt"),
    ],
)
def test_layers_that_belong_to_the_old_base_are_refused_without_force(part: Part, stage: Stage) -> None:
    stage.image = on(stage.old, stage.folder / "image", [APP, tarred([*ROOTS, part])])
    refused(stage, r"(?s)old base.*; hint: build it on oci:.* or give --force")
    image, new, old = stage.names()
    done = rebase(image, new, f"oci:{stage.folder}/out", old=old, force=True)
    assert [line for line in done.noted if line.startswith("warning:") and part.name in line]
    assert documents(stage.folder / "out").layers[3:] == documents(stage.folder / "image").layers[2:]


def test_a_base_for_another_architecture_is_refused(stage: Stage) -> None:
    stage.new.config["architecture"] = "arm64"
    stage.new.platform = None
    refused(stage, r"--onto oci:.*: no image for windows/amd64", force=True)


def test_a_base_with_triggers_is_refused(stage: Stage) -> None:
    stage.new.config["config"]["OnBuild"] = ["RUN x"]
    refused(stage, r"--onto oci:.*ONBUILD", force=True)


def test_an_image_for_linux_is_refused(stage: Stage) -> None:
    image = image_indexes.indexed(stage.image, image_indexes.linux(stage.image), windows=False)
    with pytest.raises(GeneratorError, match="no image for Windows"):
        rebase(image, "scratch", f"oci:{stage.folder}/out")


HARM: dict[str, Callable[[Stage], object]] = {
    "a layer is missing": lambda stage: stage.image.blobs.pop(),
    "a document of other types": lambda stage: stage.image.config.update(created="now"),
    "a key twice": lambda stage: stage.image.config.update(OS="windows"),
    "no diff ID for a layer": lambda stage: stage.image.config["rootfs"]["diff_ids"].pop(),
    "an unknown layer type": lambda stage: stage.image.manifest["layers"][3].update(mediaType="x/y"),
    "no layers": lambda stage: (stage.image.manifest["layers"].clear(), stage.image.config["rootfs"].clear()),
    "a depth that no reader has": lambda stage: stage.image.manifest.update(x=json.loads("[" * 900 + "]" * 900)),
}


@pytest.mark.parametrize("harm", HARM)
def test_hostile_documents_are_one_line_and_status_2(harm: str, stage: Stage) -> None:
    HARM[harm](stage)
    image, new, old = stage.names()
    words = (image, "--onto", new, "--from", old, "--to", f"oci:{stage.folder}/out")
    done = image_runs.command(*words, folder=stage.folder, name="rebase")
    if harm == "a depth that no reader has":  # kept as it stands
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (2, "")
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in done.stderr
    assert not (stage.folder / "out").exists()


def test_words_that_lack_something_are_refused(stage: Stage) -> None:
    for words, hint in (
        (("oci:x", "--to", "oci:y"), "--onto is required"),
        (("oci:x", "--onto", "scratch"), "--to is required"),
        ((), "required"),
    ):
        done = image_runs.command(*words, folder=stage.folder, name="rebase")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert hint in done.stderr


# ---------------------------------------------------------------------------------------------
# Indexes


def test_an_index_is_rebased_platform_by_platform(stage: Stage, tmp_path: Path) -> None:
    others = [base(tmp_path / each, [BASE, patch(each)], each) for each in (OTHER, "10.0.26100.7")]
    image2 = on(others[0], tmp_path / "x", [APP], Entrypoint=["hello.exe"])
    old = indexed(tmp_path / "olds", stage.old, others[0])
    new = indexed(tmp_path / "news", base(tmp_path / "y", [BASE, patch(OLD)], OLD), stage.new, others[1])
    image = indexed(tmp_path / "images", stage.image, image2, annotations={"own": "1"})
    done = rebase(image, new, f"oci:{tmp_path}/out:1", old=old)
    found = top(tmp_path / "out")
    assert found["annotations"] == {"own": "1"}
    versions = [each["platform"]["os.version"] for each in found["manifests"]]
    assert versions == [NEW, "10.0.26100.7"]
    for entry, bases, count in zip(found["manifests"], (stage.new, others[1]), (5, 3), strict=True):
        each = documents(tmp_path / "out", entry["digest"])
        assert each.config["os.version"] == entry["platform"]["os.version"]
        assert each.diff_ids[: len(bases.blobs)] == bases.config["rootfs"]["diff_ids"]
        assert len(each.layers) == count
    assert checked(f"oci:{tmp_path}/out:1")[0] == 0
    assert done.digest == image_runs.named(tmp_path / "out")["1"]["digest"]


def test_images_for_other_systems_stay_in_the_index(stage: Stage) -> None:
    _, new, old = stage.names()
    linux = image_indexes.linux(stage.image) | {"platform": image_indexes.LINUX}
    attestation = image_indexes.artifact(stage.image) | image_indexes.BUILDKIT
    image = image_indexes.indexed(stage.image, linux, attestation)
    done = rebase(image, new, f"oci:{stage.folder}/out", old=old)
    found = top(stage.folder / "out")
    assert [each["platform"]["os"] for each in found["manifests"]] == ["linux", "windows"]
    assert found["manifests"][0] == linux
    assert [line for line in done.noted if "left out: attestation of an image that is not in the index" in line]
    image_runs.assert_whole(stage.folder / "out")


def test_an_index_does_not_fit_into_dockers_archive(stage: Stage) -> None:
    _, new, old = stage.names()
    image = image_indexes.indexed(stage.image, image_indexes.linux(stage.image) | {"platform": image_indexes.LINUX})
    with pytest.raises(GeneratorError, match="Docker's archive holds one platform"):
        rebase(image, new, f"docker-archive:{stage.folder}/d.tar", old=old)
    assert not (stage.folder / "d.tar").exists()

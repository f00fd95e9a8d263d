# SPDX-License-Identifier: Apache-2.0
"""Rebase images for any build of Windows and for one, side by side in an index or alone."""

from pathlib import Path

import pytest
from helpers import image_runs
from helpers.composing import base, documents, indexed, on, rebase, top
from helpers.rebasing import APP, BASE, NEW, OLD, Stage, patch

from generator.base.errors import GeneratorError


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_images_of_an_index_that_differ_from_the_new_base_in_having_a_build_stay(stage: Stage) -> None:
    _, new, old = stage.names()
    plain, other = (base(stage.folder / name, [BASE, patch(name)]) for name in ("plain", "other"))
    plain.write(), other.write()
    mixed = indexed(stage.folder / "index", stage.image, on(plain, stage.folder / "box", [APP]))
    versioned, unversioned = (each["digest"] for each in top(stage.folder / "index", "t")["manifests"])
    done = rebase(mixed, new, f"oci:{stage.folder}/out", old=old)
    assert done.noted[-1] == "windows/amd64: stays on its base, since it has no os.version, and the new base has an"
    moved, same = (each["digest"] for each in top(stage.folder / "out")["manifests"])
    assert same == unversioned
    assert documents(stage.folder / "out", moved).config["os.version"] == NEW
    done = rebase(mixed, f"oci:{stage.folder}/other", f"oci:{stage.folder}/two", old=f"oci:{stage.folder}/plain")
    assert f"windows({OLD})/amd64: stays on its base, since it has an os.version, and the new base has no" in done.noted
    same, moved = (each["digest"] for each in top(stage.folder / "two")["manifests"])
    assert same == versioned
    assert documents(stage.folder / "two", moved).diff_ids[1] == image_runs.sha256(patch("other"))
    with pytest.raises(GeneratorError, match="not on oci:"):
        rebase(mixed, new, f"oci:{stage.folder}/three", old=old, force=True)


def test_an_image_for_any_build_is_not_bound_to_one_without_force(stage: Stage) -> None:
    plain = base(stage.folder / "plain", [BASE, patch("plain")])
    words = (on(plain, stage.folder / "box", [APP]).write(), f"oci:{stage.folder}/new", f"oci:{stage.folder}/out")
    plain.write(), stage.new.write()
    with pytest.raises(GeneratorError, match=r"the build changes from none to 10\.0\.20348: .*; hint: .* --force"):
        rebase(*words, old=f"oci:{stage.folder}/plain")
    rebase(*words, old=f"oci:{stage.folder}/plain", force=True)
    assert documents(stage.folder / "out").config["os.version"] == NEW


def test_an_image_for_any_build_in_an_index_with_others_is_named_by_its_digest(stage: Stage) -> None:
    stage.old.write(), stage.new.write()
    both = indexed(stage.folder / "both", stage.old, base(stage.folder / "plain", [BASE]))
    digest = top(stage.folder / "both", "t")["manifests"][1]["digest"]
    source = stage.folder / "hello.txt"
    source.write_text("hello")
    words = (source, "--to", f"oci:{stage.folder}/out:1", "--platform", "windows/amd64", "--base")
    done = image_runs.command(*words, both, folder=stage.folder)
    assert done.returncode == 2
    assert "several images for windows/amd64; hint: give one by its digest: oci:" in done.stderr
    name = f"{both.removesuffix(':t')}@{digest}"
    assert name in done.stderr
    assert image_runs.command(*words, name, folder=stage.folder).returncode == 0
    done = image_runs.command(both, "--platform", "windows/amd64", "--to", "x", folder=stage.folder, name="extract")
    assert (done.returncode, "2 images; hint: name one of oci:" in done.stderr) == (2, True)

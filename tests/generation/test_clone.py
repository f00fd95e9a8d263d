# SPDX-License-Identifier: Apache-2.0
"""What check-stale finds that a clone of the checkout would not have as it is here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.checkout_runs import FOURTH, FRESH, check, edit, generate, silent
from helpers.vendoring import commit, git

from generator.base.errors import EXIT_OK
from generator.builder.wire import ROOT
from generator.generation import git_index, manifest, pipeline, unchanged
from generator.report.report import documents

OUTPUT = "output/go/scratch/scratch.go"
BLOB = "output/layers/scratch.tar.gz"
LAYER = "generator/layers/scratch.toml"


@pytest.fixture
def clone(tree: Path) -> Path:
    """Return a checkout that git has whole, as its own attributes are."""
    shutil.copy(ROOT / ".gitattributes", tree)
    git(tree, "init", "-q")
    commit(tree)
    return tree


def findings(clone: Path) -> list[str]:
    """Return what the check finds; that the quick check settles is the same as that there is nothing."""
    said = check(clone)
    assert unchanged.is_fresh(str(clone)) <= (said == FRESH)
    return said


def only(path: str, why: str) -> list[str]:
    return [f"stale: {path}: {why}"]


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_checkout_that_git_has_whole_is_settled_without_git(
    clone: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "update-index", "--index-version", version)
    if version == "3":
        git(clone, "update-index", "--skip-worktree", LAYER)  # needs the longer entries
    monkeypatch.setenv("PATH", "")
    assert unchanged.is_fresh(str(clone))
    assert (clone / ".git/index").read_bytes()[7] == int(version)


def test_a_linked_work_tree_is_settled(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", str(tmp_path / "other"))
    assert unchanged.is_fresh(str(tmp_path / "other"))
    git(tmp_path / "other", "rm", "-q", "--cached", OUTPUT)
    assert findings(tmp_path / "other") == only(OUTPUT, manifest.UNTRACKED)


@pytest.mark.parametrize("how", ["--split-index", "skipHash", "CRLF"])
def test_an_unusual_checkout_is_fresh_and_its_faults_are_found(clone: Path, how: str) -> None:
    if how == "CRLF":
        for path in clone.rglob("*"):
            if path.suffix in {".py", ".go", ".json"} and ".git" not in path.parts:
                path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    elif how == "skipHash":
        data = (clone / ".git/index").read_bytes()
        (clone / ".git/index").write_bytes(data[:-20] + bytes(20))
    else:
        git(clone, "update-index", how)
    assert findings(clone) == FRESH
    git(clone, "update-index", "--force-remove", OUTPUT)
    assert findings(clone) == only(OUTPUT, manifest.UNTRACKED)


@pytest.mark.parametrize("path", [OUTPUT, BLOB, LAYER, unchanged.MANIFEST, unchanged.REPORT])
@pytest.mark.parametrize("rules", ["", ".gitignore", ".git/info/exclude", "global"])
def test_a_file_that_git_does_not_track_is_a_finding(
    clone: Path, path: str, rules: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "rm", "-q", "--cached", path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if rules == "global":
        (tmp_path / "git").mkdir()
        (tmp_path / "git/ignore").write_text(f"/{path}\n")
    elif rules:
        with (clone / rules).open("a") as file:
            file.write(f"/{path}\n")
        generate(clone)  # .gitignore is an input
        git(clone, "add", ".gitignore", unchanged.MANIFEST, check=False)
    assert findings(clone) == only(path, manifest.IGNORED if rules else manifest.UNTRACKED)


def test_a_new_layer_is_work_until_its_manifest_is_staged(clone: Path) -> None:
    (clone / "generator/layers/fourth.toml").write_text(FOURTH)
    generate(clone)
    assert findings(clone) == FRESH
    git(clone, "add", "-u")
    assert only("output/go/fourth/fourth.go", manifest.UNTRACKED)[0] in findings(clone)
    git(clone, "add", "-A")
    assert findings(clone) == FRESH
    git(clone, "reset", "-q")
    (clone / ".git/info/exclude").write_text("fourth.go\n")
    assert findings(clone) == only("output/go/fourth/fourth.go", manifest.IGNORED)


def test_an_output_staged_with_other_content_is_a_finding(clone: Path) -> None:
    edit(clone / "templates/go/module.go.jinja", "is the layer's name", "is its name")
    edit(clone / "templates/c/module.h.jinja", "The layer's name.", "Its name.")
    generate(clone)
    assert findings(clone) == FRESH
    git(clone, "add", "templates", "output/c", "output/manifest.json")
    assert set(findings(clone)) == {
        only(f"output/go/{name}/{name}.go", manifest.OTHER)[0] for name in ("hostprocess", "legacy", "scratch")
    }
    git(clone, "add", "-A")
    assert findings(clone) == FRESH


@pytest.mark.parametrize("how", ["symlink", "intent", "unmerged", "submodule"])
def test_what_is_no_plain_file_to_git_is_a_finding(clone: Path, how: str) -> None:
    blob = git(clone, "rev-parse", f":{OUTPUT}").strip()
    if how == "symlink":
        git(clone, "update-index", "--cacheinfo", f"120000,{blob},{OUTPUT}")
    elif how == "intent":
        git(clone, "rm", "-q", "--cached", OUTPUT)
        git(clone, "add", "-N", OUTPUT)
    elif how == "unmerged":
        lines = f"0 {'0' * 40}\t{OUTPUT}\n100644 {blob} 1\t{OUTPUT}\n100644 {blob} 2\t{OUTPUT}\n"
        command = ["git", "-C", str(clone), "update-index", "--index-info"]
        subprocess.run(command, input=lines, text=True, check=True, timeout=60)
    else:
        git(clone, "update-index", "--cacheinfo", f"160000,{git(clone, 'rev-parse', 'HEAD').strip()},{OUTPUT}")
    assert findings(clone) == only(OUTPUT, manifest.OTHER)


@pytest.mark.parametrize("path", ["output/more.txt", "generator/layers/more.toml", "output/.gitattributes"])
def test_a_tracked_file_that_is_not_here_is_a_finding(clone: Path, path: str) -> None:
    (clone / path).write_text(FOURTH)
    git(clone, "add", path)
    (clone / path).unlink()
    assert findings(clone) == only(path, manifest.REMOVED)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("*.gz text !eol", "text=set"),
        ("*.gz text eol=crlf", "text=set"),
        ("*.gz -text !text eol=crlf", "eol=crlf"),
        ("*.gz !text crlf !eol", "crlf=set"),
        ("scratch.* filter=lfs", "filter=lfs"),
        ("*.gz working-tree-encoding=UTF-16", "working-tree-encoding=UTF-16"),
        ("[attr]odd filter=x\n*.gz odd", "filter=x"),
        ('"*.gz" filter=lfs', "filter=lfs"),
    ],
)
@pytest.mark.parametrize("staged", [True, False])
def test_an_attribute_by_which_a_clone_has_other_bytes_is_a_finding(
    clone: Path, rule: str, what: str, staged: bool
) -> None:
    with (clone / ".gitattributes").open("a") as file:
        file.write(f"{rule}\n")
    git(clone, "add", ".gitattributes")
    if not staged:  # a clone has the staged file even if it is deleted here
        (clone / ".gitattributes").unlink()
    assert f"stale: {BLOB}: {manifest.REWRITTEN} {what}" in findings(clone)


def test_attributes_that_change_nothing_or_that_no_clone_has_are_no_finding(clone: Path) -> None:
    with (clone / ".gitattributes").open("a") as file:
        file.write(
            "*.py text eol=crlf\n*.go ident\n*.c working-tree-encoding=UTF-8\n*.h -filter\n*.gz text=auto eol=crlf\n"
        )
    git(clone, "add", ".gitattributes")
    (clone / ".git/info/attributes").write_text("*.gz text eol=crlf\n")
    assert findings(clone) == FRESH


@pytest.mark.parametrize("path", [OUTPUT, unchanged.MANIFEST])
def test_a_filter_of_this_clone_alone_that_changed_what_is_staged_is_a_finding(clone: Path, path: str) -> None:
    (clone / ".git/info/attributes").write_text(f"/{path} filter=mine\n")
    git(clone, "config", "filter.mine.clean", "tr a-z A-Z")
    (clone / path).touch()
    git(clone, "add", "--renormalize", path)
    git(clone, "config", "filter.mine.clean", "touch pwned; cat")
    why = manifest.OTHER if path == OUTPUT else f"{manifest.REWRITTEN} filter=mine"
    assert findings(clone) == only(path, why)
    assert not (clone / "pwned").exists()


def test_nothing_that_the_checkouts_own_settings_name_is_run(clone: Path) -> None:
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "filter.x.clean", "filter.x.smudge"):
        git(clone, "config", name, f"touch {clone}/pwned")
    (clone / ".gitattributes").write_text("* filter=x\n")
    assert any("filter=x" in line for line in findings(clone)) is False  # not staged: no clone has it
    edit(clone / LAYER, "config/SAM", "config/SAM2")
    generate(clone)
    assert any("filter=x" in line for line in findings(clone))
    assert not (clone / "pwned").exists()


@pytest.mark.parametrize("begun", [True, False])
def test_a_repository_without_an_index(tree: Path, begun: bool) -> None:
    git(tree, "init", "-q")
    if begun:
        commit(tree)
        (tree / ".git/index").unlink()
        assert only(OUTPUT, manifest.UNTRACKED)[0] in findings(tree)
    else:
        assert findings(tree) == FRESH


def test_without_git_the_index_is_read_and_a_line_says_what_is_not_known(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "rm", "-q", "--cached", OUTPUT)
    monkeypatch.setenv("PATH", "")
    assert findings(clone) == only(OUTPUT, manifest.UNTRACKED)
    (clone / ".git/index").write_bytes(b"DIRC" + bytes(40))
    noted: list[str] = []
    assert pipeline.check(clone, documents, say=silent, note=noted.append, environment={}) == EXIT_OK
    assert noted == ["git failed, so files that a clone would lack are not reported"]


def test_a_damaged_index_is_read_by_nobody(clone: Path) -> None:
    whole = (clone / ".git/index").read_bytes()
    assert git_index.read(str(clone / ".git"), unchanged.TRACKED)
    for data in (b"", whole[:11], whole[:200], whole[:-1], whole[:100] + b"x" + whole[101:], bytes(len(whole))):
        (clone / ".git/index").write_bytes(data)
        assert git_index.read(str(clone / ".git"), unchanged.TRACKED) is None
        # The same with a sum that nothing holds it to.
        (clone / ".git/index").write_bytes(data[:-20] + bytes(20))
        held = git_index.read(str(clone / ".git"), unchanged.TRACKED)
        assert held is None or len(held) > 100
    (clone / ".git/index").unlink()
    os.mkfifo(clone / ".git/index")
    assert git_index.read(str(clone / ".git"), unchanged.TRACKED) is None

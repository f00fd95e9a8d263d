# SPDX-License-Identifier: Apache-2.0
"""The package for people who have no checkout: built twice alike, installed elsewhere, and at work there."""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.package import PARTS, PROJECT, SDIST, WHEEL, build, install
from helpers.support import lack, need, need_package

from generator import VERSION, image
from generator.base.errors import GeneratorError
from generator.cli import checkout
from generator.generation import unchanged
from generator.vendoring import vendor

# What sets up a checkout, or works in one only.
LEFT_OUT = {"generator/cli/invoke_program.py"}
ALSO = {"output/manifest.json", "output/python/windows_files.py"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the sdist of this checkout, and the wheel made of that sdist."""
    return build(PROJECT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a fresh environment away from the checkout that the wheel is installed into."""
    environment = tmp_path_factory.mktemp("installed") / "environment"
    return install(built / WHEEL, environment)


@pytest.fixture
def winscratch(python: Path, place: Path) -> Callable[..., tuple[int, str, str]]:
    """Return what runs the installed program in an empty folder."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "GITHUB_ACTIONS", "CI"}}

    def run(*words: str, cwd: Path = place) -> tuple[int, str, str]:
        done = subprocess.run(
            [python.parent / "winscratch", *words], cwd=cwd, env=kept, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


# ---------------------------------------------------------------------------------------------
# Built


def test_the_same_bytes_are_built_elsewhere_later_and_from_the_sdist(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (*PARTS, "templates"):
        source = PROJECT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy)
    (copy / ".gitignore").write_text((PROJECT / ".gitignore").read_text())
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(path.stat().st_mode & 0o700)
    (copy / "generator/.hidden").touch()
    again = build(copy, tmp_path / "again", "--sdist", "--wheel")
    assert {path.name for path in again.iterdir()} == {SDIST, WHEEL}
    assert (again / SDIST).read_bytes() == (built / SDIST).read_bytes()
    assert (again / WHEEL).read_bytes() == (built / WHEEL).read_bytes()


def test_the_wheel_holds_the_program_its_data_and_its_licences_and_nothing_else(built: Path) -> None:
    def files(folder: str) -> set[str]:
        found = (path.relative_to(PROJECT).as_posix() for path in (PROJECT / folder).rglob("*") if path.is_file())
        return {path for path in found if "__pycache__" not in path}

    wanted = {
        path.removeprefix("generator/")
        for path in {*files("generator"), *files("templates"), *files("output/layers"), *ALSO}
        if not any(path.startswith(left) for left in LEFT_OUT)
    }
    with zipfile.ZipFile(built / WHEEL) as wheel:
        names = set(wheel.namelist())
        assert {name.removeprefix("winscratch/") for name in names if name.startswith("winscratch/")} == wanted
        info = f"winscratch-{VERSION}.dist-info/"
        held = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "licenses/LICENSES/0BSD.txt"}
        assert {name.removeprefix(info) for name in names if name.startswith(info)} == held
        assert len(names) == len(wanted) + len(held)
        for path in ("LICENSE", "LICENSES/0BSD.txt"):
            assert wheel.read(info + "licenses/" + path) == (PROJECT / path).read_bytes()
        assert all(member.date_time >= (1980, 1, 1, 0, 0, 0) for member in wheel.infolist())


def test_the_sdist_names_no_user_and_no_time_of_its_own(built: Path) -> None:
    with tarfile.open(built / SDIST) as sdist:
        members = sdist.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
    assert len({m.mtime for m in members}) == 1
    assert f"winscratch-{VERSION}/LICENSES/0BSD.txt" in {m.name for m in members}


def test_an_index_would_take_both(built: Path) -> None:
    need_package("twine")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "twine",
        "--no-color",
        "check",
        "--strict",
        built / SDIST,
        built / WHEEL,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


@thorough("installs the program once more")
def test_an_installation_in_place_is_refused_in_one_line(python: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in PARTS:
        source = PROJECT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    }
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
    ]
    done = subprocess.run(
        [*pip, "--editable", copy], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode != 0
    refusal = "winscratch cannot be installed in place: leave out -e, or run ./invokew in the checkout"
    assert refusal in done.stderr
    assert "[1 lines of output]" in done.stderr
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------------------------------------
# Installed


def test_it_writes_what_a_checkout_writes_and_says_so(winscratch: Callable[..., tuple[int, str, str]]) -> None:
    assert winscratch("--version") == (0, f"winscratch {VERSION}\n", "")
    for language, layer, file in (
        ("python", "scratch", "a.py"),
        ("go", "legacy", "b/c.go"),
        ("c", "hostprocess", "d.c"),
    ):
        assert winscratch("vendor", language, layer, file)[0] == 0
        vendor.vendor(PROJECT, language, layer, f"checkout/{file}", say=lambda _: None, note=lambda _: None)
        assert Path(file).read_bytes() == Path("checkout", file).read_bytes()
    status, said, notes = winscratch("vendored")
    assert (status, notes) == (0, "")
    assert {line.partition(":")[0] for line in said.splitlines()} == {"fresh"}
    assert said.count("\n") == 8  # C has two files


def test_it_writes_a_report(winscratch: Callable[..., tuple[int, str, str]]) -> None:
    assert winscratch("report", "--to", "layers.html") == (0, "wrote layers.html\n", "")
    assert Path("layers.html").read_bytes() == (PROJECT / unchanged.REPORT).read_bytes()
    status, _, said = winscratch("report", "--history")
    assert (status, said) == (
        2,
        "error: --history: git has no revisions here; hint: run it in a checkout of winscratch\n",
    )


def test_it_finds_and_updates_a_copy_that_is_out_of_date(
    winscratch: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    older = tmp_path / "older"
    for name in ("generator", "output", "templates"):
        shutil.copytree(PROJECT / name, older / name, ignore=shutil.ignore_patterns("__pycache__"))
    template = older / "templates/python/module.py.jinja"
    template.write_text(template.read_text("utf-8") + "# of before\n", "utf-8")
    vendor.vendor(older, "python", "scratch", "x.py", say=lambda _: None, note=lambda _: None)
    before = Path("x.py").read_bytes()
    status, said, _ = winscratch("vendored", ".")
    assert (status, said.splitlines()[0]) == (1, "outdated: x.py (python, scratch): template only changed")
    assert Path("x.py").read_bytes() == before
    assert winscratch("vendored", "--update", ".")[0] == 0
    assert Path("x.py").read_bytes() != before
    assert winscratch("vendored", ".") == (0, "fresh: x.py (python, scratch)\n", "")
    Path("x.py").write_bytes(Path("x.py").read_bytes() + b"# mine\n")
    status, said, _ = winscratch("vendored", "x.py")
    fix = "to fix, and lose the edits: winscratch vendored --update --force x.py"
    assert (status, said.splitlines()[-1]) == (1, fix)


def test_it_writes_the_committed_layers_and_checks_hives(winscratch: Callable[..., tuple[int, str, str]]) -> None:
    blob = (PROJECT / "output/layers/scratch.tar.gz").read_bytes()
    tar = gzip.decompress(blob)
    status, said, _ = winscratch("layer", "scratch", "--info")
    assert (status, f'"layerSize": {len(tar)},' in said) == (0, True)
    assert winscratch("layer", "none", "--tar")[0] == 2
    Path("bad").write_bytes(b"not a hive")
    assert winscratch("check-hive", "bad")[0] == 1
    assert winscratch("check-hive")[0] == 2
    assert winscratch("sddl", "O:BUG:BU")[:2] == (
        0,
        "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==\n",
    )


def test_it_makes_the_image_that_a_checkout_makes(
    winscratch: Callable[..., tuple[int, str, str]], python: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    (place / "hello.exe").write_bytes(b"MZ")
    reference = image.make(image.Options(source=("hello.exe",), to=("oci:ours",))).references[0]
    status, said, noted = winscratch("image", "hello.exe", "--to", "oci:theirs")
    assert (status, said, noted) == (0, reference.replace("ours", "theirs") + "\n", "")
    program = (
        "import io; from winscratch.image import Options, SourceData, make\n"
        "for data in (b'MZ', io.BytesIO(b'MZ')):\n"
        "    source = SourceData(data=data, to=r'C:\\hello.exe')\n"
        "    print(make(Options(source=(source,), to=('oci:theirs:data',))).references[0])\n"
        "print(make(Options(to=('oci:theirs:base',))).digest)"
    )
    done = subprocess.run([python, "-c", program], cwd=place, capture_output=True, text=True, check=False)
    *data, base = done.stdout.splitlines()
    (wanted,) = image.make(image.Options(source=(r"hello.exe:C:\hello.exe",), to=("oci:ours",))).references
    assert data == [wanted.replace("ours", "theirs")] * 2
    assert base.startswith("sha256:"), done.stderr
    status, said, noted = winscratch("check-image", "oci:theirs")
    assert (status, said.count(": good image, windows/amd64"), noted) == (0, 3, "")


def test_a_damaged_installation_says_what_to_do(winscratch: Callable[..., tuple[int, str, str]], python: Path) -> None:
    (blob,) = python.parents[1].glob("lib/*/site-packages/winscratch/output/layers/legacy.tar.gz")
    data = blob.read_bytes()
    blob.write_bytes(data[:-1])
    problem = "output/layers/legacy.tar.gz: missing or not as output/manifest.json records it"
    error = f"error: {problem}; hint: reinstall winscratch\n"
    assert winscratch("layer", "legacy", "--tar") == (2, "", error)
    blob.write_bytes(data)
    assert winscratch("layer", "legacy", "--info")[0] == 0


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_commands_options_layers_and_files(
    shell: str, winscratch: Callable[..., tuple[int, str, str]], python: Path, place: Path
) -> None:
    program = need(shell)
    status, script, _ = winscratch("completion", shell)
    assert status == 0
    (place / "script").write_text(script)
    (place / "a file.c").touch()

    def offered(line: str) -> set[str]:
        if shell == "fish":
            asked = ["--no-config", "-c", "source script; complete -C $argv[1]", line]
        else:
            asked = ["--norc", "-c", BASH, "bash", line]
        environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
        done = subprocess.run([program, *asked], env=environment, capture_output=True, text=True, check=True)
        return {each.partition("\t")[0].strip() for each in done.stdout.splitlines()}

    assert {"vendor", "vendored"} <= offered("winscratch vend")
    assert "generate" not in offered("winscratch vend")
    assert {"python", "go", "c"} <= offered("winscratch vendor ")
    assert {"scratch", "hostprocess", "legacy"} <= offered("winscratch layer ")
    assert {"--diff", "--dry-run"} <= offered("winscratch vendor --d")
    assert any("file.c" in each for each in offered("winscratch check-hive a"))


BASH = """
source ./script
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9
read -r -a COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_python_argcomplete winscratch
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_zsh_takes_its_script(winscratch: Callable[..., tuple[int, str, str]], place: Path) -> None:
    program = need("zsh")
    (place / "script").write_text(winscratch("completion", "zsh")[1])
    asked = 'autoload -Uz compinit; compinit -u -D; source ./script; print -r -- "${_comps[winscratch]}"'
    done = subprocess.run([program, "-f", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "_python_argcomplete"
    assert winscratch("completion", "csh")[0] == 2


# ---------------------------------------------------------------------------------------------
# In a checkout


@pytest.fixture
def stand_in(tree: Path) -> Path:
    """Return a checkout whose own code tells what it was given, and ends with 1."""
    (tree / "invokew").write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$@"\nexit 1\n')
    (tree / "invokew").chmod(0o755)
    return tree


def test_a_checkouts_own_code_runs_its_commands(
    winscratch: Callable[..., tuple[int, str, str]], stand_in: Path, place: Path
) -> None:
    below = stand_in / "output/go"
    notes = f"running the code of the checkout {stand_in}\n"
    for words in (("check-stale", "--json"), ("generate", "--only", "a b", "--", "-x"), ("verify",)):
        assert winscratch(*words, cwd=below) == (1, "|".join((str(below), *words, "")), notes)
        status, said, error = winscratch(*words)
        assert (status, said, error.startswith(f"error: {words[0]}: not in a checkout")) == (2, "", True)
    assert winscratch("layer", "scratch", "--info", cwd=below)[0] == 0, "the installed program has this layer itself"
    assert place.exists()


def test_a_strangers_checkout_is_not_run(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        lack("only root can give a file away")
    monkeypatch.chdir(stand_in)
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("was run"))
    for path in (stand_in, stand_in / "invokew", stand_in / "generator/__main__.py"):
        os.chown(path, 65534, 65534)
        with pytest.raises(GeneratorError, match="belongs to another user, so its code is not run"):
            checkout.run(["generate"])
        os.chown(path, 0, 0)

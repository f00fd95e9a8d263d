# SPDX-License-Identifier: Apache-2.0
"""Outputs are reproducible byte for byte on any engine, environment, path, user and supported Python."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from helpers.counts import thorough
from helpers.pythons import python
from helpers.support import lack, need, selected

from generator.builder.wire import ROOT
from generator.generation import unchanged

FRESH = "fresh: every output is what its inputs make"
# Makes everything anew, blobs too, and compares; a failure prints the differences.
PROGRAM = f"""
import sys
from pathlib import Path
from generator.generation import manifest, pipeline, unchanged
from generator.report.report import documents
from generator.builder import choose
from generator.base.console import note
root = Path(sys.argv[1])
build = pipeline.build_by(choose.select(sys.argv[2], note), note)
made = pipeline.make(root, pipeline.specified(root), build, documents, force=True, note=note).files
committed = manifest.look(root).outputs
others = [path for path, data in made.items() if unchanged.content_hash(path, data) != committed.get(path)]
print(others or {FRESH!r})
sys.exit(len(others))
"""
WRITE = """
import sys
from pathlib import Path
from generator.generation import pipeline
from generator.report.report import documents
sys.exit(pipeline.generate(Path(sys.argv[1]), documents, pipeline.GenerateOptions(sys.argv[2], True)))
"""
FOLDERS = ("docs", "generator", "templates", "output")
FILES = (".gitignore", "Dockerfile.hivex", "requirements.lock")
REVERSED = """
import os
real_scandir, real_listdir = os.scandir, os.listdir
class Reversed:
    def __init__(self, entries):
        self.close = entries.close
        self.entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))
    def __iter__(self):
        return self.entries
    def __next__(self):
        return next(self.entries)
    def __enter__(self):
        return self
    def __exit__(self, *_):
        self.close()
os.scandir = lambda *path: Reversed(real_scandir(*path))
os.listdir = lambda *path: sorted(real_listdir(*path), reverse=True)
"""


def checkout(folder: Path) -> Path:
    """Copy this checkout's inputs and outputs to *folder* and return it."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    return folder


def run(
    root: Path,
    *before: str,
    program: str = PROGRAM,
    python: str = sys.executable,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    engine: str = "",
) -> str:
    """Run *program* on the checkout *root* under the command *before*; return its output."""
    path = os.pathsep.join(filter(None, ((env or {}).get("PYTHONPATH"), str(root))))
    done = subprocess.run(
        [*before, python, "-P", "-B", "-c", program, str(root), engine or selected("native").name],
        cwd=cwd or root,
        env=os.environ | (env or {}) | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outputs(root: Path) -> dict[str, bytes]:
    """Return every output by path, except bytecode."""
    files = [path for path in (root / "output").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files += [root / path for path in (unchanged.REPORT, *unchanged.MAPS)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


# ---------------------------------------------------------------------------------------------
# Engines


@pytest.mark.parametrize(("base", "hivex"), [("debian:bookworm-slim", "1.3.23"), ("debian:trixie-slim", "1.3.24")])
def test_docker_makes_the_committed_bytes(base: str, hivex: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_BASE_IMAGE", base)
    docker = selected("docker")
    assert FRESH in run(ROOT, engine="docker")
    assert docker.build({}).hivex == hivex


@pytest.mark.program
def test_native_makes_the_committed_bytes() -> None:
    assert FRESH in run(ROOT, engine=selected("native").name)


def test_builtin_makes_the_committed_bytes(tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    shutil.rmtree(root / "output")
    run(root, engine="builtin", program=WRITE)
    assert outputs(root) == outputs(ROOT)


# ---------------------------------------------------------------------------------------------
# Time and place

ENVIRONMENTS = {
    "far east": {"TZ": "Pacific/Kiritimati"},
    "half an hour": {"TZ": "America/St_Johns"},
    "ASCII": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 4294967295": {"PYTHONHASHSEED": "4294967295"},
    "the first second": {"SOURCE_DATE_EPOCH": "0"},
    "the last second": {"SOURCE_DATE_EPOCH": "4102444800"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}


@thorough("makes all bytes once more")
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_does_not_matter(name: str) -> None:
    assert FRESH in run(ROOT, env=ENVIRONMENTS[name])


@thorough("makes all bytes once more")
def test_turkish_locale_does_not_matter(tmp_path: Path) -> None:
    if not Path("/usr/share/i18n/locales/tr_TR").exists():
        lack("Debian's locales are not installed")
    made = subprocess.run([need("localedef"), "-i", "tr_TR", "-f", "UTF-8", str(tmp_path / "tr_TR.UTF-8")], check=False)
    assert made.returncode == 0
    env = {"LOCPATH": str(tmp_path), "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONUTF8": "0"}
    program = "import locale; assert locale.setlocale(locale.LC_ALL, '') == 'tr_TR.UTF-8'\n" + PROGRAM
    assert FRESH in run(ROOT, program=program, env=env)


@thorough("makes all bytes once more")
@pytest.mark.parametrize("ahead", ["+10y", "-10y"])
def test_clock_does_not_matter(ahead: str) -> None:
    program = f"import time; assert not 2020 < time.gmtime().tm_year {ahead[0]} 5 < 2020 + 5\n" + PROGRAM
    assert FRESH in run(ROOT, need("faketime"), "-f", ahead, program=program)


@thorough("makes all bytes once more")
@pytest.mark.parametrize("mask", ["000", "077"])
def test_umask_does_not_matter(mask: str, tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    shutil.rmtree(root / "output")
    run(root, "sh", "-c", f'umask {mask} && exec "$@"', "sh", program=WRITE)
    assert outputs(root) == outputs(ROOT)


def test_order_of_directory_listings_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REVERSED)
    program = "import os; assert os.listdir('/') == sorted(os.listdir('/'), reverse=True)\n" + PROGRAM
    assert FRESH in run(ROOT, program=program, env={"PYTHONPATH": str(tmp_path)})


@pytest.mark.program
def test_current_directory_does_not_matter() -> None:
    assert FRESH in run(ROOT, cwd=Path("/"))


def test_path_of_the_checkout_does_not_matter(tmp_path: Path) -> None:
    root = checkout(tmp_path / "a place, żółty 'ü' \N{HIRAGANA LETTER A}")
    shutil.rmtree(root / "output")
    run(root, program=WRITE)
    assert outputs(root) == outputs(ROOT)


@thorough("makes all bytes once more")
def test_user_does_not_matter(tmp_path: Path) -> None:
    if os.geteuid():
        lack("only root can become another user")
    root = checkout(tmp_path / "tree")
    shutil.rmtree(root / "output")
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    # The user nobody may read everything, since the Python may be in root's home, but write only its own files.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    user = (need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *reads)
    run(root, *user, program="import os; assert os.getuid() == 65534\n" + WRITE)
    assert outputs(root) == outputs(ROOT)
    assert (root / "output/manifest.json").stat().st_uid == 65534


# ---------------------------------------------------------------------------------------------
# Checkouts


def test_checkout_with_crlf_makes_the_same_bytes(tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    for path in root.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert FRESH in run(root)
    for made in outputs(root):
        (root / made).unlink()
    run(root, program=WRITE)
    assert outputs(root) == outputs(ROOT)


@pytest.mark.program
def test_read_only_checkout_can_be_checked(tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root drops the capabilities that let it write everywhere.
    dropped = "-dac_override,-dac_read_search"
    before = (need("setpriv"), f"--bounding-set={dropped}", f"--inh-caps={dropped}") if os.geteuid() == 0 else ()
    assert FRESH in run(root, *before)


def git(*arguments: str) -> bytes:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    return subprocess.run([need("git"), *arguments], cwd=ROOT, check=True, capture_output=True).stdout


@thorough("makes all bytes once more")
def test_shallow_clone_is_fresh(tmp_path: Path) -> None:
    git("clone", "--quiet", "--depth=1", f"file://{ROOT}", str(tmp_path / "clone"))
    assert FRESH in run(tmp_path / "clone")


def test_exported_archive_is_fresh(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(git("archive", "HEAD"))
    (tmp_path / "export").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "a.tar", "-C", tmp_path / "export"], check=True)
    assert not (tmp_path / "export/.git").exists()
    assert FRESH in run(tmp_path / "export")


# ---------------------------------------------------------------------------------------------
# Pythons


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function from a version to a Python with the locked packages."""

    @cache
    def make(version: str) -> str:
        if sys.version_info[:2] == tuple(map(int, version.split("."))):
            return sys.executable
        folder = tmp_path_factory.mktemp("venv") / version
        subprocess.run([python(version), "-m", "venv", str(folder)], check=True, capture_output=True)
        options = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--require-hashes")
        install = [str(folder / "bin/pip"), "install", *options, "-r", str(ROOT / "requirements.lock")]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            lack(f"the locked packages cannot be installed for Python {version}: {done.stderr[-300:]}")
        return str(folder / "bin/python")

    return make


@thorough("sets up every Python")
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_supported_python_makes_the_committed_bytes(version: str, toolchain: Callable[[str], str]) -> None:
    program = f"import sys; assert sys.version_info[:2] == {tuple(map(int, version.split('.')))}\n" + PROGRAM
    assert FRESH in run(ROOT, python=toolchain(version), program=program)

# SPDX-License-Identifier: Apache-2.0
"""The same bytes everywhere: what is committed is what any machine, user, time and place makes of the sources."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from helpers.random_hives import assert_seeds_laid_out_alike
from helpers.support import lack, need, selected

from generator.base.errors import GeneratorError
from generator.builder import choose, native, wire
from generator.builder.wire import ROOT
from generator.generation import pipeline, unchanged
from generator.hives.model import Hive, Key
from generator.report.report import documents

FRESH = "fresh: every output is what its inputs make"
# Makes everything anew, blobs too, and compares; what differs and what went wrong must come out in a failure.
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
sys.exit(pipeline.generate(Path(sys.argv[1]), documents, engine=sys.argv[2], force=True))
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
    """Return a copy of this checkout's inputs and outputs."""
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
    """Run *program* of the checkout *root* under the command *before*; return what it said after it succeeded."""
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
    """Return every output by path, but for the bytecode that importing a module leaves there."""
    files = [path for path in (root / "output").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files += [root / path for path in (unchanged.REPORT, *unchanged.MAPS)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


# ---------------------------------------------------------------------------------------------
# Engines


@pytest.mark.parametrize(("base", "hivex"), [("debian:bookworm-slim", "1.3.23"), ("debian:trixie-slim", "1.3.24")])
def test_docker_on_either_debian_makes_what_is_committed(
    base: str, hivex: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINSCRATCH_BASE_IMAGE", base)
    docker = selected("docker")
    assert FRESH in run(ROOT, engine="docker")
    assert docker.build({}).hivex == hivex


@pytest.mark.program
def test_native_makes_what_is_committed() -> None:
    assert FRESH in run(ROOT, engine=selected("native").name)


def test_builtin_makes_what_is_committed(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_environment_shows(name: str) -> None:
    assert FRESH in run(ROOT, env=ENVIRONMENTS[name])


def test_no_turkish_shows(tmp_path: Path) -> None:
    if not Path("/usr/share/i18n/locales/tr_TR").exists():
        lack("Debian's locales are not installed")
    made = subprocess.run([need("localedef"), "-i", "tr_TR", "-f", "UTF-8", str(tmp_path / "tr_TR.UTF-8")], check=False)
    assert made.returncode == 0
    env = {"LOCPATH": str(tmp_path), "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONUTF8": "0"}
    program = "import locale; assert locale.setlocale(locale.LC_ALL, '') == 'tr_TR.UTF-8'\n" + PROGRAM
    assert FRESH in run(ROOT, program=program, env=env)


@pytest.mark.parametrize("ahead", ["+10y", "-10y"])
def test_no_clock_shows(ahead: str) -> None:
    program = f"import time; assert not 2020 < time.gmtime().tm_year {ahead[0]} 5 < 2020 + 5\n" + PROGRAM
    assert FRESH in run(ROOT, need("faketime"), "-f", ahead, program=program)


@pytest.mark.parametrize("mask", ["000", "077"])
def test_no_umask_shows_in_what_is_written(mask: str, tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    shutil.rmtree(root / "output")
    run(root, "sh", "-c", f'umask {mask} && exec "$@"', "sh", program=WRITE)
    assert outputs(root) == outputs(ROOT)


def test_no_order_of_directory_listings_shows(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REVERSED)
    program = "import os; assert os.listdir('/') == sorted(os.listdir('/'), reverse=True)\n" + PROGRAM
    assert FRESH in run(ROOT, program=program, env={"PYTHONPATH": str(tmp_path)})


@pytest.mark.program
def test_no_current_directory_shows() -> None:
    assert FRESH in run(ROOT, cwd=Path("/"))


def test_no_path_shows_in_what_is_written(tmp_path: Path) -> None:
    root = checkout(tmp_path / "a place, żółty 'ü' \N{HIRAGANA LETTER A}")
    shutil.rmtree(root / "output")
    run(root, program=WRITE)
    assert outputs(root) == outputs(ROOT)


def test_no_user_shows_in_what_is_written(tmp_path: Path) -> None:
    if os.geteuid():
        lack("only root can become another user")
    root = checkout(tmp_path / "tree")
    shutil.rmtree(root / "output")
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    # Root's home may hold the Python; nobody may read it all, but write no more than its own.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    user = (need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", *reads)
    run(root, *user, program="import os; assert os.getuid() == 65534\n" + WRITE)
    assert outputs(root) == outputs(ROOT)
    assert (root / "output/manifest.json").stat().st_uid == 65534


# ---------------------------------------------------------------------------------------------
# Checkouts


def test_a_checkout_with_crlf_is_fresh_and_makes_the_same(tmp_path: Path) -> None:
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
def test_a_read_only_checkout_can_be_checked(tmp_path: Path) -> None:
    root = checkout(tmp_path / "tree")
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Root gives up what lets it write everywhere.
    dropped = "-dac_override,-dac_read_search"
    before = (need("setpriv"), f"--bounding-set={dropped}", f"--inh-caps={dropped}") if os.geteuid() == 0 else ()
    assert FRESH in run(root, *before)


def git(*arguments: str) -> bytes:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    return subprocess.run([need("git"), *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def test_a_shallow_clone_is_fresh(tmp_path: Path) -> None:
    git("clone", "--quiet", "--depth=1", f"file://{ROOT}", str(tmp_path / "clone"))
    assert FRESH in run(tmp_path / "clone")


def test_an_exported_archive_is_fresh(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(git("archive", "HEAD"))
    (tmp_path / "export").mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "a.tar", "-C", tmp_path / "export"], check=True)
    assert not (tmp_path / "export/.git").exists()
    assert FRESH in run(tmp_path / "export")


# ---------------------------------------------------------------------------------------------
# Pythons and architectures


def python(version: str) -> str:
    """Return a Python of *version*, such as 3.12, of pyenv's or on the path."""
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    found = sorted(versions.glob(f"{version}.*/bin/python3"))
    return str(found[0]) if found else need(f"python{version}")


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Return a function from a Python's version to one that has what the lock file names."""

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
            lack(f"the locked packages cannot be had for Python {version}: {done.stderr[-300:]}")
        return str(folder / "bin/python")

    return make


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_any_python_of_the_toolchain_makes_what_is_committed(version: str, toolchain: Callable[[str], str]) -> None:
    program = f"import sys; assert sys.version_info[:2] == {tuple(map(int, version.split('.')))}\n" + PROGRAM
    assert FRESH in run(ROOT, python=toolchain(version), program=program)


@dataclass(frozen=True)
class Builder:
    """An engine that runs the hive builder by *command*."""

    command: tuple[str, ...]
    cwd: Path = ROOT / "generator"
    name = "builder"

    def build(self, hives: Mapping[str, Hive]) -> wire.Built:
        """Return *hives* as the builder makes them."""
        return wire.exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*."""
        done = subprocess.run(self.command, cwd=self.cwd, input=request, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout


def assert_makes_what_is_committed(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "select", lambda *_, **__: builder)
    made = pipeline.make(ROOT, pipeline.specified(ROOT), pipeline.build_by(builder, print), documents, note=print).files
    committed = outputs(ROOT)
    assert {path: committed[path] for path in made} == made


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_any_python_of_the_builder_makes_what_is_committed(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT / 'tests/helpers/hivex_ctypes')!r}]; "
        f"assert sys.version_info[:2] == {tuple(map(int, version.split('.')))}; "
        "from hivebuilder.__main__ import main; sys.exit(main())"
    )
    try:
        ctypes.CDLL("libhivex.so.0")
    except OSError:
        lack("there is no libhivex on this machine")
    assert_makes_what_is_committed(Builder((python(version), "-B", "-c", program)), monkeypatch)


# Each with Debian's own Python and binding: 3.9 and hivex 1.3.20, 3.11 and 1.3.23, 3.13 and 1.3.24.
MACHINES = {
    ("bullseye", "amd64"): ("x86_64", "little", 3, 9),
    ("bookworm", "i386"): ("x86_64", "little", 3, 11),  # 32 bits on a 64-bit kernel, which names itself
    ("bookworm", "s390x"): ("s390x", "big", 3, 11),
    ("trixie", "arm64"): ("aarch64", "little", 3, 13),
}


def archive() -> str:
    """Return the archive of Debian that this machine uses, alone: what is added to it may lack other architectures."""
    command = [need("apt-get"), "indextargets", "--format", "$(REPO_URI)", "Label: Debian"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]


def debian(suite: str, architecture: str, folder: Path) -> tuple[str, ...]:
    """Unpack a Debian with hivex into *folder* and return the command that runs a program inside."""
    if os.geteuid():
        lack("only root can enter another Debian")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "winscratch"
    kept = cache / f"{suite}-{architecture}.tar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fetched = folder.with_name("fetched.tar")
        # Unpacked, not set up: nothing of another architecture has to run for that.
        options = ("--variant=extract", "--mode=root", f"--architectures={architecture}", "--include=python3-hivex")
        done = subprocess.run(
            [need("mmdebstrap"), *options, suite, str(fetched), archive()], capture_output=True, text=True, check=False
        )
        if done.returncode:
            lack(f"Debian {suite} for {architecture} cannot be had: {done.stderr.strip().splitlines()[-1]}")
        shutil.copy(fetched, kept.with_name(f"{kept.name}.{os.getpid()}"))
        kept.with_name(f"{kept.name}.{os.getpid()}").replace(kept)
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(kept), "-C", str(folder), "--exclude=./dev"], check=True)
    (folder / "proc").mkdir(exist_ok=True)
    for name in ("bin", "lib", "lib64"):  # from trixie on, setting up makes these
        if not (folder / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    shutil.copytree(ROOT / wire.BUILDER, folder / "hivebuilder")
    emulator: tuple[str, ...] = ()
    if architecture in {"s390x", "arm64"}:
        shutil.copy(need(f"qemu-{'aarch64' if architecture == 'arm64' else architecture}-static"), folder / "emulator")
        emulator = ("/emulator",)
    # The builder's memory file has its name below /proc.
    enter = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
    return (need("unshare"), "--mount", "sh", "-c", enter, str(folder), *emulator, native.DEBIAN_PYTHON)


@pytest.mark.parametrize(("suite", "architecture"), MACHINES)
def test_any_machine_makes_what_is_committed(
    suite: str, architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = debian(suite, architecture, tmp_path / "root")
    ask = "import os, sys; print(os.uname().machine, sys.byteorder, *sys.version_info[:2], sys.maxsize)"
    answer = subprocess.run([*inside, "-c", ask], check=True, capture_output=True, text=True).stdout
    width = 2**31 - 1 if architecture == "i386" else 2**63 - 1
    assert answer.split() == [*map(str, MACHINES[suite, architecture]), str(width)]
    builder = Builder((*inside, "-s", "-E", "-B", "-m", "hivebuilder"))
    assert_makes_what_is_committed(builder, monkeypatch)
    if suite != "bullseye":
        assert_seeds_laid_out_alike(builder, range(50))
        return
    # hivex 1.3.20 sorts keys as in lower case, and so puts these two the wrong way round.
    what = r"from offset 0x20e8 on \(hash leaf at 0x20e0, subkey\); the engine's is not sound \(.*subkey-order; "
    with pytest.raises(GeneratorError, match=what):
        choose.build_hives(builder, {"odd": (Key(()), Key(("_",)), Key(("A",)))})

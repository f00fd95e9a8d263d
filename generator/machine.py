# SPDX-License-Identifier: Apache-2.0
"""What winscratch needs from the machine it runs on, and how it gets there.

Two sources: Debian's packages, and the Python packages of the two lock files, which go into the
project's ``.venv``. Standard library only: invokew calls set_up() before anything is installed.
"""

import contextlib
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

from .builder import choose
from .errors import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, GeneratorError, one_line

PROJECT = Path(__file__).absolute().parents[1]
VENV = PROJECT / ".venv"
LOCK = PROJECT / "requirements.lock"
TEST_LOCK = PROJECT / "requirements-test.lock"
HIVES_STAMP = VENV / "hives-can-be-built"  # invokew looks for it, and for a copy of LOCK beside it

HIVEX_PACKAGE = "python3-hivex"  # not the unrelated project that PyPI has under the module's name
NO_INSTALL = "WINSCRATCH_NO_INSTALL"
NO_HIVES = "neither a container engine nor hivex is here to build hives with"
LEAST_GO = (1, 21)  # the first that fetches the newer toolchain a module asks for


@dataclass(frozen=True, slots=True)
class Tool:
    """A Debian package, what shows that it is there (a program, or a file's path), and the tests it serves."""

    package: str
    shown_by: str
    tests: str

    def present(self) -> bool:
        """Tell whether this machine has the tool, from whatever source."""
        if "/" in self.shown_by:
            return Path(self.shown_by).exists()
        found = find(self.shown_by)
        return found is not None and (self.shown_by != "go" or _go_version(found) >= LEAST_GO)


TOOLS = (
    Tool("busybox", "busybox", "invokew under busybox's shell"),
    Tool("chntpw", "reged", "hives read by reged"),
    Tool("clang", "clang", "the C module built by clang"),
    Tool("clang-format", "clang-format", "the C module's layout"),
    Tool("dash", "dash", "invokew under dash"),
    Tool("docker-registry", "docker-registry", "images pushed to a registry"),
    Tool("faketime", "faketime", "a clock that is ten years off"),
    Tool("g++", "g++", "the C module built as C++"),
    Tool("gcc", "gcc", "the C module built by gcc"),
    Tool("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc", "the C module built for Windows"),
    Tool("git", "git", "the committed output in a fresh clone"),
    Tool("golang", "go", "the Go module"),
    Tool("libarchive-dev", "/usr/include/archive.h", "the C module read by libarchive"),
    Tool("libarchive-tools", "bsdtar", "layers read by bsdtar"),
    Tool("libhivex-bin", "hivexml", "hives read by hivexml"),
    Tool("libregf-utils", "regfinfo", "hives read by regfinfo"),
    Tool("libwin-hivex-perl", "hivexregedit", "hives exported by hivexregedit"),
    Tool(HIVEX_PACKAGE, "/usr/lib/python3/dist-packages/hivex/__init__.py", "hives built without a container"),
    Tool("mmdebstrap", "mmdebstrap", "hives built on other architectures"),
    Tool("python3-samba", "/usr/lib/python3/dist-packages/samba/__init__.py", "security descriptors read by Samba"),
    Tool("qemu-user-static", "qemu-s390x-static", "hives built on a big-endian machine"),
    Tool("shellcheck", "shellcheck", "the shell scripts"),
    Tool("skopeo", "skopeo", "images copied by skopeo"),
    Tool("strace", "strace", "what the builder asks of the kernel"),
    Tool("tcc", "tcc", "the C module built by tcc"),
    Tool("umoci", "umoci", "images unpacked by umoci"),
)


def find(program: str) -> str | None:
    """Return the path of *program*, looked for where Debian keeps administrators' programs as well, or None."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def set_up() -> int:
    """Complete this machine for winscratch and return invokew's exit status; tell the user on standard error."""
    try:
        with_venv = not _fresh(VENV, LOCK)
        hives = _ensure_system(with_venv=with_venv)
        if with_venv:
            _make_venv()
        if hives:
            with contextlib.suppress(PermissionError):  # another user's .venv: to be asked again costs time only
                HIVES_STAMP.touch()
    except (GeneratorError, OSError) as error:
        _say(str(error))
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def ensure_tools(*, may_install: bool | None = None) -> tuple[str, ...]:
    """Install the Debian packages that the tests use; return those still missing, which cost tests.

    *may_install* overrides the rule: as root or by passwordless sudo, unless WINSCRATCH_NO_INSTALL
    is set. Under CI=true no test may be lost, so a missing tool is a GeneratorError.
    """
    missing = _missing()
    remedy = _command(tool.package for tool in missing)
    if missing and (_may_install() if may_install is None else may_install):
        try:
            _apt_install([tool.package for tool in missing])
        except GeneratorError as error:
            remedy = str(error)
        missing = _missing()
    names = tuple(tool.package for tool in missing)
    if missing and in_ci():
        raise GeneratorError(f"CI must skip no test, but lacks Debian's {', '.join(names)}: {remedy}")
    for tool in missing:
        _say(f"without Debian's {tool.package} these tests are skipped: {tool.tests}")
    if missing:
        _say(f"to run them as well: {remedy}")
    return names


def ensure_test_packages() -> None:
    """Install requirements-test.lock into the running virtual environment; raise GeneratorError if that fails."""
    if sys.prefix == sys.base_prefix:
        raise GeneratorError("the test packages go into a virtual environment only; run it by ./invokew")
    environment = Path(sys.prefix)
    if not _fresh(environment, TEST_LOCK):
        with _locked(TEST_LOCK) as held:
            if not _fresh(environment, TEST_LOCK):
                _pip_install(environment, TEST_LOCK, held)


def test(files: Sequence[str], select: str) -> int:
    """Install what the tests need and run those in *files*, or all, that pytest's expression *select* chooses."""
    ensure_test_packages()
    ensure_tools()
    chosen = [*(["-k", select] if select else []), *files]
    command = [sys.executable, "-m", "pytest", "-n", "auto", "--dist", "loadfile", *chosen]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def in_ci() -> bool:
    """Tell whether a continuous integration runs this, where a skipped test would go unseen."""
    return os.environ.get("CI") == "true"


# ---------------------------------------------------------------------------------------------
# Debian's packages


def _ensure_system(*, with_venv: bool) -> bool:
    """See to what the system provides: a Python to make *with_venv*, and hives; tell whether they can be built."""
    packages = [_venv_package()] if with_venv and not _has_ensurepip() else []
    hives = _hives_can_be_built()
    if not hives:
        packages.append(HIVEX_PACKAGE)
    if not packages:
        return True
    if not _may_install():
        if packages != [HIVEX_PACKAGE]:
            raise GeneratorError(f"{NO_INSTALL} is set and {sys.executable} has no ensurepip: {_command(packages)}")
        _say(f"{NO_HIVES}, so none can be built yet: {_command(packages)}")
        return False
    try:
        _apt_install(packages)
    except GeneratorError as error:
        raise error if hives else GeneratorError(f"{NO_HIVES}: {error}") from error
    if with_venv and not _has_ensurepip():
        raise GeneratorError(f"{packages[0]} is installed, but {sys.executable} has no ensurepip")
    if not (hives or _hives_can_be_built()):
        raise GeneratorError(f"{HIVEX_PACKAGE} is installed, but no Python here can import hivex")
    return True


def _has_ensurepip() -> bool:
    invalidate_caches()
    return find_spec("ensurepip") is not None


def _hives_can_be_built() -> bool:
    try:
        choose.select("auto", lambda _line: None)
    except GeneratorError:
        return False
    return True


def _venv_package() -> str:
    """Return the Debian package that completes the running Python; raise GeneratorError where there is none."""
    python = Path(sys.executable).resolve()
    if python.parent != Path("/usr/bin"):
        raise GeneratorError(f"{python} has no ensurepip: set WINSCRATCH_PYTHON to a Python 3.11 or later that has")
    return f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


def _may_install() -> bool:
    return os.environ.get(NO_INSTALL, "0") in {"", "0"}


def _apt_install(packages: Sequence[str]) -> None:
    """Install Debian *packages* without asking anything; raise GeneratorError with the command to give by hand."""
    if shutil.which("apt-get") is None:
        raise GeneratorError(f"no apt-get to install Debian's {', '.join(packages)} with")
    if os.geteuid() == 0:
        as_root = []
    elif _run(["sudo", "-n", "true"]).returncode == 0:
        as_root = ["sudo", "-n"]
    else:
        raise GeneratorError(f"needs root once, to install what is missing: {_command(packages)}")
    _say(f"installing Debian's {', '.join(packages)}")
    apt = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--yes", "--no-install-recommends"]
    if _run([*install, *packages]).returncode == 0:
        return
    # The package lists are absent or out of date: that is the usual reason.
    _run([*apt, "update"])
    done = _run([*install, *packages])
    if done.returncode:
        # One package that this release lacks must not cost the others.
        known = [name for name in packages if _run(["apt-cache", "show", name]).returncode == 0]
        if known and len(known) < len(packages) and _run([*install, *known]).returncode == 0:
            return
        raise GeneratorError(f"{_last_error(done, 'E: ')}; mend that and give: {_command(packages)}")


def _command(packages: Iterable[str]) -> str:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    return shlex.join([*sudo, "apt-get", "install", "--no-install-recommends", *packages])


def _missing() -> list[Tool]:
    return [tool for tool in TOOLS if not tool.present()]


def _go_version(program: str) -> tuple[int, ...]:
    # A go.mod or a setting could make it fetch and run another version.
    done = _run(["env", "GOTOOLCHAIN=local", program, "version"])
    found = re.search(r"go version go(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)


# ---------------------------------------------------------------------------------------------
# The virtual environment


def _fresh(environment: Path, lock: Path) -> bool:
    """Tell whether *environment* was completed from *lock* as it is now, and its Python still exists."""
    stamp = environment / lock.name
    try:
        return (environment / "bin/python").exists() and stamp.read_bytes() == lock.read_bytes()
    except FileNotFoundError:
        return False


def _make_venv() -> None:
    """Make ``.venv`` anew and fill it; a run beside this one waits, and finds it made."""
    with _locked(LOCK) as held:
        if _fresh(VENV, LOCK):
            return
        _say("setting up .venv")
        # Without its stamp an environment counts as unfinished, whatever happens from here on.
        (VENV / LOCK.name).unlink(missing_ok=True)
        # By its last name, such as python3.11: when an upgrade takes that away, so does the link in .venv.
        python = str(Path(sys.executable).resolve())
        done = _run([python, "-I", "-m", "venv", "--clear", str(VENV)], held)
        if done.returncode:
            raise GeneratorError(f"{python} could not make {VENV}: {_last_error(done, 'Error: ')}")
        _pip_install(VENV, LOCK, held)


def _pip_install(environment: Path, lock: Path, held: int) -> None:
    """Install *lock* into *environment* and leave a copy of it there as the stamp."""
    _say(f"installing {lock.name}")
    wanted = lock.read_bytes()
    python = str(environment / "bin/python")
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-user", "--retries=2", "--require-hashes"]
    done = _run([python, "-I", "-m", "pip", "install", *options, "--requirement", str(lock)], held)
    if done.returncode:
        offline = "Retrying" in done.stderr
        why = "the package index cannot be reached" if offline else _last_error(done, "ERROR: ")
        raise GeneratorError(f"could not install {lock}: {why}")
    (environment / lock.name).write_bytes(wanted)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock on *path* against other runs; yield its descriptor, for children that must hold it too."""
    with path.open("r+b") as file:  # writable, as NFS wants it
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


# ---------------------------------------------------------------------------------------------
# Processes and words


def _run(command: Sequence[str], *held: int) -> subprocess.CompletedProcess[str]:
    """Run *command* and return how it ended; the descriptors *held* stay open in it, and so do their locks."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            pass_fds=held,
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _last_error(done: subprocess.CompletedProcess[str], mark: str) -> str:
    """Return the last line that *done* wrote after *mark*, or the last of all, or its exit status."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    marked = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    return (marked or lines or [f"exit status {done.returncode}"])[-1]


def _say(text: str) -> None:
    print(f"invokew: {one_line(text)}", file=sys.stderr)

# SPDX-License-Identifier: Apache-2.0
"""The Python packages of the two lock files, which go into the project's virtual environment ``.venv``.

Standard library only: invokew calls set_up() before anything is installed. A copy of a lock file in
the environment, its stamp, says that the packages it names were installed and found whole. Beside it
lies a list of one file or more of each package, which invokew looks for at each use.
"""

import ast
import contextlib
import csv
import os
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

from ..errors import EXIT_ERROR, EXIT_OK, GeneratorError, one_line
from . import PROJECT, last_error, run

VENV = PROJECT / ".venv"
LOCK = PROJECT / "requirements.lock"
TEST_LOCK = PROJECT / "requirements-test.lock"
LISTED = ".files"  # what the list beside a stamp is called after it
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# What pip's settings may say here: where packages come from and how they get here, never where they go.
PIP_SETTINGS = {
    *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy", "keyring-provider"),
    *("cert", "client-cert", "use-feature", "use-deprecated", "timeout", "default-timeout", "retries"),
    *("cache-dir", "no-cache-dir"),
}

Say = Callable[[str], None]


def set_up() -> int:
    """Make ``.venv`` anew if it is not whole and return invokew's exit status; tell the user on standard error."""
    try:
        _make_venv(_note)
    except (GeneratorError, OSError) as error:
        _note(str(error))
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_OK


def has_test_packages() -> bool:
    """Return whether the running environment has the packages of requirements-test.lock as it is now."""
    return _fresh(Path(sys.prefix), TEST_LOCK)


def ensure_test_packages(note: Say) -> None:
    """Install requirements-test.lock into the running virtual environment; raise GeneratorError if that fails."""
    if sys.prefix == sys.base_prefix:
        raise GeneratorError("the test packages go into a virtual environment only; run it by ./invokew")
    environment = Path(sys.prefix)
    if not _fresh(environment, TEST_LOCK):
        with _locked(TEST_LOCK) as held:
            if not _fresh(environment, TEST_LOCK):
                _pip_install(environment, TEST_LOCK, held, note)


def _make_venv(note: Say) -> None:
    """Make ``.venv`` anew and fill it; a run beside this one waits, and finds it made."""
    with _locked(LOCK) as held:
        if _fresh(VENV, LOCK):
            return
        # By its last name, such as python3.11: when an upgrade takes that away, so does the link in .venv.
        python = Path(sys.executable).resolve()
        if find_spec("ensurepip") is None:  # Debian has it in a package of its own
            own = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
            fix = f"install Debian's {own}, or " if python.parent == Path("/usr/bin") else ""
            raise GeneratorError(f"{python} has no ensurepip: {fix}set WINSCRATCH_PYTHON to a Python 3.11 that has")
        note("setting up .venv")
        # Without its stamp an environment counts as unfinished, whatever happens from here on.
        (VENV / LOCK.name).unlink(missing_ok=True)
        done = run([str(python), "-I", "-m", "venv", "--clear", str(VENV)], env=_python_environment(), held=[held])
        if done.returncode:
            raise GeneratorError(f"{python} could not make {VENV}: {last_error(done, 'Error: ')}")
        _pip_install(VENV, LOCK, held, note)


def _fresh(environment: Path, lock: Path) -> bool:
    """Tell whether *environment* was completed from *lock* as it is now, and no package is gone since."""
    stamp = environment / lock.name
    try:
        listed = stamp.with_name(lock.name + LISTED).read_text("utf-8").splitlines()
        return stamp.read_bytes() == lock.read_bytes() and all((environment / path).exists() for path in listed)
    except FileNotFoundError:
        return False


def _pip_install(environment: Path, lock: Path, held: int, note: Say) -> None:
    """Install *lock* into *environment*; leave its stamp and its list there once the packages are whole."""
    note(f"installing {lock.name}")
    wanted = lock.read_text("utf-8")
    stamp = environment / lock.name
    stamp.unlink(missing_ok=True)
    python = str(environment / "bin/python")
    # Building a package from source would run tools that no hash pins, so finished wheels alone are taken.
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]
    options.append("--require-hashes")
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    # A requirement with a marker may not be for this machine; the others are for every one.
    required = re.findall(r"^([\w.-]+)==(\S+) \\$", wanted, re.MULTILINE)
    for force in ([], ["--force-reinstall"]):  # to pip, a package that lost files is installed
        command = [python, "-I", "-m", "pip", "install", *options, *force, "--requirement", str(lock)]
        done = run(command, env=_pip_environment(python), held=[held])
        if done.returncode:
            why = "the package index cannot be reached" if "Retrying" in done.stderr else last_error(done, "ERROR: ")
            wheels = "; only wheels are taken" if why.startswith("No matching distribution") else ""
            raise GeneratorError(f"could not install {lock}: {why}{wheels}")
        found = {_normal(each.name): each for each in distributions(path=[str(site)])}
        bad = [name for name, version in required if not _whole(found.get(_normal(name)), version)]
        if not bad:
            break
    else:
        raise GeneratorError(f"pip ended well, but left {', '.join(bad)} out of {environment}, or not all of it")
    locked = {_normal(name) for name in re.findall(r"^([\w.-]+)==", wanted, re.MULTILINE)}
    listed = {site / file for name, each in found.items() if name in locked for file in _shown_by(each)}
    lines = sorted(os.path.relpath(path, environment) for path in {environment / "bin/python", *listed})
    stamp.with_name(lock.name + LISTED).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    stamp.write_text(wanted, "utf-8")


def _python_environment() -> dict[str, str]:
    """Return the environment without the settings of Python, which not every Python that is started ignores."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _pip_environment(python: str) -> dict[str, str]:
    """Return the environment in which the pip of *python* heeds PIP_SETTINGS alone, from wherever they are set."""
    given = {name: value for name, value in _python_environment().items() if not name.startswith("PIP_")}
    # The setting called python has pip start another one, which would answer in its place.
    settings = run(
        [python, "-I", "-m", "pip", "config", "list"], env=_python_environment() | {"PIP_PYTHON": python}
    ).stdout
    kept = {"PIP_RETRIES": "2", "PIP_CONFIG_FILE": os.devnull}
    for section in ("global", "install", ":env:"):  # each overrides the one before
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", settings, re.MULTILINE):
            if name in PIP_SETTINGS:
                kept[f"PIP_{name.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return given | kept


def _normal(name: str) -> str:
    """Return a package's *name* as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _whole(found: Distribution | None, version: str) -> bool:
    """Tell whether *found* is of *version* and has all its files; Python makes its bytecode anew."""
    if found is None or found.version != version:
        return False
    return all("__pycache__" in file.parts or Path(str(found.locate_file(file))).exists() for file in _files(found))


def _files(package: Distribution) -> list[Path]:
    """Return the files that *package* was installed with, by their paths from the folder of packages."""
    # From Python 3.12 on, its files attribute keeps silent about what is gone.
    return [Path(row[0]) for row in csv.reader((package.read_text("RECORD") or "").splitlines())]


def _shown_by(package: Distribution) -> list[Path]:
    """Return the programs of *package* and its topmost module, by their paths from the folder of packages."""
    files = _files(package)
    modules = [file for file in files if file.suffix in {".py", ".so"}]
    return [*(file for file in files if file.parts[0] == ".."), *sorted(modules, key=lambda file: len(file.parts))[:1]]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock on *path* against other runs; yield its descriptor, for children that must hold it too."""
    import fcntl  # not on Windows, where this module can be imported all the same

    with path.open("r+b") as file:  # writable, as NFS wants it
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _note(text: str) -> None:
    print(f"invokew: {one_line(text)}", file=sys.stderr, flush=True)

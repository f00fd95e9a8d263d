# SPDX-License-Identifier: Apache-2.0
"""Create the virtual environment ``.venv`` and install a lock file into it.

Standard library only: invokew runs this file before any package is installed. After a complete installation a copy of
the lock file is left in ``.venv``; invokew and has() compare it with the lock file.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[2]
VENV = PROJECT / ".venv"
LOCK = "requirements.lock"
# Each lock file, and a module that shows that its packages are in .venv and can be imported.
PROOFS = {LOCK: "invoke", "requirements-test.lock": "pytest", "requirements-thorough.lock": "regipy"}
# pip settings that would install elsewhere or not at all.
REDIRECTIONS = {f"PIP_{name}" for name in ("DRY_RUN", "PREFIX", "PYTHON", "ROOT", "TARGET", "USER")}
# Wheels only: building a package from source runs tools that no hash pins.
OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:")


class SetUpError(Exception):
    """A failed installation, as one line."""


def has(lock: str) -> bool:
    """Return whether *lock*, as it is now, was installed completely into the running environment."""
    try:
        return Path(sys.prefix, lock).read_bytes() == (PROJECT / lock).read_bytes()
    except FileNotFoundError:
        return False


def install(*locks: str) -> int:
    """Install each of *locks* that is not yet in ``.venv``; return exit status 0, or 2 after printing one error line.

    requirements.lock first replaces ``.venv`` by an empty environment. Concurrent runs wait for each other.
    """
    try:
        for lock in locks:
            with _locked(PROJECT / lock) as held:
                if not _is_installed(lock):
                    _install(lock, held)
    except (SetUpError, OSError) as error:
        _note(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _is_installed(lock: str) -> bool:
    stamp = VENV / lock
    return (VENV / "bin/python").exists() and stamp.exists() and stamp.read_bytes() == (PROJECT / lock).read_bytes()


def _install(lock: str, held: int) -> None:
    stamp = VENV / lock
    # Without its stamp an environment counts as incomplete, whatever interrupts the rest.
    stamp.unlink(missing_ok=True)
    if lock == LOCK:
        _note("setting up .venv")
        python = Path(sys.executable).resolve()  # such as python3.11: no upgrade replaces it by another version
        if find_spec("ensurepip") is None:  # Debian packages it separately
            package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
            raise SetUpError(f"{python}: ensurepip is missing; hint: install {package}, or set WINSCRATCH_PYTHON")
        _run([str(python), "-I", "-m", "venv", "--clear", str(VENV)], f"{VENV}: cannot be created", held)
    elif not (VENV / "bin/python").exists():
        raise SetUpError(f"{VENV}: not found; hint: ./invokew --list")
    _note(f"installing {lock}")
    wanted = (PROJECT / lock).read_bytes()
    pip = [str(VENV / "bin/python"), "-I", "-m", "pip", "install", *OPTIONS, "--require-hashes", "-r", lock]
    _run(pip, f"{lock}: cannot be installed", held)
    proof = [str(VENV / "bin/python"), "-I", "-c", f"import {PROOFS[lock]}"]
    _run(proof, f"{lock}: pip installed it elsewhere or incompletely; hint: check pip config list", held)
    stamp.write_bytes(wanted)


def _run(command: list[str], problem: str, held: int) -> None:
    """Run *command* in the checkout: a relative cache folder in the user's working directory could hold any wheel.

    The descriptor *held* stays open in it, so that the lock outlives a killed parent.
    """
    kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON") and n not in REDIRECTIONS}
    env = {"PIP_RETRIES": "2", **kept}
    done = subprocess.run(
        command, env=env, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        errors="replace", pass_fds=[held],
    )  # fmt: skip
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        marked = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        why = (marked or lines or [f"exit status {done.returncode}"])[-1]
        raise SetUpError(f"{problem}: {'the package index cannot be reached' if 'Retrying' in done.stderr else why}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on *path*; yield its file descriptor."""
    with path.open("r+b") as file:  # NFS requires a writable file
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _note(text: str) -> None:
    print("invokew:", " ".join(text.split()), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(install(LOCK))

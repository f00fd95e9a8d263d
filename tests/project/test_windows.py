# SPDX-License-Identifier: Apache-2.0
"""What can be known here of Windows: that nothing needs what only POSIX has. CI has a machine that runs it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.program

# The standard library's modules and Invoke come first: each has another half for Windows, not tested here. Then
# comes Windows' module of locks, whose locks here are POSIX's, which too are of a process and of a range of bytes.
HIDE = """
import concurrent.futures, importlib.metadata, invoke, mmap, os, selectors, shutil, signal, subprocess, sys, tempfile
import errno, fcntl, types
def locking(descriptor, mode, count, lockf=fcntl.lockf, flags=(fcntl.LOCK_UN, 0, fcntl.LOCK_EX | fcntl.LOCK_NB)):
    try:
        lockf(descriptor, flags[mode], count)
    except OSError as error:
        raise OSError(errno.EACCES, "Permission denied") from error
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking)
sys.path.insert(0, {project!r})
for name in ("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
for name in '''
    O_ASYNC O_CLOEXEC O_DIRECTORY O_DIRECT O_DSYNC O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC chown chroot
    confstr fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups getpgid getpgrp getsid getuid initgroups
    killpg lchown mkfifo mknod nice openpty pread preadv pwrite pwritev sched_yield sendfile set_blocking setegid
    seteuid setgid setpgid setsid setuid statvfs sync ttyname uname wait3 wait4
'''.split():
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGTSTP SIGUSR1 SIGUSR2 SIGWINCH alarm pause".split():
    delattr(signal, name)
for known in (os.supports_dir_fd, os.supports_fd):
    known.clear()
shutil._use_fd_functions = False
"""
IMPORT = """
import generator, pkgutil
names = [each.name for each in pkgutil.walk_packages(generator.__path__, "generator.") if "__main__" not in each.name]
for name in names:
    __import__(name)
print(len(names))
"""
RUN = """
from generator.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def hidden(*parts: str, project: Path = PROJECT) -> list[str]:
    """Return the command that runs *parts* of Python where what only POSIX has is hidden."""
    return [sys.executable, "-P", "-c", HIDE.format(project=str(project)) + "".join(parts)]


def test_every_module_can_be_imported_without_what_only_posix_has() -> None:
    done = subprocess.run(hidden(IMPORT), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = [path for path in (PROJECT / "generator").rglob("*.py") if path.stem not in {"__main__", "__init__"}]
    packages = [path for path in (PROJECT / "generator").rglob("__init__.py") if path.parent.name != "generator"]
    assert int(done.stdout) == len(modules) + len(packages)


def test_what_needs_no_engine_works_there(place: Path) -> None:
    def run(*words: str) -> tuple[int, bytes, bytes]:
        environment = {**os.environ, "LOCALAPPDATA": str(place / "cache")}
        done = subprocess.run([*hidden(RUN), *words], env=environment, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    for language in ("python", "go", "c"):
        assert run("vendor", language, "scratch", "copies/")[::2] == (0, b"")
    assert b"\r" not in (place / "copies/windows_scratch.py").read_bytes()
    status, said, notes = run("vendored", "copies")
    assert (status, said.count(b"fresh: "), notes) == (0, 4, b"")
    copy = place / "copies/windows_scratch.c"
    copy.write_bytes(copy.read_bytes().replace(b"\n", b"\r\n"))
    assert run("vendored", "copies")[0] == 0, "a checkout with Windows' line ends is as fresh"
    copy.write_bytes(copy.read_bytes() + b"// mine\r\n")
    assert run("vendored", "copies")[0] == 1
    assert run("vendored", "copies", "--update", "--force")[0] == 0
    status, blob, _ = run("layer", "scratch", "--blob")
    assert (status, blob) == (0, (PROJECT / "output/layers/scratch.tar.gz").read_bytes())
    (place / "BCD").write_bytes(run("layer", "scratch", "--bcd")[1])
    assert run("check-hive", "BCD")[0] == 0
    assert run("sddl", "O:BUG:BU")[0] == 0
    assert run("check-stale")[0] in {0, 1}


def test_layers_are_built_there_by_the_program_itself(tree: Path) -> None:
    environment = {**os.environ, "LOCALAPPDATA": str(tree.parent / "cache")}
    environment.pop("WINSCRATCH_ENGINE", None)
    before = {path: path.read_bytes() for path in (tree / "output").rglob("*") if path.is_file()}
    command = [*hidden(RUN, project=tree), "generate", "--force"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "engine: builtin" in done.stderr
    assert {path: path.read_bytes() for path in (tree / "output").rglob("*") if path.is_file()} == before
    done = subprocess.run(
        [*command, "--engine", "docker"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "not supported on this system" in done.stderr.splitlines()[-1]


def test_a_lock_there_is_a_file_in_the_users_cache_that_a_dead_run_leaves_free(place: Path, tmp_path: Path) -> None:
    (place / "d").mkdir()
    hold = (
        "from generator.base import console, files\n"
        "with files.lock('d', console.note): print('held', flush=True); input()"
    )
    environment = {**os.environ, "LOCALAPPDATA": str(tmp_path / "cache")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(hidden(hold), env=environment, text=True, **pipes) as first:  # type: ignore[call-overload]
        limit = threading.Timer(60, first.kill)
        limit.start()
        assert first.stdout.readline() == "held\n"
        command = [*hidden(RUN), "vendor", "python", "scratch", "d/"]
        with subprocess.Popen(command, env=environment, text=True, **pipes) as second:  # type: ignore[call-overload]
            limits = threading.Timer(60, second.kill)
            limits.start()
            assert second.stderr.readline() == "waiting for the lock of d, which another run holds\n"
            assert list((place / "d").iterdir()) == []
            first.send_signal(signal.SIGKILL)
            said, notes = second.communicate()
            limits.cancel()
        limit.cancel()
    assert (second.returncode, said.splitlines(), notes) == (0, ["wrote d/windows_scratch.py"], "")
    assert [path.name for path in (place / "d").iterdir()] == ["windows_scratch.py"]
    assert len(list((tmp_path / "cache/winscratch/locks").iterdir())) == 1

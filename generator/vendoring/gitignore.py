# SPDX-License-Identifier: Apache-2.0
"""Find out which files git ignores, without running git in an untrusted repository.

git obeys a repository's settings: it runs programs that they name and fetches missing objects. So git runs in an
empty temporary repository that holds copies of the index and of the ignore files, and nothing else.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base.errors import GeneratorError
from ..base.reading import read_file

_MAX_RULES = 1 << 20  # bytes of an ignore file or a gitfile
_MAX_INDEX = 1 << 29  # bytes; about four million files
_SECONDS = 20  # some patterns take git's matcher exponential time
_CONFIG = """[core]
\trepositoryFormatVersion = 0
\tfsmonitor = false
\texcludesFile =
[protocol]
\tallow = never
"""


def repository(folder: Path) -> Path | None:
    """Return the innermost folder at or above *folder* that holds ``.git``, or None."""
    return next((above for above in (folder, *folder.parents) if os.path.lexists(above / ".git")), None)


def ignored(root: Path, paths: Iterable[Path], note: Callable[[str], None]) -> set[Path]:
    """Return the *paths* that git ignores in the repository *root*; if git fails, log a note and return none.

    The paths are absolute, below *root* and without symlinks. Tracked files are never ignored.
    """
    asked = {path.relative_to(root): path for path in paths}
    if not asked:
        return set()
    git = shutil.which("git")
    if git is None or not Path(git).is_absolute():  # a relative path could lead to a program in the searched tree
        note(f"{root}: git is not installed, so ignored files are checked too")
        return set()
    try:
        with tempfile.TemporaryDirectory(prefix="winscratch-") as name:
            _prepare(Path(name), root, asked)
            answered = _ask(git, Path(name), asked)
    except (OSError, GeneratorError, subprocess.TimeoutExpired) as error:
        reason = f"it takes longer than {_SECONDS} s" if isinstance(error, subprocess.TimeoutExpired) else error
        note(f"{root}: git cannot list ignored files, so they are checked too: {reason}")
        return set()
    return {asked[path] for path in answered}


def _ask(git: str, folder: Path, names: Iterable[Path]) -> list[Path]:
    """Return the *names* that are ignored in the repository made by _prepare()."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {
        "GIT_DIR": str(folder / "git"),
        "GIT_WORK_TREE": str(folder / "tree"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        [git, "check-ignore", "-z", "--stdin"],
        input=os.fsencode("\0".join(f"./{name.as_posix()}" for name in names)),  # a leading ":" is pathspec magic
        capture_output=True,
        check=False,
        timeout=_SECONDS,
        cwd=folder / "tree",
        env=kept | own,
    )
    if done.returncode > 1 or done.returncode < 0:  # 1: no path is ignored
        raise GeneratorError(done.stderr.decode(errors="replace") or f"it ended with status {done.returncode}")
    return [Path(name) for name in os.fsdecode(done.stdout).split("\0") if name]


def _prepare(folder: Path, root: Path, names: Iterable[Path]) -> None:
    """Make a repository in *folder* with the index of *root* and the ignore files that apply to *names*."""
    git, tree = folder / "git", folder / "tree"
    for path in (git / "objects", git / "refs", git / "info", tree):
        path.mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(_CONFIG)
    own, shared = _git_folders(root)
    _copy(own / "index", git / "index", _MAX_INDEX)
    _copy(shared / "info/exclude", git / "info/exclude", _MAX_RULES)
    for inner in {parent for name in names for parent in name.parents}:
        _copy(root / inner / ".gitignore", tree / inner / ".gitignore", _MAX_RULES)


def _copy(source: Path, target: Path, most: int) -> None:
    """Copy a regular file of at most *most* bytes; skip anything else."""
    try:
        data = read_file(source, str(source), most, follow=False)
    except GeneratorError:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _git_folders(root: Path) -> tuple[Path, Path]:
    """Return the work tree's git directory, which has the index, and the one that all work trees share."""
    own = root / ".git"
    if not own.is_dir():
        # ``.git`` is a file in linked work trees and submodules.
        own = root / _line(own).removeprefix("gitdir:").strip()
    shared = own / "commondir"
    return own, own / _line(shared) if shared.is_file() else own


def _line(path: Path) -> str:
    return os.fsdecode(read_file(path, str(path), _MAX_RULES)).strip()

# SPDX-License-Identifier: Apache-2.0
"""Commands in documents and workflows: Python is isolated, build tools have hashes, nodes find the entry points."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tooling import PROJECT

from generator.cli.commands import COMMANDS, text_of
from generator.oci.names import fold
from generator.runtime import paths, start
from generator.runtime.model import File, Settings

WORKFLOWS = [*sorted(PROJECT.glob(".github/workflows/*.yml")), PROJECT / "action.yml"]
DOCUMENTS = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", ".pre-commit-hooks.yaml", "invokew")),
    *sorted(PROJECT.glob("docs/*.md")),
    *sorted(
        path
        for path in PROJECT.glob("examples/**/*")
        if path.suffix not in {".lock", ".pyc", ".sum"} and path.is_file()
    ),
    *sorted(path for path in PROJECT.glob(".ci/**/*") if path.is_file()),
    *WORKFLOWS,
]
DOCSTRINGS = [PROJECT / "generator/cli/commands.py", *sorted(PROJECT.glob("generator/image/*.py"))]


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command in a shell script, with the arrays that it defines put in."""
    text = re.sub(r"\\\n\s*", " ", text)
    for definition, name, words in re.findall(r"^(\s*(\w+)=\(([^)]+)\))$", text, re.MULTILINE):
        text = text.replace(definition, "").replace(f'"${{{name}[@]}}"', words)
    for line in re.split(r"\n|;|&&|\|", text):
        yield line.replace('"', "").split()


# ---------------------------------------------------------------------------------------------
# Python in a tree of others

# -I has to precede what Python runs. `python3 -m generator` and the like run this checkout's own code, by intent.
MODULES = re.compile(r"\bpython[\d.]*\b(.*?)\s-m\s*(venv|pip|ensurepip|build|winscratch)\b")
COPIES = re.compile(r"\bpython[\d.]*\s([^|;&`]*?)\S*windows_\w+\.py\b")


def not_isolated(text: str) -> list[str]:
    """Return the commands in *text* by which Python could import modules from the directory that it works in."""
    found = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        for pattern in (MODULES, COPIES):
            found += [match[0] for match in pattern.finditer(line) if "-I" not in match[1].replace('"', " ").split()]
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_python_is_isolated_wherever_it_may_work_in_an_untrusted_tree(path: Path) -> None:
    assert not_isolated(path.read_text("utf-8")) == []


def test_python_that_is_not_isolated_is_found() -> None:
    for line in (
        "python3 -m venv x",
        '"$bin/python" -m pip install',
        "python -E -m pip",
        "run `python -m build`",
        "python3.11 -mvenv x",
        "python copies/windows_scratch.py --verify",
        'pip=("$bin/python" \\\n  -m pip)',
    ):
        assert not_isolated(line), line
    for line in ("python -I -m pip install", "python3 -m generator check-stale", '"$bin/python" -I -m venv x'):
        assert not not_isolated(line), line
    assert sum(len(MODULES.findall(path.read_text("utf-8"))) for path in DOCUMENTS) > 10


# ---------------------------------------------------------------------------------------------
# What builds the package

BUILD_LOCK = "requirements-release.lock"


def unhashed(script: str) -> list[str]:
    """Return the commands of *script* that take packages which no lock pins by hash, build tools included."""
    found = []
    locked: set[str] = set()
    for words in commands(script):
        line = " ".join(words)
        if {"pipx", "uv", "uvx", "easy_install"} & {*words} or re.search(r"\bpip\S* (download|wheel)\b", line):
            found.append(line)
        elif re.search(r"-m build\b", line):
            found += [line] * ("--no-isolation" not in words or BUILD_LOCK not in locked)
        elif re.search(r"\bpip\S* (\S+ )*?install\b", line):
            locks = {word.rpartition("/")[2] for word in words if word.endswith(".lock")}
            if "--require-hashes" in words:
                locked |= locks
                good = bool(locks) and "--only-binary" in line
            else:  # a package of this checkout, with tools that are already there
                good = {"--no-deps", "--no-build-isolation"} <= {*words} and BUILD_LOCK in locked
            found += [line] * (not good)
    return found


def jobs(path: Path) -> Iterator[str]:
    """Yield the scripts of each job of a workflow, or of an action, as one."""
    import yaml

    document = yaml.safe_load(path.read_text("utf-8"))
    for job in document.get("jobs", {"": document.get("runs")}).values():
        yield "\n".join(step.get("run", "") for step in job.get("steps", ()))


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_workflows_and_the_action_build_with_hashed_tools(path: Path) -> None:
    assert [line for job in jobs(path) for line in unhashed(job)] == []


def test_a_build_with_tools_without_hashes_is_found() -> None:
    lock = f"python -I -m pip install --only-binary=:all: --require-hashes -r {BUILD_LOCK}\n"
    for script in (
        "pip install build",
        "python -I -m pip install --no-deps .",
        "pip install --no-deps --no-build-isolation .",
        f"{lock}pip install --no-deps .",
        f"{lock}pip install --no-build-isolation .",
        f"pip install --require-hashes -r {BUILD_LOCK}",
        f"pip install --only-binary=:all: -r {BUILD_LOCK}",
        "python -I -m build --no-isolation",
        f"{lock}python -I -m build",
        "pipx run build",
        "pipx run --spec . winscratch",
        "uvx hatch build",
        "pip wheel .",
    ):
        assert unhashed(script), script
    assert not unhashed(f"{lock}python -m build --no-isolation\npip install --no-deps --no-build-isolation .")
    assert sum("install" in " ".join(words) for path in WORKFLOWS for job in jobs(path) for words in commands(job)) > 5


def test_the_readme_installs_by_hash() -> None:
    (block,) = [
        block
        for block in re.findall(
            r"^```sh\n(.*?)^```$", (PROJECT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
        if "pip install" in block
    ]
    assert unhashed(block) == []


# ---------------------------------------------------------------------------------------------
# Entry points of HostProcess containers

PROGRAM = re.compile(
    r"""--entrypoint[ =]['"]?(?P<option>[^'"\s`{]+)
    | \bentrypoint["']?\s*[=:]\s*[\[(]\s*r?['"](?P<key>[^'"]+)
    | \bENTRYPOINT\s*\[\s*"(?P<docker>[^"]+)
    | ^\s*(?:-\ )?"?(?:command|args)"?:\s*(?:\[|\n\s*-)\s*['"]?(?P<pod>[^'",\]\n]+)""",
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)


def programs(text: str) -> Iterator[str]:
    """Yield the programs that *text* starts in HostProcess containers: all but those on other bases."""
    text = re.sub(r"\\\n\s*", " ", text)
    text = re.sub(r"^.*--(?:layer (scratch|legacy)|base)\b.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"(--entrypoint[ =]\S+)(?:\s+--entrypoint[ =](?:'[^']*'|\S+))+", r"\1", text)  # the rest: arguments
    for match in PROGRAM.finditer(text):
        yield next(filter(None, match.groups())).replace("\\\\", "\\")


class Meant:
    """The files of an image that has the program which an entry point means, and nothing else."""

    complete = True

    def __init__(self, program: str) -> None:
        self._path = paths.parse(program).inside

    def file(self, path: str) -> File | None:
        return File(self._path) if fold(path) == fold(self._path) else None

    def directory(self, _: str) -> None:
        return None

    def named(self, _: str) -> None:
        return None


def starts_on_every_node(program: str) -> bool:
    """Return whether the rules that `image` and `check-image` use find nothing wrong with *program*."""
    return not [*start.check(Settings((program,)), Meant(program), "hostprocess")]


@pytest.mark.parametrize("path", [*DOCUMENTS, *DOCSTRINGS], ids=name_of)
def test_every_shown_entry_point_starts_on_every_node(path: Path) -> None:
    assert [program for program in programs(path.read_text("utf-8")) if not starts_on_every_node(program)] == []


def test_an_entry_point_that_no_node_starts_is_found() -> None:
    for text in (
        r"winscratch image app:'C:\app' --entrypoint 'C:\app\run.exe' --to oci:x",
        "--entrypoint=/app/run.exe",
        "--entrypoint ./run.exe",
        "--entrypoint app/run.exe",
        r"entrypoint = ['C:\app\run.exe']",
        r'Options(entrypoint=(r"C:\app\run.exe",))',
        'ENTRYPOINT ["/run.exe"]',
        r'  command: ["C:\\app\\run.exe"]',
        "  command:\n    - ./run.exe\n",
        r"--layer hostprocess --entrypoint C:\run.exe",
    ):
        (program,) = programs(text)
        assert not starts_on_every_node(program), text
    assert not [*programs(r"winscratch image x --layer scratch --entrypoint 'C:\run.exe'")]
    for text in ("--entrypoint hello.exe", r"--entrypoint '%CONTAINER_SANDBOX_MOUNT_POINT%\app\run.exe'"):
        (program,) = programs(text)
        assert starts_on_every_node(program), text
    assert [*programs("--entrypoint powershell --entrypoint=-File --entrypoint 'x.ps1'")] == ["powershell"]
    shown = [program for path in DOCUMENTS for program in programs(path.read_text("utf-8"))]
    assert len(shown) > 6
    assert any(program.startswith("%") for program in shown)


def test_the_help_of_the_image_command_shows_a_program_that_starts() -> None:
    options = {option.name: text_of(option.help) for option in COMMANDS["image"].options}
    assert "such as hello.exe" in options["entrypoint"]
    assert "of the node" in options["workdir"]

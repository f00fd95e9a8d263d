# SPDX-License-Identifier: Apache-2.0
"""What comes from others: pinned, hashed, unchanged since it was installed, and no more than is needed."""

import base64
import csv
import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers.support import lack, selected

from generator.builder import container, wire
from generator.builder.wire import ROOT

LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-thorough.lock", "requirements-release.lock")
# What venv itself brings, and what keeps it up to date.
OF_VENV = frozenset({"pip", "setuptools", "wheel"})


def name_of(text: str) -> str:
    """Return a package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def locked(lock: str) -> dict[str, set[str]]:
    """Return the versions that *lock* pins of each package; more than one where the Python decides."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            name, version = re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line).groups()  # type: ignore[union-attr]
            found.setdefault(name_of(name), set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed_and_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    requirements = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert requirements
    for line in requirements:
        pinned = r"[a-z0-9._-]+==[A-Za-z0-9.]+( ; [^#@]+?)?( +--hash=sha256:[0-9a-f]{64})+ *"
        assert re.fullmatch(pinned, line), line[:200]
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host|(^|\s)-[fi]\s", re.sub(r"#.*", "", text))


@pytest.mark.parametrize("lock", LOCKS)
def test_whatever_is_required_is_locked(lock: str) -> None:
    lines = re.sub(r"#.*", "", (ROOT / lock).with_suffix(".in").read_text("utf-8")).splitlines()
    required = {name_of(re.split(r"[=<>;\s]", line)[0]) for line in lines if line.strip() and line[0] != "-"}
    assert required <= locked(lock).keys()


def test_every_package_of_npm_is_pinned_and_hashed_and_no_registry_is_named() -> None:
    packages = json.loads((ROOT / "tests/report/browser/package-lock.json").read_text("utf-8"))["packages"]
    root = packages.pop("")
    assert all(re.fullmatch(r"[0-9.]+", version) for version in root["devDependencies"].values())
    for name, package in packages.items():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"]), name
        assert "resolved" not in package


def test_the_unrelated_hivex_is_required_by_nothing() -> None:
    for lock in LOCKS:
        assert "hivex" not in locked(lock)


def test_locks_that_are_installed_together_agree() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS[:3]:
        for name, pinned in locked(lock).items():
            assert versions.setdefault(name, pinned) == pinned, name


def installed() -> list[importlib.metadata.Distribution]:
    """Return the packages installed in the running virtual environment."""
    if sys.prefix == sys.base_prefix:
        lack("the tests run outside a virtual environment")
    return [d for d in importlib.metadata.distributions() if str(d.locate_file("")).startswith(sys.prefix)]


def test_what_is_installed_is_what_is_locked() -> None:
    allowed = locked(LOCKS[0]) | locked(LOCKS[1]) | locked(LOCKS[2])
    found = {name_of(d.metadata["Name"]): d.version for d in installed()}
    assert {n: v for n, v in found.items() if n not in OF_VENV and v not in allowed.get(n, ())} == {}
    assert locked(LOCKS[0]).keys() - found.keys() <= {"colorama"}  # asked for on Windows alone
    done = subprocess.run([sys.executable, "-m", "pip", "check"], check=False, capture_output=True, text=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    left_out = "|".join(settings["tool"]["uv"]["exclude-dependencies"])
    unmet = [line for line in done.stdout.splitlines() if not re.search(f" requires ({left_out}), which is not", line)]
    assert unmet in ([], ["No broken requirements found."])


def test_no_installed_file_of_the_toolchain_has_changed() -> None:
    checked = 0
    for distribution in installed():
        if name_of(distribution.metadata["Name"]) not in locked(LOCKS[0]):
            continue
        for path, digest, _ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
            if digest:
                algorithm, _, expected = digest.partition("=")
                data = Path(str(distribution.locate_file(path))).read_bytes()
                found = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
                assert found == expected, path
                checked += 1
    assert checked > 100


def test_pip_refuses_a_package_of_another_hash(tmp_path: Path) -> None:
    version = next(iter(locked(LOCKS[0])["invoke"]))
    (tmp_path / "bad.lock").write_text(f"invoke=={version} --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--retries=0", "-d"]
    done = subprocess.run(
        [*command, str(tmp_path / "got"), "-r", str(tmp_path / "bad.lock")], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    if "No matching distribution" in done.stderr:
        lack("the package index cannot be reached")
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not list((tmp_path / "got").glob("*"))


# ---------------------------------------------------------------------------------------------
# The image


def packages(docker: container.ContainerEngine, image: str) -> dict[str, tuple[str, set[str]]]:
    """Return each package of *image*: its version, and the names of what it depends on or stands in for."""
    show = "--showformat=${Package}\t${Version}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    command = [docker.name, "run", "--rm", "--network=none", "--entrypoint=dpkg-query", image, "--show", show]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lack(f"{image} does not run: {done.stderr.strip()}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    provided = {re.split(r"[ (]", name.strip())[0]: row[0] for row in rows for name in row[3].split(",")}

    def names(field: str) -> set[str]:
        wanted = {re.split(r"[ (:]", part.strip())[0] for part in re.split(r"[,|]", field)}
        return wanted | {provided[name] for name in wanted if name in provided}

    return {row[0]: (row[1], names(row[2])) for row in rows}


@pytest.mark.parametrize("base", ["debian:trixie-slim", "debian:bookworm-slim"])
def test_the_image_adds_to_its_base_what_hivex_depends_on_and_no_more(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINSCRATCH_BASE_IMAGE", base)
    docker = selected("docker")
    assert isinstance(docker, container.ContainerEngine)
    docker.run(wire.encode_request({}))  # builds the image if it is missing
    before = packages(docker, base)
    after = packages(docker, container.image_tag(container.build_context(), base))
    needed: set[str] = set()
    queue = ["python3-hivex"]
    while queue:
        name = queue.pop()
        if name in after and name not in needed:
            needed.add(name)
            queue += after[name][1]
    assert "libhivex0" in needed
    assert after.keys() - before.keys() <= needed
    assert before.keys() <= after.keys()


def test_the_image_is_made_of_no_more_than_is_sent_to_it() -> None:
    text = (ROOT / container.DOCKERFILE).read_text("utf-8")
    instructions = re.findall(r"^([A-Z]+) ", re.sub(r"\\\n", " ", text), re.MULTILINE)
    assert instructions == ["ARG", "FROM", "RUN", "WORKDIR", "COPY", "USER", "ENTRYPOINT"]
    assert not re.search(r"curl|wget|pip|https?:|ADD ", text)

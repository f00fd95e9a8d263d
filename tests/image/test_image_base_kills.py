# SPDX-License-Identifier: Apache-2.0
"""Kill a push of an image on a base at any request, and push two at once."""

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import image_runs
from helpers.base_runs import PLATFORM, folder, made, other, registry
from helpers.bases import Repository
from helpers.counts import count
from helpers.image_runs import Registry
from helpers.registry_proxy import Killer, patiently, proxy
from helpers.support import HANG

from generator.builder.wire import ROOT

_ = (folder, other, registry)  # fixtures
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PROGRAM = """
import sys
from generator.image import Options, make
base, platform, *to = sys.argv[1:]
make(Options(source=("hello.exe",), base=base, platform=(platform,), to=tuple(to)), note=print)
"""


def _started(folder: Path, tmp: Path, *words: str) -> "subprocess.Popen[bytes]":
    """Start making an image in a process group of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp)}
    command = [sys.executable, "-P", "-c", PROGRAM, *words]
    settings: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return subprocess.Popen(command, cwd=folder, env=env | {"XDG_CACHE_HOME": image_runs.cache()}, **settings)


@pytest.mark.parametrize("same", [True, False])
def test_a_kill_at_any_request_leaves_the_old_tags_or_the_new_one(
    same: bool, registry: Registry, other: Registry, folder: Path, tmp_path: Path
) -> None:
    target = registry if same else other
    repository = Repository(target, f"kill-{same:d}")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    old = {"1": made(folder, target.host, f"{repository.name}:1", base_host=registry.host, label={"old": "yes"})}
    killer = Killer()
    with proxy(target.host, killer.fault) as server:
        base = f"docker://{server.host if same else registry.host}/nano:1"

        def pushed(at: int = -1) -> dict[str, str]:
            """Push, and kill all at the request number *at*; return the tags then."""
            to = f"docker://{server.host}/{repository.name}:1"
            killer.run(server, at, lambda: _started(folder, temporary, base, PLATFORM, to))
            return patiently(repository.tags)

        assert repository.tags() == old
        new = pushed()
        assert list(new) == ["1"]
        assert new != old
        requests = len(server.asked)
        ends = []
        for at in range(1, requests + 1, -(-requests // count(6, 1000))):
            stored = patiently(lambda: repository.manifest(old["1"]))
            patiently(functools.partial(repository.ask, "PUT", "manifests/1", stored, Content_Type=OCI_MANIFEST))
            ends.append(pushed(at))
            assert ends[-1] in (old, new), at
        assert old in ends
        assert pushed() == new
    assert list(temporary.iterdir()) == []


def test_two_at_once_both_arrive(registry: Registry, other: Registry, folder: Path, tmp_path: Path) -> None:
    base = f"docker://{registry.host}/nano:1"
    running = [
        _started(folder, tmp_path, base, PLATFORM, f"docker://{other.host}/both:{tag}", f"oci:{tmp_path}/out:{tag}")
        for tag in ("1", "2")
    ]
    assert [each.wait(HANG) for each in running] == [0, 0]
    repository = Repository(other, "both")
    tags = repository.tags()
    assert sorted(tags) == ["1", "2"]
    image_runs.assert_whole(tmp_path / "out")
    assert {name: each["digest"] for name, each in image_runs.named(tmp_path / "out").items()} == tags

# SPDX-License-Identifier: Apache-2.0
"""An image on its way: a Rust program pushes it, skopeo reads it and Node pulls it, all with the same digests."""

import json
import re
import shutil
from pathlib import Path

import pytest
from helpers.committed_modules import PROJECT, committed, registry, run
from helpers.counts import thorough
from helpers.support import lack, need
from languages.programs import javascript, rust

FLOOR = (1, 85)  # of the crates in tests/languages/rust/clients/Cargo.lock


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that reads the layers with tar and flate2, and pushes them with ocipkg."""
    version = re.match(r"rustc (\d+)\.(\d+)", run(need("rustc"), "--version"))
    if version is None or (int(version[1]), int(version[2])) < FLOOR:
        lack(f"rustc is older than the clients' crates ask for: {FLOOR[0]}.{FLOOR[1]}, as Debian's rustc-web is newer")
    return rust.built(tmp_path_factory.mktemp("clients"), "tests/languages/rust/clients", "clients")


@thorough("compiles many crates")
def test_what_rust_pushes_skopeo_reads_and_node_pulls(client: Path, tmp_path: Path) -> None:
    store, site = tmp_path / "registry", tmp_path / "site"
    store.mkdir()
    site.mkdir()
    for source in (PROJECT / "tests/languages/javascript/pull.js", javascript.MODULES / "windows-hostprocess.js"):
        shutil.copy(source, site)
    site.joinpath("package.json").write_text('{"type": "module"}')
    with registry(store) as address:
        words = (f"http://{address}", "tools/mine", "latest")
        pushed = run(client, *words).split()
        assert pushed[0] == f"sha256:{committed()['hostprocess.tar.gz']}"
        inspected = run(
            need("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{address}/tools/mine:latest"
        )
        manifest = json.loads(inspected)
        assert [each["digest"] for each in (*manifest["layers"], manifest["config"])] == pushed
        shown = json.loads(
            run(need("skopeo"), "inspect", "--tls-verify=false", f"docker://{address}/tools/mine:latest")
        )
        assert (shown["Os"], shown["Architecture"], shown["Layers"]) == ("windows", "amd64", pushed[:2])
        assert run(need("node"), site / "pull.js", *words).split() == pushed

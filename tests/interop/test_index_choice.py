# SPDX-License-Identifier: Apache-2.0
"""Clients that pull, and containerd on six builds of Windows and on Linux, select the documented image of an index."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import image_indexes, image_runs
from helpers.committed_modules import PROJECT
from helpers.composing import index
from helpers.image_runs import CRANE, Registry, attempt, go_tool, run
from helpers.layouts import Layout
from helpers.support import need

REGCTL = "github.com/regclient/regclient/cmd/regctl"
ENTRIES = (
    *("windows(10.0.17763.5329)/amd64", "windows(10.0.20348.2227)/amd64", "windows(10.0.25398.584)/amd64"),
    *("windows(10.0.26100.1742)/amd64", "windows(10.0.26100.1742)/arm64", "windows/amd64", "linux/amd64"),
)
BUILDS = ("10.0.17763", "10.0.19045", "10.0.20348", "10.0.22631", "10.0.25398", "10.0.26100")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with image_runs.registry(tmp_path_factory.mktemp("registry") / "run") as running:
        yield running


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout with an index of ENTRIES, in their order."""
    folder = tmp_path_factory.mktemp("index")
    names = []
    for at, platform in enumerate(ENTRIES[:-1]):
        to = f"oci:{folder}/{at}"
        image_runs.made(folder, to, source=(), layer="scratch", entrypoint=(), platform=(platform,))
        names.append(to)
    linux = Layout(folder / "linux", [])
    names.append(image_indexes.indexed(linux, image_indexes.linux(linux), windows=False))
    index(*names, to=(f"oci:{folder}/index:1",))
    return folder / "index"


@pytest.fixture(scope="module")
def pushed(layout: Path, registry: Registry) -> str:
    index(f"oci:{layout}:1", to=(f"docker://{registry.host}/choice:1",))
    return f"{registry.host}/choice:1"


def by_digest(layout: Path) -> dict[str, str]:
    """Return the entries by the digests of their manifests and of their configurations."""
    (top,) = image_runs.named(layout).values()
    found = {}
    for entry, platform in zip(image_runs.document(layout, top["digest"])["manifests"], ENTRIES, strict=True):
        found[entry["digest"]] = platform
        found[image_runs.document(layout, entry["digest"])["config"]["digest"]] = platform
    assert len(found) == 2 * len(ENTRIES)
    return found


def containerd(layout: Path, host: str) -> str:
    (top,) = image_runs.named(layout).values()
    path = layout / "blobs" / top["digest"].replace(":", "/")
    return " ".join(run(go_tool("./choose"), path, host).stdout.split()[1:]) or "none"


def crane(layout: Path, pushed: str, platform: str, folder: Path) -> str:
    words = ("pull", "--insecure", "--platform", platform, pushed, folder / "crane.tar")
    if attempt(go_tool(CRANE), *words).returncode:
        return "none"
    (folder / "crane").mkdir()
    listed = json.loads((image_runs.unpack(folder / "crane.tar", folder / "crane") / "manifest.json").read_text())
    return by_digest(layout)[listed[0]["Config"]]


def regctl(layout: Path, pushed: str, platform: str) -> str:
    host = f"reg={pushed.partition('/')[0]},tls=disabled"
    done = attempt(go_tool(REGCTL), "--host", host, "image", "digest", "--platform", platform, pushed)
    return by_digest(layout)[done.stdout.strip()] if done.returncode == 0 else "none"


def skopeo(layout: Path, pushed: str, words: str, folder: Path) -> str:
    options = [f"--override-{word}" for word in words.split()]
    command = (need("skopeo"), *options, "copy", "--preserve-digests", "--src-tls-verify=false")
    if attempt(*command, f"docker://{pushed}", f"dir:{folder}/skopeo").returncode:
        return "none"
    return by_digest(layout)[image_runs.sha256((folder / "skopeo/manifest.json").read_bytes())]


CHOICES = {
    **{f"containerd on {each}": ("containerd", f"windows({each})/amd64") for each in BUILDS},
    "containerd on Linux": ("containerd", "linux/amd64"),
    "`crane pull --platform windows/amd64`": ("crane", "windows/amd64"),
    "`crane pull --platform windows/amd64:10.0.20348.2227`": ("crane", "windows/amd64:10.0.20348.2227"),
    "`crane pull --platform windows/amd64:10.0.20348`": ("crane", "windows/amd64:10.0.20348"),
    "`crane pull`": ("crane", "linux/amd64"),
    "`regctl image digest --platform windows/amd64`": ("regctl", "windows/amd64"),
    "`regctl image digest --platform windows/amd64,osver=10.0.20348.1`": ("regctl", "windows/amd64,osver=10.0.20348.1"),
    "`regctl image digest --platform linux/amd64`": ("regctl", "linux/amd64"),
    "`skopeo --override-os windows --override-arch amd64`": ("skopeo", "os=windows arch=amd64"),
    "`skopeo --override-os windows --override-arch arm64`": ("skopeo", "os=windows arch=arm64"),
    "`skopeo --override-os linux --override-arch amd64`": ("skopeo", "os=linux arch=amd64"),
}


@pytest.mark.parametrize("who", CHOICES)
def test_each_client_takes_what_the_document_says(who: str, layout: Path, pushed: str, tmp_path: Path) -> None:
    client, words = CHOICES[who]
    taken = {
        "containerd": lambda: containerd(layout, words),
        "crane": lambda: crane(layout, pushed, words, tmp_path),
        "regctl": lambda: regctl(layout, pushed, words),
        "skopeo": lambda: skopeo(layout, pushed, words, tmp_path),
    }[client]()
    assert documented().get(who) == taken


def documented() -> dict[str, str]:
    """Return the document's table of the image that each client selects."""
    text = (PROJECT / "docs/index-of-images.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S.*?) \| (\S.*?) \|$", text.partition("<!-- choices -->")[2], re.MULTILINE)
    return {who: ", ".join(taken.replace("`", "").split(", ")).replace(", ", " ") for who, taken in rows}


def test_the_document_has_a_row_for_each_choice() -> None:
    assert {*documented()} - {"who", "---"} == {*CHOICES}

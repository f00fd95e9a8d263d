# SPDX-License-Identifier: Apache-2.0
"""What others make of an image: the specification's schemas, umoci, crane, containerd, buildah and Docker."""

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import bases, composing, image_indexes, image_runs
from helpers.builder_images import judged
from helpers.image_runs import run
from helpers.layouts import Layout
from helpers.support import HANG, lack, need, selected, wait_until

from generator.base import home
from generator.generation.committed import committed_blob
from generator.image import Options, make

LAYERS = ("scratch", "hostprocess", "legacy")
SHAPES: dict[str, dict[str, Any]] = {
    **{f"the base {layer}": {"source": (), "entrypoint": (), "layer": layer} for layer in LAYERS},
    "one platform": {"platform": ("windows/amd64:10.0.20348",)},
    "several platforms": {"platform": ("windows/amd64", "windows(10.0.20348+win32k)/amd64", "windows/arm64")},
    "nothing packed": {"compression": "none", "one_layer": True},
    "all options": {
        "cmd": ("-v",),
        "env": {"A": "b"},
        "label": {"a": "b"},
        "annotation": {"c": "d"},
        "user": "ContainerUser",
        "workdir": "/app",
        "expose": ("80",),
    },
}

PLACES = {"oci": "oci", "oci-archive": "oci.tar", "docker-archive": "docker.tar"}
REBASED, INDEX = "rebased", "for two systems"
ON_NANO, PATCHED, FOREIGN = "on a base of others", "on a patched base of others", "on a base with foreign layers"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources, and beside them each shape of an image as a layout, oci.tar and, for one platform, docker.tar."""
    top = image_runs.sources(tmp_path_factory.mktemp("clients") / "sources")
    for name, options in SHAPES.items():
        (top.parent / name).mkdir()
        several = len(options.get("platform", ())) > 1
        image_runs.made(top, *_places(top.parent / name)[: 2 if several else 3], **options)
    _compose(top.parent)
    _on_others(top)
    return top


def _compose(top: Path) -> None:
    """Rebase an image, and make an index of images for two systems."""
    (top / REBASED).mkdir()
    composing.rebase(f"oci:{top}/all options/oci:hello:1", "scratch", *_places(top / REBASED))
    (top / INDEX).mkdir()
    linux = Layout(top / "linux", [])
    names = (f"oci:{top}/one platform/oci", image_indexes.indexed(linux, image_indexes.linux(linux), windows=False))
    composing.index(*names, to=_places(top / INDEX)[:2])


def _on_others(sources: Path) -> None:
    """Make an image on a base like nanoserver, rebase it to the next revision, and make one on foreign layers."""
    top = sources.parent
    old, new = (bases.layout(bases.image(version), top / version) for version in bases.VERSIONS[1:])
    foreign = bases.layout(bases.image(foreign=True), top / "foreign")
    for name, base in ((ON_NANO, old), (FOREIGN, foreign)):
        (top / name).mkdir()
        image_runs.made(sources, *_places(top / name)[: 3 if base is old else 2], base=base)
    (top / PATCHED).mkdir()
    composing.rebase(f"oci:{top}/{ON_NANO}/oci:hello:1", new, *_places(top / PATCHED), old=old)


def _places(folder: Path) -> tuple[str, ...]:
    """Return a layout and an archive of each kind in *folder*."""
    return tuple(f"{kind}:{folder}/{name}:hello:1" for kind, name in PLACES.items())


@pytest.fixture(params=[*SHAPES, REBASED, INDEX, ON_NANO, PATCHED, FOREIGN])
def shape(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder.parent / str(request.param)


def test_the_specifications_schemas_find_every_document_right(shape: Path) -> None:
    run(image_runs.go_tool("./ocischema"), shape / "oci")


def test_the_schemas_would_find_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/out")
    index = tmp_path / "out/index.json"
    index.write_text(index.read_text().replace('"size":', '"length":'))
    assert image_runs.attempt(image_runs.go_tool("./ocischema"), tmp_path / "out").returncode == 1


def test_crane_finds_archives_right_and_its_library_layouts(shape: Path) -> None:
    if (shape / "docker.tar").exists():
        done = run(image_runs.go_tool(image_runs.CRANE), "validate", "--tarball", shape / "docker.tar")
        assert done.stdout.startswith("PASS")
    if shape.name not in {"several platforms", INDEX, FOREIGN}:  # it reads each layer, and foreign ones are not there
        run(image_runs.go_tool("./validate"), shape / "oci")


def test_umoci_unpacks_the_files(folder: Path, tmp_path: Path) -> None:
    layout = folder.parent / "all options/oci"
    run(need("umoci"), "raw", "unpack", "--rootless", "--image", f"{layout}:hello:1", tmp_path / "files")
    found = image_runs.tree(tmp_path / "files")
    wanted = {f"Files/conf/{name}": data for name, data in image_runs.tree(folder / "conf").items()}
    wanted["Files/hello.exe"] = (folder / "hello.exe").read_bytes()
    with tarfile.open(fileobj=_tar("hostprocess")) as base:
        for entry in base:
            if entry.isfile():
                data = base.extractfile(entry)
                assert data is not None
                wanted[entry.name] = data.read()
    assert found == wanted
    assert (tmp_path / "files/Hives").is_dir()


def test_a_file_comes_out_of_a_box_as_it_went_in_wherever_that_was_copied_to(tmp_path: Path) -> None:
    installer, skopeo = tmp_path / "installer.msi", need("skopeo")
    installer.write_bytes(bytes(range(256)) * 1000)
    make(Options(source=(str(installer),), layer="scratch", to=(f"oci:{tmp_path}/box:1",)), note=lambda _: None)
    with image_runs.registry(tmp_path / "registry") as registry:
        remote = f"docker://{registry.host}/box:1"
        run(skopeo, "copy", "--dest-tls-verify=false", f"oci:{tmp_path}/box:1", remote)
        run(skopeo, "copy", "--src-tls-verify=false", remote, f"oci:{tmp_path}/back:1")
        assert judged(remote) == (0, set())
    run(need("umoci"), "raw", "unpack", "--rootless", "--image", f"{tmp_path}/back:1", tmp_path / "root")
    assert (tmp_path / "root/Files/installer.msi").read_bytes() == installer.read_bytes()


def _tar(layer: str) -> Any:
    import io

    return io.BytesIO(committed_blob(Path(home.ROOT), layer).tar)


# ---------------------------------------------------------------------------------------------
# containerd


@pytest.fixture(scope="module")
def ctr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The start of a command to a containerd of the tests' own."""
    if os.geteuid() != 0:
        lack("containerd needs root")
    top = tmp_path_factory.mktemp("containerd")
    socket = top / "s"
    (top / "config.toml").write_text(
        f"""
        version = 2
        root = "{top}/root"
        state = "{top}/state"
        disabled_plugins = ["io.containerd.grpc.v1.cri"]
        [grpc]
        address = "{socket}"
        """
    )
    command = [need("ctr"), "--address", str(socket)]
    with (top / "log").open("w") as log:
        process = subprocess.Popen([need("containerd"), "--config", top / "config.toml"], stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or image_runs.attempt(*command, "version").returncode == 0)
        if process.poll() is not None:
            lack("containerd does not run here")
        yield command
    finally:
        process.terminate()
        process.wait(HANG)


def test_containerd_imports_the_image_by_its_name(ctr: list[str], shape: Path) -> None:
    for archive in shape.glob("*.tar"):
        run(*ctr, "images", "import", "--no-unpack", "--all-platforms", archive)
        (listed,) = run(*ctr, "images", "ls").stdout.splitlines()[1:]
        name, _, digest, *_ = listed.split()
        assert name == "docker.io/library/hello:1"
        if archive.name == "oci.tar":
            assert digest == image_runs.named(shape / "oci")["hello:1"]["digest"]
            blobs = {f"sha256:{path.name}" for path in shape.glob("oci/blobs/sha256/*")}
            assert blobs <= {*run(*ctr, "content", "ls", "--quiet").stdout.split()}
        assert "windows/amd64" in listed
        run(*ctr, "images", "rm", name)


# ---------------------------------------------------------------------------------------------
# buildah and Docker


pytestmark = pytest.mark.timeout(2 * image_runs.BUILDING)


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The start of a command to a buildah that can build for Windows, with storage of the tests' own."""
    return image_runs.buildah(tmp_path_factory.mktemp("buildah"))


def test_buildah_builds_on_top(buildah: list[str], folder: Path, tmp_path: Path) -> None:
    place = folder.parent / "one platform/oci"
    name = run(*buildah, "from", f"oci:{place}:hello:1").stdout.split()[-1]
    run(*buildah, "copy", name, folder / "hello.exe", "/app/two.exe")
    run(*buildah, "commit", name, f"oci:{tmp_path}/out:x")
    manifest = image_runs.document(tmp_path / "out", image_runs.named(tmp_path / "out")["x"]["digest"])
    config = image_runs.document(tmp_path / "out", manifest["config"]["digest"])
    ours = image_runs.document(place, image_runs.named(place)["hello:1"]["digest"])
    below = image_runs.document(place, ours["config"]["digest"])
    assert (config["os"], config["os.version"]) == ("windows", "10.0.20348")
    assert config["rootfs"]["diff_ids"][:-1] == below["rootfs"]["diff_ids"]
    assert config["config"]["Entrypoint"] == ["hello.exe"]
    layer = tmp_path / "out/blobs" / manifest["layers"][-1]["digest"].replace(":", "/")
    with tarfile.open(layer) as tar:
        assert "Files/app/two.exe" in tar.getnames()
        assert "Hives" in tar.getnames()


def test_a_docker_engine_loads_the_archives_were_they_for_linux(folder: Path, tmp_path: Path) -> None:
    """All but the system's name is as it is: lists, names, layers, and the diff IDs, which the engine checks."""
    selected("docker")
    for name in ("oci", "docker"):
        files = image_runs.unpack(folder.parent / f"all options/{name}.tar", tmp_path / name)
        (listed,) = json.loads((files / "manifest.json").read_text())
        config = files / listed["Config"]
        config.write_text(config.read_text().replace('"os":"windows"', '"os":"linux"'))
        (files / "index.json").unlink(missing_ok=True)  # an engine that goes by this would find another digest
        (files / "oci-layout").unlink(missing_ok=True)
        run("tar", "-cf", tmp_path / f"{name}.tar", "-C", files, ".")
        done = run("docker", "load", "--input", tmp_path / f"{name}.tar")
        assert "Loaded image: hello:1" in done.stdout
        shown = json.loads(run("docker", "image", "inspect", "hello:1").stdout)[0]
        assert shown["RootFS"]["Layers"] == json.loads(config.read_text())["rootfs"]["diff_ids"]
        run("docker", "image", "rm", "hello:1")


def test_a_docker_engine_on_linux_reads_the_image_and_says_that_it_is_for_windows(shape: Path) -> None:
    selected("docker")
    if shape.name == FOREIGN:
        pytest.skip("its OCI archive has no manifest.json, which docker load reads")
    for archive in shape.glob("*.tar"):
        done = image_runs.attempt("docker", "load", "--input", archive)
        assert done.returncode == 1
        assert done.stderr.strip() == "cannot load windows image on linux"

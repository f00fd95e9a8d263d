# SPDX-License-Identifier: Apache-2.0
"""The Java modules in the clients that their users have: jib-core and commons-compress."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from consumers import OUTPUT, PROJECT, registry, run
from maven import jars
from support import need
from users import java


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of classes that has the programs and what they use."""
    sources = (PROJECT / "examples/java/Push.java", PROJECT / "tests/java/Listed.java")
    return f"{java.compiled(tmp_path_factory.mktemp('java'), *sources, path=jars())}:{jars()}"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def test_jib_pushes_the_layers_as_they_are_and_skopeo_reads_them_back(
    classes: str, address: str, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/hello.txt").write_text("hello\r\n")
    image = f"{address}/jib/image:latest"
    places = [f"-D{name}={tmp_path}" for name in ("user.home", "java.io.tmpdir")]
    said = run(*java.JAVA, *places, "-cp", classes, "Push", tmp_path / "folder", image, XDG_CACHE_HOME=str(tmp_path))
    base, top, manifest = said.splitlines()[-3:]
    skopeo = [need("skopeo"), "inspect", "--tls-verify=false"]
    found = json.loads(run(*skopeo, f"docker://{image}"))
    assert (found["Layers"], found["Digest"]) == ([base, top], manifest)
    assert (found["Os"], found["Architecture"]) == ("windows", "amd64")
    back = tmp_path / "back"
    run(need("skopeo"), "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{image}", f"dir:{back}")
    blob = back / base.removeprefix("sha256:")
    assert blob.read_bytes() == (OUTPUT / "layers/scratch.tar.gz").read_bytes()
    with tarfile.open(back / top.removeprefix("sha256:")) as tar:
        assert tar.getnames() == ["Hives", "Files", "Files/hello.txt"]


def test_commons_compress_lists_the_layers(classes: str) -> None:
    said = run(*java.JAVA, "-cp", classes, "Listed").splitlines()
    with tarfile.open(OUTPUT / "layers/scratch.tar.gz") as tar:
        wanted = [f"{member.name}{'/' if member.isdir() else ''} {member.size}" for member in tar]
    assert said[: 2 * len(wanted)] == [f"{what} {line}" for what in ("layer", "blob") for line in wanted]
    name = "Files/Ä/" + "n" * 120
    top = ["Hives/ 0", "Files/ 0", "Files/Ä 0", f"{name} 513", "Files/link 0 -> ..\\x"]
    assert said[2 * len(wanted) :] == [f"top {line}" for line in top]

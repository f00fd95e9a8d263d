# SPDX-License-Identifier: Apache-2.0
"""The Java modules in the clients that their users have, and as a package that Maven installs."""

import hashlib
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.committed_modules import LAYERS, OUTPUT, PROJECT, committed, dumped, registry, run
from helpers.counts import thorough
from helpers.maven import jars, maven
from helpers.support import need
from languages.programs import java

from generator import VERSION


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of classes that has the programs and what they use."""
    sources = (PROJECT / "examples/java/Push.java", PROJECT / "tests/languages/java/Listed.java")
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


# ---------------------------------------------------------------------------------------------
# As packages

PACKAGES = PROJECT / "packages"


def test_packages_have_the_programs_version_and_no_source_of_their_own() -> None:
    versions = {
        "maven/pom.xml": r"<artifactId>winscratch</artifactId>\s*<version>(.*?)</version>",
        "nuget/Winscratch.csproj": r"<Version>(.*?)\$\(PackageSuffix\)</Version>",
        "../tests/languages/csharp/dotnet/Consumer.csproj": r'="Winscratch" Version="\[(.*?)\$\(PackageSuffix\)\]"',
    }
    for path, pattern in versions.items():
        assert re.findall(pattern, (PACKAGES / path).read_text("utf-8")) == [VERSION], path
    for folder, places in {"maven": ["../../output/java"], "nuget": ["../../output/csharp/*.cs"]}.items():
        (manifest,) = (PACKAGES / folder).iterdir()
        assert re.findall(r'sourceDirectory>(.*?)<|Compile Include="(.*?)"', manifest.read_text("utf-8")) in (
            [(places[0], "")],
            [("", places[0])],
        )


@thorough("starts Maven")
def test_maven_deploys_a_package_that_holds_the_modules_and_nothing_else(tmp_path: Path) -> None:
    """To a repository on disk, from which a program takes it."""
    pom, where = PACKAGES / "maven/pom.xml", f"-DaltDeploymentRepository=disk::file://{tmp_path}/repository"
    goals = ("compiler:compile", "jar:jar", "deploy:deploy")
    maven(need("mvn"), "-f", pom, f"-Dbuilt={tmp_path}/built", where, *goals)
    package = tmp_path / f"repository/winscratch/winscratch/{VERSION}/winscratch-{VERSION}.jar"
    assert package.with_suffix(".pom").read_bytes() == pom.read_bytes()
    said = package.with_suffix(".jar.sha1").read_text("ascii")
    assert said == hashlib.sha1(package.read_bytes(), usedforsecurity=False).hexdigest()
    with zipfile.ZipFile(package) as jar:
        held = {re.split(r"[$.]", name)[0] for name in jar.namelist() if name.endswith(".class")}
        assert "Automatic-Module-Name: winscratch\r\n" in jar.read("META-INF/MANIFEST.MF").decode()
    assert held == {f"winscratch/{path.stem}" for path in java.MODULES}
    run(need("javac"), "-cp", package, "-d", tmp_path, PROJECT / "tests/languages/java/Dump.java")
    (tmp_path / "dump").mkdir()
    for name in LAYERS:
        classes = f"{package}:{tmp_path}"
        run(*java.JAVA, "-cp", classes, "Dump", f"winscratch.Windows{name.capitalize()}", tmp_path / "dump")
    assert dumped(tmp_path / "dump") == committed()

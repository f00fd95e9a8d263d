# SPDX-License-Identifier: Apache-2.0
"""verify, provenance and SBOM: every output and input by its hash, the tools, and the builder's packages."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.small_checkout import generate, outputs, small_checkout
from helpers.support import lack, need, selected

from generator.base.errors import GeneratorError
from generator.builder import choose
from generator.generation import verify
from generator.generation.unchanged import MANIFEST
from generator.report.report import documents


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh checkout that every test leaves unchanged."""
    root = small_checkout(tmp_path_factory.mktemp("verify") / "tree")
    generate(root)
    return root


Audit = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def audit(tree: Path) -> Audit:
    def run(
        root: Path = tree, provenance: Path | None = None, sbom: Path | None = None, name: str = "native"
    ) -> tuple[int, list[str]]:
        said: list[str] = []
        status = verify.verify(
            root,
            documents,
            engine=selected(name).name,
            provenance=provenance,
            sbom=sbom,
            say=said.append,
            note=lambda _: None,
        )
        return status, said

    return run


def test_verify_prints_every_digest_and_tool(tree: Path, audit: Audit) -> None:
    status, said = audit()
    assert (status, said[-1]) == (
        0,
        f"verified: {len(outputs(tree)) - 1} outputs are what their sources make, byte for byte",
    )
    for path, data in outputs(tree).items():
        if path != MANIFEST:
            assert f"sha256:{hashlib.sha256(data).hexdigest()} {path}" in said
    for layer in ("one", "two", "three"):
        for what in ("diff id", "digest"):
            assert sum(bool(re.fullmatch(rf"{layer}: {what} sha256:[0-9a-f]{{64}}", line)) for line in said) == 1
    for tool in ("hivex", "jinja2", "python", "zopfli"):
        assert sum(bool(re.fullmatch(rf"{tool} \d+\.\d+\.\d+\S*", line)) for line in said) == 1


def test_forged_output_is_reported_without_provenance(tree: Path, audit: Audit, tmp_path: Path) -> None:
    path = tree / "output/go/one/one.go"
    good, manifest = path.read_bytes(), (tree / MANIFEST).read_bytes()
    bad = good.replace(b"DO NOT EDIT", b"DO  NOT EDIT")
    path.write_bytes(bad)
    # A forger would also change the manifest.
    old, new = hashlib.sha256(good).hexdigest(), hashlib.sha256(bad).hexdigest()
    (tree / MANIFEST).write_bytes(manifest.replace(old.encode(), new.encode()))
    try:
        status, said = audit(provenance=tmp_path / "p.json")
    finally:
        path.write_bytes(good)
        (tree / MANIFEST).write_bytes(manifest)
    assert status == 1
    assert "stale: output/go/one/one.go: not what its sources make" in said
    assert not (tmp_path / "p.json").exists()


def test_provenance_lists_every_file_with_its_hash(tree: Path, audit: Audit, tmp_path: Path) -> None:
    audit(provenance=tmp_path / "p.json")
    statement = json.loads((tmp_path / "p.json").read_text())
    assert statement.keys() == {"_type", "subject", "predicateType", "predicate"}
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["predicate"].keys() == {"buildDefinition", "runDetails"}
    definition = statement["predicate"]["buildDefinition"]
    assert definition.keys() == {"buildType", "externalParameters", "resolvedDependencies"}
    assert statement["predicate"]["runDetails"]["builder"].keys() == {"id", "version"}
    made = {path: data for path, data in outputs(tree).items() if path != MANIFEST}
    assert {s["name"]: s["digest"]["sha256"] for s in statement["subject"]} == {
        path: hashlib.sha256(data).hexdigest() for path, data in made.items()
    }
    inputs = {d["name"]: d["digest"]["sha256"] for d in definition["resolvedDependencies"]}
    assert inputs == {path: hashlib.sha256((tree / path).read_bytes()).hexdigest() for path in inputs}
    assert inputs.keys() == json.loads((tree / MANIFEST).read_text())["inputs"].keys()
    assert {"requirements.lock", "Dockerfile.hivex", "generator/generation/pipeline.py"} <= inputs.keys()
    assert definition["externalParameters"]["engine"] == "native"


def test_documents_are_reproducible(audit: Audit, tmp_path: Path) -> None:
    audit(provenance=tmp_path / "p1.json", sbom=tmp_path / "s1.json")
    elsewhere = small_checkout(tmp_path / "an other place")
    generate(elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (0, 0))
    audit(elsewhere, provenance=tmp_path / "p2.json", sbom=tmp_path / "s2.json")
    assert (tmp_path / "p1.json").read_bytes() == (tmp_path / "p2.json").read_bytes()
    assert (tmp_path / "s1.json").read_bytes() == (tmp_path / "s2.json").read_bytes()
    assert not re.search(r"20\d\d-\d\d-\d\d", (tmp_path / "p1.json").read_text() + (tmp_path / "s1.json").read_text())


def assert_is_cyclonedx(document: dict[str, object]) -> dict[str, str]:
    """Check *document* against the schema of CycloneDX 1.6; return its packages' versions."""
    assert document.keys() <= {"$schema", "bomFormat", "specVersion", "version", "metadata", "components"}
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    metadata, components = document["metadata"], document["components"]
    assert isinstance(metadata, dict)
    assert isinstance(components, list)
    everything = [metadata["component"], *components]
    for component in everything:
        assert {"type", "name"} <= component.keys() <= {"type", "bom-ref", "name", "version", "purl"}
        assert all(isinstance(value, str) and value for value in component.values())
        assert component["type"] in {"container", "library"}
    references = [component["bom-ref"] for component in everything]
    assert len(set(references)) == len(references)
    for component in components:
        assert re.fullmatch(r"pkg:deb/debian/[a-z0-9.%B-]+@[A-Za-z0-9.:~%-]+\?arch=[a-z0-9-]+", component["purl"])
    return {component["name"]: component["version"] for component in components}


def test_sbom_lists_native_packages(audit: Audit, tmp_path: Path) -> None:
    status, _ = audit(sbom=tmp_path / "s.json")
    assert status == 0
    packages = assert_is_cyclonedx(json.loads((tmp_path / "s.json").read_text()))
    assert {"libhivex0", "python3", "python3-hivex"} <= packages.keys()


def test_sbom_lists_packages_of_the_image(audit: Audit, tmp_path: Path) -> None:

    try:
        choose.select("docker", lambda _: None)
    except GeneratorError as error:
        lack(str(error))
    status, _ = audit(sbom=tmp_path / "s.json", name="docker")
    assert status == 0
    document = json.loads((tmp_path / "s.json").read_text())
    packages = assert_is_cyclonedx(document)
    assert {"libhivex0", "python3", "python3-hivex", "libc6", "dpkg"} <= packages.keys()
    assert document["metadata"]["component"]["name"] == "winscratch-hivex"


def test_unwritable_path_is_named(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GeneratorError, match=r"file/p\.json: cannot be written|File exists|Not a directory"):
        audit(provenance=tmp_path / "file/p.json")


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything is built."""

    def make(*_: object, **__: object) -> None:
        pytest.fail("something was built")

    monkeypatch.setattr("generator.generation.pipeline.make", make)


@pytest.mark.usefixtures("unbuilt")
def test_invalid_path_is_refused_before_anything_is_built(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("p.json")
    os.mkfifo(tmp_path / "pipe")
    for wrong, said in (
        ({"provenance": Path()}, "--provenance: the path is empty; hint: name a file"),
        ({"sbom": tmp_path / "no/s.json"}, "--sbom: .*: its folder does not exist; hint: make it, or name another"),
        ({"sbom": tmp_path / "pipe"}, "--sbom: .*: not a regular file; hint: name a file"),
        ({"sbom": Path("/dev/stdout")}, "--sbom: .*: not a regular file; hint: name a file"),
        ({"sbom": tmp_path}, "--sbom: .*: not a regular file; hint: name a file"),
        (
            {"provenance": tmp_path / "loop"},
            "--provenance: .*loop: cannot be written: Too many levels of .*",
        ),
        (
            {"provenance": tmp_path / "p.json", "sbom": tmp_path / "link"},
            "--sbom: .*: the same file as --provenance; hint: name another",
        ),
    ):
        with pytest.raises(GeneratorError) as caught:
            audit(**wrong)
        assert re.fullmatch(said, str(caught.value))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "loop", "pipe"]


@pytest.mark.usefixtures("unbuilt")
@pytest.mark.parametrize("path", [".git/config", ".git/new", "generator/new.py", "templates/new", "output/new.json"])
def test_folders_of_the_checkout_take_no_documents(tree: Path, audit: Audit, tmp_path: Path, path: str) -> None:
    own = shutil.copytree(tree, tmp_path / "own")
    subprocess.run([need("git"), "init", "-q"], cwd=own, check=True)
    before = (own / path).read_bytes() if (own / path).exists() else None
    with pytest.raises(GeneratorError, match="a file of this checkout; hint: name another"):
        audit(own, provenance=own / path)
    assert ((own / path).read_bytes() if (own / path).exists() else None) == before


def test_versions_are_escaped_in_package_urls() -> None:
    bill = verify.bill("image", "1", [["g++", "4:12.2.0-3+b1", "amd64"], ["a", "1~rc1", "all"]])
    components = bill["components"]
    assert isinstance(components, list)
    assert [c["purl"] for c in components] == [
        "pkg:deb/debian/a@1~rc1?arch=all",
        "pkg:deb/debian/g%2B%2B@4:12.2.0-3%2Bb1?arch=amd64",
    ]


@pytest.mark.parametrize("path", ["generator/generation/pipeline.py", "output/manifest.json"])
@pytest.mark.parametrize("git", [True, False])
def test_files_of_the_checkout_are_never_overwritten(tree: Path, audit: Audit, path: str, git: bool) -> None:
    own = shutil.copytree(tree, tree.parent / f"own-{git}-{path.partition('/')[0]}")
    if git:
        for arguments in (["init", "-q"], ["add", "-A"]):
            subprocess.run([need("git"), *arguments], cwd=own, check=True)
    before = (own / path).read_bytes()
    (own.parent / "link.json").unlink(missing_ok=True)
    (own.parent / "link.json").symlink_to(own / path)
    for target in (own / path, own.parent / "link.json"):
        with pytest.raises(GeneratorError, match="a file of this checkout; hint: name another"):
            audit(own, provenance=target)
    assert (own / path).read_bytes() == before


def test_provenance_names_the_commit_and_settings(
    tree: Path, audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(tree, tmp_path / "own")
    commands = (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "all"])
    for arguments in commands:
        subprocess.run([need("git"), *arguments], cwd=own, check=True)
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", "77")
    audit(own, provenance=tmp_path / "p.json")
    definition = json.loads((tmp_path / "p.json").read_text())["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["settings"]["WINSCRATCH_TIMEOUT"] == "77"
    commit = subprocess.run([need("git"), "rev-parse", "HEAD"], cwd=own, capture_output=True, text=True, check=True)
    (named,) = [d for d in definition["resolvedDependencies"] if "gitCommit" in d["digest"]]
    assert named["digest"]["gitCommit"] == commit.stdout.strip()


def test_provenance_names_the_images_of_a_container(audit: Audit, tmp_path: Path) -> None:
    selected("docker")
    audit(provenance=tmp_path / "p.json", name="docker")
    predicate = json.loads((tmp_path / "p.json").read_text())["predicate"]
    assert predicate["buildDefinition"]["externalParameters"]["engine"] == "docker"
    names = {d["name"]: d["digest"] for d in predicate["buildDefinition"]["resolvedDependencies"]}
    (image,) = [name for name in names if name.startswith("winscratch-hivex:")]
    for name in (image, "debian:trixie-slim"):
        assert re.fullmatch("[0-9a-f]{64}", names[name]["sha256"])
    assert re.match(r"\d+\.", predicate["runDetails"]["builder"]["version"]["docker"])

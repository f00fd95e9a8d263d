# SPDX-License-Identifier: Apache-2.0
"""Push images to a real registry, with and without TLS and accounts."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import image_runs
from helpers.image_runs import PASSWORD, USER, Registry, digest_of, run
from helpers.support import need

from generator.base.errors import GeneratorError
from generator.cli import parser

PLATFORMS = {
    "one": ("windows/amd64:10.0.20348",),
    "several": ("windows/amd64", "windows/amd64:10.0.20348", "windows/arm64"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_runs.sources(tmp_path / "sources")


@pytest.fixture(scope="module", params=["plain", "TLS and accounts"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    need("skopeo")
    with (
        image_runs.registry(tmp_path_factory.mktemp("registry") / "run", secured=request.param != "plain") as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        if running.environment:
            run("skopeo", "login", "--username", USER, "--password", PASSWORD, running.host)
        yield running


def skopeo(*words: object) -> str:
    return run(need("skopeo"), *words).stdout


def raw_digest(place: str, *options: str) -> str:
    return image_runs.sha256(skopeo("inspect", "--raw", *options, place).encode())


@pytest.mark.parametrize("platforms", PLATFORMS)
def test_copies_between_all_destinations_keep_the_digest(
    platforms: str, registry: Registry, folder: Path, tmp_path: Path
) -> None:
    remote = f"docker://{registry.host}/hello"
    to = (f"oci:{tmp_path}/oci:x", f"oci-archive:{tmp_path}/o.tar:x", f"{remote}:{platforms}")
    references = image_runs.made(folder, *to, platform=PLATFORMS[platforms])
    digest = digest_of(references[0])
    assert references[1:] == (f"oci-archive:{tmp_path}/o.tar@{digest}", f"{registry.host}/hello@{digest}")
    for reference in references:  # other commands take each
        assert parser.main(["inspect", reference]) == 0
        assert parser.main(["check-image", reference]) == 0
    for place in to:
        assert raw_digest(place, *registry.options * place.startswith("docker:")) == digest
        for number, other in enumerate(("oci:{}/oci:x", "oci-archive:{}/o.tar:x", remote + "-{}:x")):
            name = f"{platforms}{to.index(place)}{number}"
            (tmp_path / name).mkdir()
            target = other.format(name if other.startswith(remote) else tmp_path / name)
            loose = [f"--{side}-{option[2:]}" for side in ("src", "dest") for option in registry.options]
            skopeo("copy", "--all", "--preserve-digests", *loose, place, target)
            assert raw_digest(target, *registry.options * target.startswith("docker:")) == digest


def test_the_printed_reference_names_the_image(registry: Registry, folder: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/a/b-c/hello")  # without a tag: latest
    assert raw_digest(f"docker://{reference}", *registry.options) == digest_of(reference)
    assert raw_digest(f"docker://{registry.host}/a/b-c/hello:latest", *registry.options) == digest_of(reference)
    config = json.loads(skopeo("inspect", "--config", *registry.options, f"docker://{reference}"))
    assert config["os"] == "windows"


def test_check_image_takes_the_printed_references(registry: Registry, folder: Path, tmp_path: Path) -> None:
    to = (f"oci:{tmp_path}/out", f"oci-archive:{tmp_path}/o.tar:x", f"docker-archive:{tmp_path}/d.tar:hello:1")
    first = image_runs.made(folder, to[0], label={"a": "b"})
    references = (*first, *image_runs.made(folder, *to, f"docker://{registry.host}/chain:1"))
    done = image_runs.command(*references, folder=folder, name="check-image")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(": good image")[0] for line in done.stdout.splitlines()] == list(references)
    other = references[0].replace(digest_of(references[0]), image_runs.sha256(b""))
    assert image_runs.command(other, folder=folder, name="check-image").returncode == 2


def test_crane_validates_the_pushed_image(registry: Registry, folder: Path, tmp_path: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/crane:1")
    environment = os.environ.copy()
    if registry.environment:
        account = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": account}}}))
        environment["DOCKER_CONFIG"] = str(tmp_path)
    done = run(image_runs.go_tool(image_runs.CRANE), "validate", "--remote", reference, env=environment)
    assert done.stdout.startswith("PASS")


def test_a_reference_with_another_digest_is_refused(registry: Registry, folder: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker://{registry.host}/digest:1")
    assert image_runs.made(folder, f"docker://{reference}") == (reference,)
    with pytest.raises(GeneratorError, match=f"the image is sha256:(?!{digest_of(reference)[7:]})"):
        image_runs.made(folder, f"docker://{reference}", label={"a": "b"})


def test_a_missing_login_is_an_error_with_a_hint(
    registry: Registry, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not registry.environment:
        return
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    with pytest.raises(GeneratorError, match=f"skopeo login {registry.host}"):
        image_runs.made(folder, f"docker://{registry.host}/hello:1")


@pytest.mark.parametrize("kind", ["a folder", "no JSON", "closed"])
def test_an_unreadable_auth_file_is_named_with_a_hint(kind: str, folder: Path, tmp_path: Path) -> None:
    need("skopeo")
    accounts = tmp_path / "run/containers/auth.json"
    accounts.parent.mkdir(parents=True)
    accounts.mkdir() if kind == "a folder" else accounts.write_text("none")
    if kind == "closed":
        accounts.chmod(0)
    settings = {"REGISTRY_AUTH_FILE": "", "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    done = image_runs.command("hello.exe", "--to", "docker://localhost:1/hello:1", folder=folder, **settings)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(accounts) in done.stderr
    assert (
        "; hint: set REGISTRY_AUTH_FILE to a file that you can read; `skopeo login --authfile FILE localhost:1`"
        in done.stderr
    )


def test_an_untrusted_certificate_is_refused_on_localhost(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not registry.environment:
        return
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(GeneratorError, match="certificate"):
        image_runs.made(folder, f"docker://{registry.host}/hello:1")


def test_a_docker_archive_can_be_pushed_as_schema_2(registry: Registry, folder: Path, tmp_path: Path) -> None:
    (reference,) = image_runs.made(folder, f"docker-archive:{tmp_path}/d.tar:hello:1")
    remote = f"docker://{registry.host}/schema2:1"
    loose = [f"--dest-{option[2:]}" for option in registry.options]
    skopeo("copy", "--format", "v2s2", *loose, f"docker-archive:{tmp_path}/d.tar", remote)
    manifest = json.loads(skopeo("inspect", "--raw", *registry.options, remote))
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert manifest["config"]["digest"] == digest_of(reference)  # the image's, as Docker knows it


def test_a_docker_archive_keeps_diff_ids(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/d.tar:hello:1")
    wanted = json.loads(skopeo("inspect", "--config", f"oci:{tmp_path}/out:x"))
    assert json.loads(skopeo("inspect", "--config", f"docker-archive:{tmp_path}/d.tar")) == wanted
    skopeo("copy", f"docker-archive:{tmp_path}/d.tar", f"oci:{tmp_path}/back:x")
    skopeo("copy", f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/theirs.tar:hello:1")
    for place in (f"oci:{tmp_path}/back:x", f"docker-archive:{tmp_path}/theirs.tar"):
        assert json.loads(skopeo("inspect", "--config", place))["rootfs"] == wanted["rootfs"]


def test_skopeo_refuses_several_platforms_in_a_docker_archive(folder: Path, tmp_path: Path) -> None:
    image_runs.made(folder, f"oci:{tmp_path}/out:x", platform=PLATFORMS["several"])
    done = image_runs.attempt(
        need("skopeo"), "copy", "--all", f"oci:{tmp_path}/out:x", f"docker-archive:{tmp_path}/d.tar"
    )
    assert done.returncode != 0

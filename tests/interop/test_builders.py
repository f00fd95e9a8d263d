# SPDX-License-Identifier: Apache-2.0
"""Build on our base images with BuildKit, buildah, ko and jib, check the results, and compare them with `image`'s."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from helpers import bases, beside, composing, image_runs
from helpers.builder_images import FILES, SHAPES, STARTS, STORED, held, judged
from helpers.committed_modules import PROJECT, registry, run
from helpers.counts import thorough
from helpers.layouts import Part, tarred
from helpers.maven import jars
from helpers.registry_proxy import Traffic
from helpers.support import need, wait_until

from generator.image import Options, make
from generator.imageread import images
from generator.imageread.found import diff_ids

pytestmark = [
    pytest.mark.timeout(2 * image_runs.BUILDING),  # one test builds two builders at most
    thorough("builds builders from source"),
]

# BuildKit drops the zeros after the point of a creation time: it breaks the rule in files of one time out of ten.
BY_CHANCE = {"time-fraction"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry(tmp_path_factory.mktemp("registry")) as where:
        yield where


@pytest.fixture(scope="module")
def base(address: str) -> str:
    """Return the reference of our base image for programs."""
    need("skopeo")
    make(Options(to=(f"docker://{address}/base:1",)), note=lambda _: None)
    return f"{address}/base:1"


# ---------------------------------------------------------------------------------------------
# The shapes of real images, with programs that stand in for theirs


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("context")
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def buildkit(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Return what gives buildctl words; its daemon runs as long as the tests do, and starts no container."""
    folder = tmp_path_factory.mktemp("buildkitd")
    socket = f"unix://{folder}/socket"
    (folder / "buildkitd.toml").write_text(f'[registry."{address}"]\nhttp = true\n')
    commands, sources = "github.com/moby/buildkit/cmd", PROJECT / "tests/interop/buildkit"
    program, client = (image_runs.go_tool(f"{commands}/{name}", folder=sources) for name in ("buildkitd", "buildctl"))
    words = [program, "--config", folder / "buildkitd.toml", "--root", folder / "root", "--addr", socket]
    words += ["--containerd-worker=false", "--oci-worker-snapshotter=native", "--oci-worker-net=host"]
    need("runc")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*map(str, words)], stdout=log, stderr=log, start_new_session=True)

    def ask(*words: str | Path) -> None:
        run(client, "--addr", socket, *words)

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text()[-4000:]
        return image_runs.attempt(client, "--addr", socket, "debug", "workers").returncode == 0

    try:
        wait_until(answers)
        yield ask
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder / "root", ignore_errors=True)


def by_buildkit(ask: Callable[..., None], context: Path, dockerfile: str, folder: Path, *words: str | Path) -> str:
    """Build on `ARG BASE`, and return the image's name."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(f"ARG BASE\nFROM ${{BASE}}\n{dockerfile}")
    ask(
        "build",
        "--frontend=dockerfile.v0",
        f"--local=context={context}",
        f"--local=dockerfile={folder}",
        "--opt=platform=windows/amd64",
        f"--output=type=oci,dest={folder}/image.tar",
        *words,
    )
    return f"oci-archive:{folder}/image.tar"


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_real_shapes_hold_the_same_as_those_that_buildkit_makes(
    shape: str, buildkit: Callable[..., None], base: str, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerfile, options = SHAPES[shape]
    theirs = by_buildkit(buildkit, context, dockerfile, tmp_path / "their", f"--opt=build-arg:BASE={base}")
    monkeypatch.chdir(context)
    make(msgspec.structs.replace(options, to=(f"oci:{tmp_path}/ours",)), note=lambda _: None)
    ours = f"oci:{tmp_path}/ours"
    wanted, their_wanted = STARTS.get(shape, (set(), set()))
    assert judged(ours) == (0, wanted)
    status, rules = judged(theirs)
    assert (status, rules - BY_CHANCE) == (int("program" in their_wanted), {"time-missing", *their_wanted})
    tree, settings, layers = held(ours)
    their_tree, their_settings, their_layers = held(theirs)
    assert tree == their_tree
    their_settings["entrypoint"] = [STORED.get(word, word) for word in their_settings["entrypoint"]]
    assert settings == their_settings
    if shape != "filebeat":  # whose WORKDIR is a layer that holds nothing new
        assert layers == their_layers


def test_buildkit_takes_our_layout_by_its_name_in_a_dockerfile(
    buildkit: Callable[..., None], context: Path, tmp_path: Path
) -> None:
    made = make(Options(to=(f"oci:{tmp_path}/base:latest",)), note=lambda _: None)
    name = by_buildkit(
        buildkit,
        context,
        SHAPES["dropgz"].dockerfile.replace('"/dropgz', '"dropgz'),
        tmp_path / "build",
        "--opt=build-arg:BASE=base",
        f"--oci-layout=base={tmp_path}/base",
        f"--opt=context:base=oci-layout://base@{made.digest}",
    )
    assert judged(name)[0] == 0
    assert held(name)[0]["Files/dropgz.exe"].data == FILES["dropgz.exe"]


@pytest.fixture(scope="module")
def on_nano(address: str, context: Path) -> dict[str, str]:
    """Return the references of our image on a base of others, and of it rebased to the base's newest revision."""
    nano = bases.Repository(image_runs.Registry(address, (), {}), "nano").push(bases.microsofts(), "1")
    options = Options(
        source=(rf"{context}/dropgz.exe:C:\app\dropgz.exe",),
        entrypoint=(r"C:\app\dropgz.exe",),
        base=nano,
        platform=(f"windows/amd64:{bases.VERSIONS[1]}",),
        to=(f"docker://{address}/on-nano:1",),
    )
    (reference,) = make(options, note=lambda _: None).references
    (rebased,) = composing.rebase(f"docker://{reference}", nano, f"docker://{address}/on-nano:2").said
    return {bases.VERSIONS[1]: reference, bases.VERSIONS[2]: rebased}


@pytest.mark.parametrize("version", bases.VERSIONS[1:])
def test_buildkit_builds_on_our_image_on_a_base_of_others_and_on_it_rebased(
    version: str, buildkit: Callable[..., None], on_nano: dict[str, str], context: Path, tmp_path: Path
) -> None:
    words = f"--opt=build-arg:BASE={on_nano[version]}"
    name = by_buildkit(buildkit, context, "COPY kubeconfigtemplate.yaml /\n", tmp_path / "build", words)
    status, rules = judged(name)
    assert (status, rules - BY_CHANCE) == (0, {"time-missing"})
    tree, settings, layers = held(name)
    assert (layers, settings["entrypoint"]) == (4, [r"C:\app\dropgz.exe"])
    assert {"Files/app/dropgz.exe", "Files/kubeconfigtemplate.yaml"} <= {*tree}
    with images.images(name) as (built,), images.images(f"docker://{on_nano[version]}") as (below,):
        assert built.config is not None
        assert built.config.os_version == version
        assert diff_ids(built.config)[:3] == diff_ids(below.config)


def test_the_builders_write_what_the_document_says_of_the_same_files_on_a_base_of_others(
    buildkit: Callable[..., None], buildah: Callable[..., str], address: str, tmp_path: Path
) -> None:
    image = bases.image(size=bases.SIZE)
    bases.Repository(image_runs.Registry(address, (), {}), "beside/base").push(image, "1")
    files = beside.context(tmp_path / "files")
    work = tmp_path / "work"
    (work / "empty").mkdir(parents=True)

    def ours(host: str) -> None:
        base = f"docker://{host}/beside/base:1"
        make(Options(source=(str(files),), base=base, to=(f"docker://{host}/beside/image:1",)), note=lambda _: None)

    def crane(host: str) -> None:
        run(need("tar"), "-C", files, "-cf", work / "files.tar", *(path.name for path in files.iterdir()))
        program, base = image_runs.go_tool(image_runs.CRANE), f"{host}/beside/base:1"
        append = ("append", "--insecure", "--platform", "windows/amd64", "--new_layer", work / "files.tar")
        run(program, *append, "--base", base, "--new_tag", f"{host}/beside/crane:1")

    def by_buildah(host: str) -> None:
        container = buildah("from", "--tls-verify=false", "--os=windows", "--arch=amd64", f"{host}/beside/base:1")
        buildah("copy", container, files, "/")
        buildah("commit", container, "beside")
        buildah("push", "--tls-verify=false", "beside", f"docker://{host}/beside/buildah:1")

    def kit(host: str) -> None:
        (work / "Dockerfile").write_text(f"FROM {host}/beside/base:1\nCOPY . /\n")
        places = ("--local", f"context={files}", "--local", f"dockerfile={work}", "--opt", "platform=windows/amd64")
        pushed = f"type=image,name={host}/beside/buildkit:1,push=true"
        buildkit("build", "--frontend=dockerfile.v0", *places, "--output", pushed)

    def ko(host: str) -> None:
        shutil.copytree(PROJECT / "examples/hostprocess", work / "ko")
        shutil.copytree(files, work / "ko/kodata", symlinks=True)
        names = {"KO_DEFAULTBASEIMAGE": f"{host}/beside/base:1", "KO_DOCKER_REPO": f"{host}/beside/ko"}
        words = ("build", "--bare", "--tags=1", "--platform=windows/amd64", "--insecure-registry", "--sbom=none", ".")
        environment = os.environ | names | {"GOFLAGS": "-buildvcs=false"}
        program = image_runs.go_tool("github.com/google/ko", folder=PROJECT / "tests/interop/ko")
        image_runs.run(program, *words, cwd=work / "ko", env=environment)

    def jib(host: str) -> None:
        words: list[str | Path] = [f"-D{name}={work}" for name in ("user.home", "java.io.tmpdir")]
        words += ["-DsendCredentialsOverHttp=true", "-cp", jars(), PROJECT / "tests/interop/jib/Jibbed.java"]
        words += [f"{host}/beside/base:1", files / "hello.exe", "/hello.exe", f"{host}/beside/jib:1"]
        run(need("java"), *words, XDG_CACHE_HOME=str(work))

    builders = {"winscratch": ("image", ours), "crane append": ("crane", crane), "buildah": ("buildah", by_buildah)}
    builders |= {"BuildKit": ("buildkit", kit), "ko": ("ko", ko), "jib": ("jib", jib)}
    found = {}
    for name, (repository, build) in builders.items():
        traffic = Traffic(address)
        build(traffic.host)
        found[name] = beside.row(f"docker://{address}/beside/{repository}:1", traffic.bytes)
        traffic.close()
    assert found == beside.documented()


LINK = "links/deep/link"


def test_a_link_that_buildkit_and_buildah_copy_leads_nowhere_on_windows_and_ours_does(
    buildkit: Callable[..., None], buildah: Callable[..., str], base: str, tmp_path: Path
) -> None:
    folder = tmp_path / "context/links/deep"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to("target")
    (folder / "target").write_bytes(b"x")
    theirs = by_buildkit(
        buildkit, tmp_path / "context", "COPY links /links\n", tmp_path / "b", f"--opt=build-arg:BASE={base}"
    )
    status, rules = judged(theirs)
    assert (status, "link-target" in rules) == (1, True)
    container = buildah("from", "--tls-verify=false", "--os=windows", "--arch=amd64", base)
    buildah("copy", container, tmp_path / "context/links", "/links")
    buildah("commit", container, f"oci:{tmp_path}/buildah")
    status, rules = judged(f"oci:{tmp_path}/buildah")
    assert (status, "link-target" in rules) == (1, True)
    make(Options(source=(f"{tmp_path}/context/links:/links",), to=(f"oci:{tmp_path}/ours",)), note=lambda _: None)
    assert judged(f"oci:{tmp_path}/ours") == (0, set())


# ---------------------------------------------------------------------------------------------
# The other builders


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return what gives buildah words, and returns what it says."""
    program = image_runs.buildah(tmp_path_factory.mktemp("buildah"))
    return lambda *words: image_runs.run(*program, *words).stdout.strip()


def test_buildah_takes_our_layout_and_our_image_in_a_registry(
    buildah: Callable[..., str], base: str, context: Path, tmp_path: Path
) -> None:
    make(Options(to=(f"oci:{tmp_path}/base:latest",)), note=lambda _: None)
    container = buildah("from", "--os=windows", "--arch=amd64", f"oci:{tmp_path}/base:latest")
    buildah("copy", container, context / "dropgz.exe", "/dropgz.exe")
    buildah("config", "--entrypoint", '["dropgz.exe"]', container)
    buildah("commit", container, f"oci:{tmp_path}/copied")
    (tmp_path / "Dockerfile").write_text(f"ARG BASE\nFROM ${{BASE}}\n{SHAPES['dropgz'].dockerfile}")
    buildah(
        *("build", "--os=windows", "--arch=amd64", "--isolation=chroot", "--tls-verify=false"),
        *(f"--build-arg=BASE={base}", f"--file={tmp_path}/Dockerfile", f"--tag=oci:{tmp_path}/built", context),
    )
    # /dropgz.exe is a path of the node, and buildah gives every image that it builds a PATH of Linux.
    for name, wanted in (("copied", set()), ("built", {"program", "env-path"})):
        assert judged(f"oci:{tmp_path}/{name}") == (int("program" in wanted), {"time-missing", *wanted})
        tree = held(f"oci:{tmp_path}/{name}")[0]
        assert {path for path in tree if path not in {"Hives", "Files"}} == {"Files/dropgz.exe"}


def test_ko_builds_a_program_for_windows_on_our_base(address: str, base: str) -> None:
    program = image_runs.go_tool("github.com/google/ko", folder=PROJECT / "tests/interop/ko")
    environment = {"KO_DEFAULTBASEIMAGE": base, "KO_DOCKER_REPO": f"{address}/ko", "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run(
        [program, "build", "--bare", "--platform=windows/amd64", "--insecure-registry", "--sbom=none", "."],
        cwd=PROJECT / "examples/hostprocess",
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    name = done.stdout.strip()
    # Its entry point and KO_DATA_PATH are paths of the node, and its PATH loses Windows' own.
    assert judged(name) == (1, {"time-missing", "program", "env-path", "path-of-image"})
    tree, settings, _ = held(name)
    assert tree["Files/ko-app/hostprocess"].data.startswith(b"MZ")
    assert settings["entrypoint"] == ["C:\\ko-app\\hostprocess"]


def test_jib_puts_files_where_windows_does_not_look_unless_they_are_told_where(
    address: str, base: str, context: Path, tmp_path: Path
) -> None:
    java = need("java")
    source = PROJECT / "tests/interop/jib/Jibbed.java"

    def build(path: str, to: str, *folders: str) -> str:
        words: list[str | Path] = [f"-D{name}={tmp_path}" for name in ("user.home", "java.io.tmpdir")]
        words += ["-DsendCredentialsOverHttp=true", "-cp", jars(), source, base, context / "dropgz.exe"]
        said = run(java, *words, path, f"{address}/{to}", *folders, XDG_CACHE_HOME=str(tmp_path))
        return f"{address}/{to}@{said.splitlines()[-1]}"

    status, rules = judged(build("/app/hello.exe", "jib:1"))
    assert (status, rules) == (1, {"root", "root-missing"})
    status, rules = judged(build("/Files/app/hello.exe", "jib:2", "/Hives"))
    # hello.exe is in a subdirectory, which no node searches for a bare name unless PATH names it.
    assert (status, rules) == (0, {"descriptor-missing", "program-some"})


def test_crane_leaves_out_folders_that_a_tar_does_not_name_on_which_windows_stops(
    address: str, base: str, tmp_path: Path
) -> None:
    crane = image_runs.go_tool(image_runs.CRANE)
    taken = {"time-missing", "mixed-taken"}  # crane's layers for Windows have Docker's type whatever the base has
    for name, rules in (("hello.exe", taken), ("app/hello.exe", {*taken, "parent"})):
        (tmp_path / "app.tar").write_bytes(tarred([Part(name, b"MZ", records={})]))
        to = f"{address}/crane/{len(name)}:1"
        run(crane, "append", "--insecure", "--base", base, "--new_layer", tmp_path / "app.tar", "--new_tag", to)
        assert judged(to) == (int("parent" in rules), rules)


def test_the_builders_are_those_that_the_document_says_are_tested() -> None:
    text = (PROJECT / "docs/comparison.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.rstrip().endswith("| tested |")]
    assert {row.split("|")[1].strip() for row in rows} == {"BuildKit", "buildah", "ko", "jib", "crane"}

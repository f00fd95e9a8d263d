# SPDX-License-Identifier: Apache-2.0
"""For an auditor: rebuild every output from source, compare, and state what was made from what, with which tools.

Nothing in what is written depends on time or place: the same inputs and tools give the same documents.
"""

import json
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from . import VERSION, console, files, manifest, pipeline
from .builder import choose, container
from .builder.choose import Engine
from .builder.container import ContainerEngine
from .builder.wire import encode_request
from .console import Say
from .errors import EXIT_OK, EXIT_STALE, GeneratorError
from .manifest import Tree, content_hash
from .oci.blob import Blob

BUILD_TYPE = "https://winscratch.example/generate/v1"  # the name of how it is done, as SLSA asks for one
_DPKG_QUERY = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version} ${Architecture}\\n")
_NATIVE_PACKAGES = ("libhivex0", "libpython3-stdlib", "python3", "python3-hivex", "python3-minimal")


def verify(
    root: Path,
    *,
    engine_name: str | None,
    provenance: Path | None,
    sbom: Path | None,
    say: Say = console.say,
    note: Say = console.note,
) -> int:
    """Compare every output below *root* with what its sources make; return 0 if all are equal, else 1.

    Writes the statement of *provenance* only if they are, for it would vouch for other bytes.
    """
    with files.lock(root, note, shared=True):
        findings, damage, made, blobs = pipeline.compare(root, engine_name, note)
        inputs = _inputs(root)
    builder = choose.select(engine_name, lambda _: None)
    tools = _tools(builder)
    for line in _digests(made, blobs):
        say(line)
    for tool, version in tools.items():
        say(f"{tool} {version}")
    if sbom is not None:
        _write(sbom, _sbom(builder, root))
    for line in manifest.report(findings, damage, False, {}):
        say(line)
    if findings or damage:
        if provenance is not None:
            note(f"{provenance}: not written, as the outputs are not what their sources make")
        return EXIT_STALE
    if provenance is not None:
        _write(provenance, statement(made, inputs, tools))
    say(f"verified: {len(made)} outputs are what their sources make, byte for byte")
    return EXIT_OK


def _digests(made: dict[str, bytes], blobs: dict[str, Blob]) -> list[str]:
    layers = [f"{name}: {what}" for name, b in blobs.items() for what in (f"diff id {b.diff_id}", f"digest {b.digest}")]
    return [*layers, *(f"{content_hash(path, data)} {path}" for path, data in made.items())]


def _tools(builder: Engine) -> dict[str, str]:
    """Return the version of each tool that has a hand in the bytes; hivex's is the builder's own word."""
    response = json.loads(builder.run(encode_request({})))
    versions = pipeline.tool_versions() | {"hivex": response["hivex"], "python": platform.python_version()}
    return dict(sorted(versions.items()))


def _inputs(root: Path) -> dict[str, str]:
    """Return the content hash of each file that is not an output and has a hand in one, by path."""
    tree = Tree(root)
    outputs = tree.outputs()
    named = {path for output in outputs.values() for path in output.inputs} - outputs.keys()
    # The program as a whole as well, and the digests of the packages that it is run with.
    paths = sorted({*named, *tree.files("generator"), "requirements.lock"})
    return {path: tree.hash(path) or "" for path in paths}


def statement(made: dict[str, bytes], inputs: dict[str, str], tools: dict[str, str]) -> dict[str, object]:
    """Return an in-toto Statement v1 with a SLSA Provenance v1 predicate; text is hashed with LF line ends."""

    def described(path: str, digest: str) -> dict[str, object]:
        return {"name": path, "digest": {"sha256": digest.removeprefix("sha256:")}}

    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [described(path, content_hash(path, data)) for path, data in sorted(made.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"command": "invoke generate --force"},
                "resolvedDependencies": [
                    described(path, digest) | {"uri": f"file:{quote(path)}"} for path, digest in inputs.items()
                ],
            },
            "runDetails": {"builder": {"id": BUILD_TYPE, "version": {"winscratch": VERSION, **tools}}},
        },
    }


def _sbom(builder: Engine, root: Path) -> dict[str, object]:
    """Return a CycloneDX 1.6 bill of the Debian packages in the builder's image, or of those that stand for it."""
    if isinstance(builder, ContainerEngine):
        name, _, version = container.image_tag(container.build_context(root), builder.base).partition(":")
        written = builder.ask_image(*_DPKG_QUERY)
    else:
        name, version = "winscratch-hivex", "native"
        try:
            done = subprocess.run([*_DPKG_QUERY, *_NATIVE_PACKAGES], capture_output=True, check=False)
        except OSError as error:
            raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]}: {error.strerror}") from error
        if done.returncode:
            raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} fails: {done.stderr.decode(errors='replace')}")
        written = done.stdout
    packages = [line.split()[1:] for line in written.decode("utf-8").splitlines() if line.startswith("installed ")]
    if not packages:
        raise GeneratorError(f"--sbom: {_DPKG_QUERY[0]} names no packages")
    return bill(name, version, packages)


def bill(name: str, version: str, packages: Iterable[list[str]]) -> dict[str, object]:
    """Return the CycloneDX document of the image *name*; each package is a name, a version and an architecture."""
    components = []
    for package, found, architecture in sorted(packages):
        purl = f"pkg:deb/debian/{quote(package)}@{quote(found, safe=':~')}?arch={architecture}"
        components.append({"type": "library", "bom-ref": purl, "name": package, "version": found, "purl": purl})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": name, "name": name, "version": version}},
        "components": components,
    }


def _write(path: Path, document: object) -> None:
    files.replace({path.absolute(): (json.dumps(document, indent=2) + "\n").encode("ascii")})

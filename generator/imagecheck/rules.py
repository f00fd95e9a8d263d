# SPDX-License-Identifier: Apache-2.0
"""The rules of check-image, each with its source and its level.

Sources named in RULES:
  oci         OCI image specification 1.1, by document
  backuptar   github.com/microsoft/go-winio backuptar/tar.go: how Windows reads an entry of a layer
  ociwclayer  github.com/microsoft/hcsshim pkg/ociwclayer and internal/wclayer: how Windows imports a layer
  archive/tar Go's standard library, the tar reader of both
  encoding/json  Go's standard library, the JSON reader of all clients
  image-spec  github.com/opencontainers/image-spec and github.com/moby/docker-image-spec: clients' types of documents
  containers/image  github.com/containers/image, the library of skopeo and podman
  docker      github.com/moby/moby v28, by file; docker load: which file of an archive it takes
  containerd  github.com/containerd/containerd v2, and github.com/containerd/platforms: which hosts take an image
  naming      Microsoft, "Naming Files, Paths, and Namespaces"
  MS-DTYP     Microsoft, "Windows data types": SECURITY_DESCRIPTOR
  jobcontainers  github.com/Microsoft/hcsshim internal/jobcontainers: how a node starts HostProcess containers
  pe          Microsoft, "PE Format": how Windows finds out what a program is for
  winscratch  a rule of this project's own
"""

from dataclasses import dataclass
from typing import Final

from ..hives.rules import Level, Rule


@dataclass(frozen=True, slots=True)
class ImageFinding:
    """A broken rule: *where* in the image, the name of the layer's *entry* if there is one, what was *found*."""

    where: str
    entry: str
    rule: str
    found: str

    @property
    def level(self) -> Level:
        """The level of the rule."""
        return RULES[self.rule].level

    @property
    def message(self) -> str:
        """What was found, and the rule with its name and source."""
        rule = RULES[self.rule]
        return f"{self.found}; {rule.text} ({self.rule}; {rule.source})"


def _refused(text: str, source: str) -> Rule:
    return Rule(text, Level.REFUSED, source)


def _unusual(text: str, source: str = "winscratch") -> Rule:
    return Rule(text, Level.UNUSUAL, source)


RULES: Final[dict[str, Rule]] = {
    # Documents and blobs.
    "document": _refused(
        "each document is JSON of at most 4 MiB, and each field of its kind has the type that clients decode",
        "encoding/json; image-spec",
    ),
    "keys": _unusual(
        "each key appears once, in its own case; Go takes other cases too, and the last of several", "encoding/json"
    ),
    "two-faces": _refused(
        "an archive has each file once, and its index.json and manifest.json lead to the same images", "docker load"
    ),
    "layout": _refused("a layout has the file oci-layout, of version 1.0.0", "oci image-layout"),
    "index": _refused("an index leads to its images directly, or through a few other indexes", "winscratch"),
    "blob": _refused("every blob exists, as a regular file", "oci image-layout"),
    "blob-foreign": _unusual("a nondistributable blob may be missing; a missing blob is not checked", "oci layer"),
    "digest": _refused("a blob's content has the digest in its descriptor", "oci descriptor"),
    "size": _refused("a descriptor has the blob's size", "oci descriptor"),
    "media-type": _refused("a media type is one that OCI or Docker defines for this field", "oci media-types"),
    "mixed": _refused(
        "a Docker manifest has layers of Docker's types, and an OCI manifest has OCI's configuration; skopeo and "
        "podman refuse others, though containerd takes them",
        "containers/image",
    ),
    "mixed-taken": _unusual(
        "a manifest, its configuration and its layers are all of OCI's types or all of Docker's; "
        "skopeo, podman, Docker and containerd take an OCI manifest with Docker's layers",
        "oci media-types; skopeo 1.9.3 and podman 4.3.1, run; docker, distribution/pull_v2.go",
    ),
    "compression": _refused(
        "a layer of OCI's type without +gzip or +zstd is not compressed: containerd does not decompress it",
        "containerd, core/images/mediatypes.go, DiffCompression",
    ),
    "compression-detected": _unusual(
        "a layer is compressed as its media type says; containerd, Docker, skopeo and podman go by the content",
        "containerd, pkg/archive/compression; docker, distribution/xfer; containers/image, copy/compression.go",
    ),
    "schema": _refused("the schema version is 2", "oci manifest"),
    # The configuration.
    "os": _refused("an image's operating system must be windows", "containerd"),
    "architecture": _refused("the architecture is amd64, arm64, arm or 386", "oci config"),
    "spelling": _unusual(
        "system and architecture are spelled as Go spells them; containerd and Docker take other spellings, too",
        "containerd/platforms, database.go; docker, image/image_os.go",
    ),
    "spelling-listed": _refused(
        "an index spells the architecture as Go does: Docker on Windows passes over any other spelling",
        "docker, distribution/pull_v2_windows.go",
    ),
    "os-version": _refused("os.version is three or four numbers, or missing for any host", "containerd"),
    "platform": _refused("index and configuration have the same operating system and architecture", "oci image-index"),
    "platform-version": _unusual(
        "index and configuration have the same os.version; containerd uses the index, Docker the configuration too",
        "containerd; docker",
    ),
    "rootfs": _refused("the configuration's rootfs has the type layers, and one diff ID for each layer", "oci config"),
    "history": _unusual("history has one entry for each layer, besides those marked as empty", "oci config"),
    "diff-id": _refused("a diff ID is the digest of the layer's tar, uncompressed", "oci config"),
    "layers": _refused("an image has a base layer, and 500 layers at most", "ociwclayer; winscratch"),
    # A layer as a tar.
    "layer": _refused("a layer is a tar that can be read to its end", "archive/tar"),
    "bomb": _refused(
        "a layer unpacks to at most 64 GiB, beyond 1 GiB to at most 200 times its blob, and all to 256 GiB",
        "winscratch",
    ),
    "entries": _refused("a layer has at most 1,000,000 paths, of 67,108,864 characters together", "winscratch"),
    "rest": _unusual("nothing follows the end of a layer's tar"),
    # A base layer.
    "hive": _refused("a base layer's hives are valid by themselves: a layer has no transaction logs", "ociwclayer"),
    "hive-missing": _refused(
        "a base layer has the hives DEFAULT, SAM, SECURITY, SOFTWARE and SYSTEM, in capitals, as files", "ociwclayer"
    ),
    "hive-linked": _refused("a hive is not a link, and no link leads to it, since Windows writes to it", "ociwclayer"),
    "hive-delta": _refused(
        "Hives/NAME_Delta in a layer on top is a hive, valid without a log; Windows merges it with the one below",
        "ociwclayer, cim/registry.go",
    ),
    "hive-on-top": _unusual(
        "a layer on top changes the registry by Hives/*_Delta; a hive in Files/Windows/System32/config has no effect",
        "ociwclayer, cim/registry.go",
    ),
    "hives-other": _unusual(
        "Windows reads only DefaultUser_Delta, Sam_Delta, Security_Delta, Software_Delta and System_Delta from Hives",
        "ociwclayer, cim/common.go",
    ),
    "utility-vm": _refused(
        "a base layer with UtilityVM/Files has its BCD store, in this case, as a file", "ociwclayer"
    ),
    "bcd-type": _unusual(
        "the elements of a BCD store have the registry types and sizes that Windows reads",
        "ReactOS boot/environ/lib/misc/bcd.c",
    ),
    "base-slash": _refused(
        "in a base layer, UtilityVM and UtilityVM/Files have no trailing slash; Windows ignores others", "ociwclayer"
    ),
    "base-whiteout": _refused("a base layer has no whiteouts; it has no layer below", "ociwclayer"),
    # Any layer.
    "root": _refused(
        "all paths are below Files, Hives or UtilityVM, in this case; Windows ignores others", "ociwclayer"
    ),
    "root-missing": _refused("a layer on top has the directories Hives and Files", "ociwclayer"),
    "name": _refused("a name is valid on Windows", "naming"),
    "stream": _unusual("importers differ on streams of a file", "backuptar"),
    "parent": _refused("a directory comes before what it holds", "ociwclayer"),
    "repeated": _refused("each path appears once", "ociwclayer; oci layer"),
    "case": _refused("names in a directory differ in more than case", "ociwclayer"),
    "kind": _refused(
        "an entry is a file (tar's type 0), a directory (5), a hard link (1) or a symbolic link (2)", "backuptar"
    ),
    "whiteout": _refused(
        "a whiteout is below Files and removes one name, which the layer itself does not have", "ociwclayer"
    ),
    "link-target": _refused("the target of a link exists, and Windows can store it", "backuptar; ociwclayer"),
    "link-kind": _refused(
        "a symbolic link has the attribute 16 if its target is a directory, and only then", "backuptar"
    ),
    "attributes": _refused(
        "MSWINDOWS.fileattr is a decimal number of 32 bits that fits the type of the entry", "backuptar"
    ),
    "descriptor": _refused("MSWINDOWS.rawsd is a security descriptor in base64, MSWINDOWS.sd in SDDL", "MS-DTYP"),
    "descriptor-missing": _unusual(
        "an entry without a security descriptor inherits one, which may deny users to run it"
    ),
    "time": _refused(
        "a time is in seconds since 1970, with a fraction if any, from 1677-09-21 to 2262-04-11", "backuptar"
    ),
    "time-missing": _unusual("without atime and ctime, Windows sets 1754-08-30", "backuptar"),
    "time-fraction": _unusual("a fraction keeps its leading zeros; .05 is not .5", "backuptar"),
    "record": _refused("an extended attribute or a mount point has a form that Windows reads", "backuptar"),
    # Names that Windows' importers treat specially.
    "utility-vm-on-top": _refused(
        "UtilityVM in a layer on top is a directory without records or trailing slash, comes before its entries, has "
        "only UtilityVM/Files in it, and lies on a layer that has one",
        "ociwclayer, legacy.go",
    ),
    "placeholder": _refused(
        "no entry is called NAME.$wcidirs$, which Windows makes beside each directory NAME of a layer on top",
        "ociwclayer, legacy.go",
    ),
    "placeholder-name": _unusual(
        "no entry is called NAME.$wcidirs$, where Windows keeps facts of a directory NAME; it does not export it",
        "ociwclayer, legacy.go",
    ),
    "link-name": _unusual(
        "the name of a hard link has at least two UTF-16 units; NT wants 24 bytes, and hcsshim sends 22 for one",
        "ociwclayer, safefile/safeopen.go",
    ),
    "files-twice": _unusual("Files of a layer becomes C:\\ of a container, so that Files/Files is C:\\Files"),
    # How it is started.
    "program": _refused(
        "the program is in the image, or on the node, at the path where Windows looks", "jobcontainers"
    ),
    "program-kind": _refused(
        "the program is a PE file and no DLL, or .cmd or .bat, not of Linux or macOS, no script", "pe"
    ),
    "program-some": _unusual(
        "every node finds the program: a name at the root, or below the mount point", "jobcontainers"
    ),
    "program-machine": _unusual("the program is for the image's architecture", "pe"),
    "program-header": _unusual("the program has a PE header", "pe"),
    "program-quotes": _unusual("the program's path has no spaces if an argument is quoted", "jobcontainers; cmd /?"),
    "no-windows": _unusual("a program needs a base layer with Windows, or one for HostProcess", "winscratch"),
    "arguments": _unusual(
        "cmd starts the program, and interprets & | < > ^ %NAME% and quotes; a JSON array is not one argument",
        "jobcontainers",
    ),
    "argument-empty": _unusual("an argument is not empty"),
    "path-of-image": _unusual("a path of the image begins with %CONTAINER_SANDBOX_MOUNT_POINT%", "jobcontainers"),
    "env-path": _unusual(
        "PATH has Windows' directories; in variables only CONTAINER_SANDBOX_MOUNT_POINT is replaced", "jobcontainers"
    ),
    "env-twice": _unusual("variables differ by more than case", "jobcontainers"),
    "user": _unusual("the user is an account that Windows has there", "jobcontainers"),
    "workdir": _unusual(
        "the working directory begins with %CONTAINER_SANDBOX_MOUNT_POINT%, or is empty", "jobcontainers"
    ),
}

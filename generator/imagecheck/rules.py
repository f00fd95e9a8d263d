# SPDX-License-Identifier: Apache-2.0
"""The rules that an image is checked by, each with its source and with what follows for an image that breaks it.

Sources named in RULES:
  oci         OCI image specification 1.1, by document
  backuptar   github.com/microsoft/go-winio backuptar/tar.go: how Windows reads an entry of a layer
  ociwclayer  github.com/microsoft/hcsshim pkg/ociwclayer and internal/wclayer: how Windows imports a layer
  archive/tar Go's standard library, which both read tars with
  encoding/json  Go's standard library, with which clients read the documents
  image-spec  github.com/opencontainers/image-spec and github.com/moby/docker-image-spec: clients' types of documents
  containers/image  github.com/containers/image, which skopeo and podman read images with
  docker load  github.com/moby/moby and github.com/containerd/containerd: which file of an archive is taken
  containerd  github.com/containerd/platforms: which hosts take an image
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
class Finding:
    """A broken rule: *where* in the image, the name of the *entry* if a layer's entry breaks it, what was *found*."""

    where: str
    entry: str
    rule: str
    found: str

    @property
    def level(self) -> Level:
        """What follows for the image."""
        return RULES[self.rule].level

    @property
    def message(self) -> str:
        """What was found, what would be right, by which rule and source."""
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
        "no key is there twice, or spelled in another case: Go takes it all the same, and of several the last",
        "encoding/json",
    ),
    "two-faces": _refused(
        "an archive has each file once, and its index.json and manifest.json lead to the same images", "docker load"
    ),
    "layout": _refused("a layout has the file oci-layout, of version 1.0.0", "oci image-layout"),
    "index": _refused("an index leads to its images directly, or through few others", "winscratch"),
    "blob": _refused("every blob is there, as a file of its own", "oci image-layout"),
    "blob-foreign": _unusual(
        "a blob that may not be passed on may be absent; what is absent is not checked", "oci layer"
    ),
    "digest": _refused("a blob's content has the digest that it is called by", "oci descriptor"),
    "size": _refused("a descriptor has the blob's size", "oci descriptor"),
    "media-type": _refused("a media type is one that OCI or Docker define for this place", "oci media-types"),
    "mixed": _refused(
        "Docker's manifest has layers of Docker's types, and OCI's has OCI's configuration: skopeo and podman refuse "
        "any other, though containerd takes it",
        "containers/image",
    ),
    "mixed-taken": _unusual(
        "a manifest, its configuration and its layers are all of OCI's types or all of Docker's", "oci media-types"
    ),
    "compression": _refused("a layer is compressed as its media type says", "oci layer"),
    "schema": _refused("the schema version is 2", "oci manifest"),
    # What the configuration says.
    "os": _refused("an image's operating system must be windows", "containerd"),
    "architecture": _refused("the architecture is amd64, arm64, arm or 386", "oci config"),
    "os-version": _refused("the version of Windows is three or four numbers, or nothing for every host", "containerd"),
    "platform": _refused("an index has the system and the architecture that the configuration has", "oci image-index"),
    "platform-version": _unusual(
        "an index has the os.version that the configuration has: containerd goes by the index, "
        "Docker by the configuration too",
        "containerd; docker",
    ),
    "rootfs": _refused(
        "the configuration's rootfs has the type layers, and a diff ID for each layer, and no more", "oci config"
    ),
    "history": _unusual("history has an entry for each layer, beside those that are marked as empty", "oci config"),
    "diff-id": _refused("a diff ID is the digest of the layer's tar, uncompressed", "oci config"),
    "layers": _refused("an image has a base layer, and 500 layers at most", "ociwclayer; winscratch"),
    # A layer as a tar.
    "layer": _refused("a layer is a tar that can be read to its end", "archive/tar"),
    "bomb": _refused(
        "a layer unpacks to at most 64 GiB, beyond 1 GiB to at most 200 times its blob, and all to 256 GiB",
        "winscratch",
    ),
    "entries": _refused("a layer has at most 1,000,000 paths, of 67,108,864 characters together", "winscratch"),
    "rest": _unusual("a layer ends with its tar"),
    # A base layer.
    "hive": _refused("a base layer's hives are valid without a log, of which a layer has none", "ociwclayer"),
    "hive-missing": _refused(
        "a base layer has the hives DEFAULT, SAM, SECURITY, SOFTWARE and SYSTEM, spelled so, as files", "ociwclayer"
    ),
    "hive-linked": _refused("no hive has a second name, or is one, for Windows writes to it", "ociwclayer"),
    "hive-delta": _refused(
        "Hives/NAME_Delta in a layer on top is a hive, valid without a log; Windows merges it with the one below",
        "ociwclayer, cim/registry.go",
    ),
    "hive-on-top": _unusual(
        "a layer on top changes the registry by Hives/*_Delta; a hive in Files/Windows/System32/config has no effect",
        "ociwclayer, cim/registry.go",
    ),
    "hives-other": _unusual("only hives of changes, Hives/*_Delta, are read from Hives", "ociwclayer, cim/common.go"),
    "utility-vm": _refused("a base layer with UtilityVM/Files has its BCD store, spelled so, as a file", "ociwclayer"),
    "base-slash": _refused(
        "in a base layer, names of directories end in no slash, or are not recognised", "ociwclayer"
    ),
    "base-whiteout": _refused("a base layer removes nothing: there is nothing below it", "ociwclayer"),
    # Any layer.
    "root": _refused(
        "everything is below Files, Hives or UtilityVM, spelled so; Windows sees nothing else", "ociwclayer"
    ),
    "root-missing": _refused("a layer on top has the directories Hives and Files", "ociwclayer"),
    "name": _refused("a name is one that Windows can have", "naming"),
    "stream": _unusual("importers differ on streams of a file", "backuptar"),
    "parent": _refused("a directory comes before what it holds", "ociwclayer"),
    "repeated": _refused("no path is there twice", "ociwclayer; oci layer"),
    "case": _refused("names differ by more than their case", "ociwclayer"),
    "kind": _refused(
        "an entry is a file (tar's type 0), a directory (5), a hard link (1) or a symbolic link (2)", "backuptar"
    ),
    "whiteout": _refused("a whiteout is below Files and removes one name, which the layer does not hold", "ociwclayer"),
    "link-target": _refused("a link leads where it says on Windows, too", "backuptar; ociwclayer"),
    "link-kind": _refused(
        "a symbolic link to a directory has the attribute 16, and one to a file has not", "backuptar"
    ),
    "attributes": _refused("MSWINDOWS.fileattr is a decimal number of 32 bits that fits the kind", "backuptar"),
    "descriptor": _refused("MSWINDOWS.rawsd is a security descriptor in base64, MSWINDOWS.sd in SDDL", "MS-DTYP"),
    "descriptor-missing": _unusual("what has no security descriptor inherits one, which may let nobody run it"),
    "time": _refused("a time is seconds from 1970, and a fraction, from 1677-09-21 to 2262-04-11", "backuptar"),
    "time-missing": _unusual("without atime and ctime, Windows is told 1754-08-30", "backuptar"),
    "time-fraction": _unusual("a fraction's zeros stand after the point: .05 is not .5", "backuptar"),
    "record": _refused("an extended attribute or a mount point is of a form that Windows reads", "backuptar"),
    # What Windows' importers do with some names.
    "utility-vm-on-top": _refused(
        "UtilityVM in a layer on top is a bare directory spelled so, comes before what is in it, on a layer that has "
        "one, and has nothing but UtilityVM/Files in it",
        "ociwclayer, legacy.go",
    ),
    "placeholder": _refused(
        "NAME.$wcidirs$ is what Windows makes beside each directory NAME of a layer on top", "ociwclayer, legacy.go"
    ),
    "placeholder-name": _unusual(
        "NAME.$wcidirs$ is what Windows keeps about a directory NAME, and leaves out of what it exports",
        "ociwclayer, legacy.go",
    ),
    "link-name": _unusual(
        "the name of a hard link has two UTF-16 units at least: NT wants 24 bytes, and hcsshim sends 22 for one",
        "ociwclayer, safefile/safeopen.go",
    ),
    "files-twice": _unusual("what is in Files of a layer is in C:\\ of a container, so Files/Files is C:\\Files"),
    # How it is started.
    "program": _refused(
        "the program is in the image, or on the node, at the path where Windows looks", "jobcontainers"
    ),
    "program-kind": _refused("the program is a PE file, .cmd or .bat, not of Linux and not a script", "pe"),
    "program-some": _unusual(
        "every node finds the program: a name at the root, or below the mount point", "jobcontainers"
    ),
    "program-machine": _unusual("the program is for the image's architecture", "pe"),
    "program-header": _unusual("the program has a PE header", "pe"),
    "program-quotes": _unusual("the program's path has no spaces if an argument is quoted", "jobcontainers; cmd /?"),
    "no-windows": _unusual("a program needs a base layer with Windows, or one for HostProcess", "winscratch"),
    "arguments": _unusual("cmd starts the program, and interprets & | < > ^ %NAME% and quotes", "jobcontainers"),
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

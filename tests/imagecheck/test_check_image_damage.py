# SPDX-License-Identifier: Apache-2.0
"""check-image on damaged layouts, layers and Zstandard: each damage is a finding or an error of one line."""

import random
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.counts import count
from helpers.image_checks import printed
from helpers.layouts import OCI, RECORDS, ROOTS, Layout, Part, base, directory, sha256, tarred

from generator.base.errors import GeneratorError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def zstd_layout(folder: Path, data: bytes) -> str:
    layout = Layout(folder, [base(), tarred(ROOTS)])
    layout.blobs[1] = data
    layout.manifest["layers"][1] |= {"digest": sha256(data), "size": len(data)}
    layout.manifest["layers"][1]["mediaType"] = f"{OCI}layer.v1.tar+zstd"
    return layout.write()


SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"


@pytest.mark.parametrize(("start", "ending"), [(b"", b""), (b"", SKIPPABLE), (SKIPPABLE, b""), (SKIPPABLE, SKIPPABLE)])
def test_zstd_is_read_on_every_python_whatever_its_frames(start: bytes, ending: bytes, tmp_path: Path) -> None:
    tar = tarred(ROOTS)
    data = start + zstd.compress(tar[:700]) + zstd.compress(tar[700:], 19) + ending
    status, said = printed(zstd_layout(tmp_path, data))
    assert (status, "good image" in said) == (0, True)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:9] + data[10:]]
)
def test_damaged_zstd_is_a_finding(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    status, said = printed(zstd_layout(tmp_path, change(zstd.compress(tarred(ROOTS)))))
    assert (status, "the blob is damaged" in said) == (1, True), said


def test_no_damage_to_a_file_of_a_layout_is_more_than_a_finding_or_an_error(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "good", [base(), tarred([*ROOTS, Part("Files/x", b"x" * 700)])])
    layout.write()
    files = sorted(path for path in layout.folder.rglob("*") if path.is_file() and path.name != "oci-layout")
    chance = random.Random(7)  # noqa: S311 - the same damage for everybody
    passed = 0
    for _ in range(count(60, 3000)):
        path = chance.choice(files)
        whole = path.read_bytes()
        data = bytearray(whole)
        match chance.randrange(3):
            case 0:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                del data[chance.randrange(len(data)) :]
            case _:
                at = chance.randrange(len(data))
                data[at:at] = chance.randbytes(chance.choice((1, 8, 600)))
        path.write_bytes(data)
        try:
            passed += printed(f"oci:{layout.folder}")[0] == 0
        except GeneratorError:
            assert path.name == "index.json"
        path.write_bytes(whole)
    assert passed < count(10, 300)  # of index.json, whose white space and names are nobody's


def test_no_damage_inside_of_a_layer_is_more_than_a_finding(tmp_path: Path) -> None:
    parts = [*ROOTS, directory("Files/a", **RECORDS), Part("Files/a/x", b"x" * 70), Part("Files/" + "é" * 90)]
    parts += [Part("Files/l", b"", tarfile.SYMTYPE, "a/x"), Part("Files/h", b"", tarfile.LNKTYPE, "Files/a/x")]
    whole, lowest = tarred(parts), base()
    chance = random.Random(11)  # noqa: S311 - the same damage for everybody
    for number in range(count(80, 3000)):
        data, other = bytearray(whole), bytearray(lowest)
        for _ in range(chance.randint(1, 4)):
            target = data if number % 4 else other
            target[chance.randrange(len(target))] = chance.choice(b"\0\xff/.:0aA\\= \n")
        assert printed(Layout(tmp_path / str(number), [bytes(other), bytes(data)], zipped=False).write())[0] in {0, 1}
        shutil.rmtree(tmp_path / str(number))

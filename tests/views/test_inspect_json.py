# SPDX-License-Identifier: Apache-2.0
"""`inspect --json`: documents match the schema and the layer."""

from pathlib import Path

import jsonschema
import pytest
from helpers.hive_maker import sample
from helpers.views import SCHEMAS, document, layout, printed, run, tar

from generator.base.errors import GeneratorError
from generator.hives.reader import read

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
DEFAULT = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"


def test_json_schemas_are_valid() -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_json_of_a_layer_has_every_key_and_value() -> None:
    (found,) = document("inspect", "scratch")["opened"]
    about = printed("layer", "scratch", "--info")
    assert f'  "diffID": "{found["diffID"]}",' in about
    assert f'  "digest": "{found["digest"]}",' in about
    bcd = next(entry for entry in found["entries"] if entry["path"] == BCD)
    raw = run("layer", "scratch", "--tar")[1]
    hive = raw[bcd["offset"] : bcd["offset"] + bcd["size"]]
    known = read(hive, keys=True).hive
    for listed, key in zip(bcd["hive"]["keys"], known, strict=True):
        assert tuple(listed["path"]) == key.path
        assert hive[listed["offset"] : listed["offset"] + 2] == b"nk"
        assert listed["descriptor"].startswith("O:BAG:SYD:P(")
        for value, one in zip(listed["values"], key.values, strict=True):
            assert (value["name"], value["type"], bytes.fromhex(value["bytes"])) == (one.name, one.type, one.data)
            assert hive[value["offset"] : value["offset"] + 2] == b"vk"
    elements = {one["name"]: [element["name"] for element in one["elements"]] for one in bcd["hive"]["bcd"]}
    assert elements == {"": ["description"], "{bootmgr}": ["default"]}
    assert bcd["hive"]["findings"] == []


def test_json_of_a_key_has_that_key_and_those_below(tmp_path: Path) -> None:
    (found,) = document("inspect", "scratch", "--path", f"{BCD}\\objects")["opened"]
    (entry,) = found["entries"]
    assert all(key["path"][0] == "Objects" for key in entry["hive"]["keys"])
    assert len(entry["hive"]["keys"]) == 9
    with pytest.raises(GeneratorError, match="has no key 'none'"):
        run("inspect", "scratch", "--json", "--path", f"{BCD}\\none")
    (tmp_path / "hive").write_bytes(sample().data)
    (found,) = document("inspect", tmp_path / "hive")["opened"]
    assert len(found["hive"]["keys"]) == read(bytes(sample().data)).key_count


def test_json_of_an_image_has_its_layers(tmp_path: Path) -> None:
    made = tar([("Files", None, {}), ("Files/a", b"abc", {}), ("Hives", None, {})])
    layout(tmp_path / "image", [made], config={"config": {"User": "ContainerUser"}})
    (found,) = document("inspect", f"oci:{tmp_path}/image")["opened"]
    assert found["facts"]["user"] == "ContainerUser"
    assert [entry["path"] for entry in found["layers"][0]["entries"]] == ["Files/", "Files/a", "Hives/"]

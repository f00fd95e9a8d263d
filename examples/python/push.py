# SPDX-License-Identifier: Apache-2.0
"""Push the image of oci_layout.py to a registry with the OCI client oras: python push.py HOST/NAME:TAG."""

import sys
import tempfile
from pathlib import Path

import oras.client
from oci_layout import image


def push(target: str, *, insecure: bool = False) -> None:
    """Push the image to *target*; *insecure* is for a registry without TLS."""
    client = oras.client.OrasClient(insecure=insecure)
    container = client.get_container(target)
    manifest, config, layers = image()
    with tempfile.TemporaryDirectory() as folder:
        for entry, data in zip([manifest["config"], *manifest["layers"]], [config, *layers], strict=True):
            blob = Path(folder, "blob")
            blob.write_bytes(data)
            client.upload_blob(str(blob), container, entry).raise_for_status()
    client.upload_manifest(manifest, container).raise_for_status()


if __name__ == "__main__":
    push(sys.argv[1], insecure="--insecure" in sys.argv)

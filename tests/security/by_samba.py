# SPDX-License-Identifier: Apache-2.0
"""Security descriptors as Samba reads and writes them; run by Debian's Python, which has Samba's modules.

Standard input and output are JSON: "texts", each given back as hexadecimal bytes, and "descriptors", in hexadecimal,
each given back as text; what Samba refuses comes back as null.
"""

import json
import sys

from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack

DOMAIN = security.dom_sid("S-1-5-21-1-2-3")  # what Samba puts its own machine's accounts into; the tests name none


def to_bytes(text: str) -> "str | None":
    try:
        descriptor = security.descriptor.from_sddl(text, DOMAIN)
    except (TypeError, ValueError):
        return None
    for acl in (descriptor.dacl, descriptor.sacl):
        if acl is not None:  # some releases give every list revision 4, which Windows keeps for object entries
            acl.revision = 4 if any(5 <= ace.type <= 8 for ace in acl.aces) else 2
    return str(ndr_pack(descriptor).hex())


def to_text(data: str) -> str:
    return str(ndr_unpack(security.descriptor, bytes.fromhex(data)).as_sddl(DOMAIN))


asked = json.load(sys.stdin)
answer = {
    "texts": [to_bytes(text) for text in asked["texts"]],
    "descriptors": [to_text(data) for data in asked["descriptors"]],
}
json.dump(answer, sys.stdout)

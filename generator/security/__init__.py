# SPDX-License-Identifier: Apache-2.0
"""Windows' security descriptors: the owner of a file or registry key and its access control lists.

Converts between bytes, records and SDDL text. Begin with descriptor.py (bytes and records), then sddl.py (text).
"""

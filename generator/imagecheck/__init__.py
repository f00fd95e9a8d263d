# SPDX-License-Identifier: Apache-2.0
"""Check Windows images by the rules of Windows' importers, of container clients and of OCI.

Takes names of images, and prints a line a finding, or JSON; the exit status says whether an image is refused.
Begin with rules.py, which has every rule with its source, then image.py.
"""

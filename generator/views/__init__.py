# SPDX-License-Identifier: Apache-2.0
"""Views of layers, images and hives: trees, hex dumps, .reg text, JSON and differences.

Takes what the user names, prints what the readers of hives, oci and imageread return.
Begin with resolve.py, then tree.py.
"""

# SPDX-License-Identifier: Apache-2.0
"""Views of layers, images and hives: trees, hex dumps, .reg text, JSON and differences.

Takes the names that a user gives, prints text or JSON. Begin with inspect.py and diff.py, the two commands; resolve.py
and unpacked_layers.py open the names.
"""

# SPDX-License-Identifier: Apache-2.0
"""Layer specifications: parse a layer's TOML file into typed, checked records.

Takes TOML text, returns a LayerSpec. Begin with parse() in layer.py.
"""

# SPDX-License-Identifier: Apache-2.0
"""Layer specifications: read a layer's TOML file into typed, checked records.

Takes TOML text, returns a Layer. Begin with layer.py.
"""

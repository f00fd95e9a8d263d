# SPDX-License-Identifier: Apache-2.0
"""Write, find, check and update copies of modules in other projects.

Takes committed blobs and templates; writes files into other projects. Begin with vendor.py, then state.py.
"""

# SPDX-License-Identifier: Apache-2.0
"""Read images that exist: layouts, archives and registries; their documents, blobs, gzip members and tar entries.

Takes a reference and returns images whose layers are read as streams. Begin with images.py.
"""

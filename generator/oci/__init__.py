# SPDX-License-Identifier: Apache-2.0
"""The base layer as OCI images store it: files to a tar, the tar to a gzip blob, and the facts of layers on top.

Takes paths and bytes, returns bytes and digests. Begin with tar.py, then blob.py; files.py reads files.toml.
"""

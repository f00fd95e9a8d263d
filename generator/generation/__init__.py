# SPDX-License-Identifier: Apache-2.0
"""From specifications to committed outputs: pipeline, manifest, staleness check and verification.

Takes a checkout, returns the bytes of every output and the differences. Begin with pipeline.make(). The room's name
is not "build" because git, ruff and packagers ignore folders of that name by default.
"""

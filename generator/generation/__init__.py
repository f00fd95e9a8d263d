# SPDX-License-Identifier: Apache-2.0
"""From specifications to committed outputs: pipeline, manifest, staleness check and verification.

Takes a checkout, returns the bytes of every output and what differs. Begin with pipeline.make(). Named so because
git, ruff and packagers ignore folders called build by default.
"""

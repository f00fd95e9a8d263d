# SPDX-License-Identifier: Apache-2.0
"""Windows' security descriptors, which say who owns a file or registry key and who may do what with it."""

# SPDX-License-Identifier: Apache-2.0
"""Write the files of a Windows image, its layers merged, to a folder or as a tar."""

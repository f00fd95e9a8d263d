# SPDX-License-Identifier: Apache-2.0
"""Registry hives: lay out a hive's file from records, read one back, and check one by the rules of Windows.

Takes and returns bytes and the records of model.py. layout.py writes; reader.py reads and checks by rules.py: the two
share only the model, as independent witnesses. Begin with model.py, then layout.py or structures.py (the format).
"""

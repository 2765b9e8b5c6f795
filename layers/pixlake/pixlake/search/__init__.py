"""The images most like an image or a text. Imports `iceberg`."""

NEARLY_SAME = 0.97
"""The cosine from which on two images are taken for copies of each other."""

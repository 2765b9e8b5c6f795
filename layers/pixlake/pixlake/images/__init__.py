"""Bytes of strangers as pictures within limits (`decoding`), and pictures as a model's tensors (`preprocessing`).

Imports `bundles` for what a model says of its preprocessing, and the shared modules.
"""

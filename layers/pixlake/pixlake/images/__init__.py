"""Bytes of strangers as pictures within limits (`decoding`), and pictures as a model's tensors (`preprocessing`).

Both run in processes that can only compute: asked by `decoders`, timed by `processes`, forked from `nursery`, held by
`confinement`. Imports `bundles` for what a model says of its preprocessing, and the shared modules.
"""

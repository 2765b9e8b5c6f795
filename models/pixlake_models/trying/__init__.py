"""Embedders compared on a user's own images: speed, memory, cost, and how well neighbours agree. Imports `training` for
reading an upload as a run does; needs no torch."""

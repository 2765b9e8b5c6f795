"""The HTTP API and its page, as one ASGI app, which `pixlake serve` runs.

Imports `search`, `inference` and what is below them.
"""

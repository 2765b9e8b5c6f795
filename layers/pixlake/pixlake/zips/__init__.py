"""Uploads: a zip, a folder, a listing of loose objects, or one object. Imports the shared modules alone.

`sources` lists any of them as entries, `inventory` checks and sorts these, `shards` cuts them, `contents` reads their
bytes and `deliveries` puts them into the lake. Only `sources` and `contents` know the kinds apart.
"""

"""From an upload to images in the lake: `plan` reads what is in it and refuses what is unsafe, `extract` puts one
shard's images in place, each verified.

An upload is a zip, a folder, a listing of loose objects, or one object. `sources` lists any of them as entries and
`contents` reads the entries' bytes; nothing else here knows the difference.
"""

"""The lake's Iceberg tables: the catalog, and commits without a lock. Imports the shared modules alone.

`commit` plans on keys alone (`plan`, over `merge`, `existing` and `keys`), streams rows into data files (`datafiles`)
and swaps one snapshot for the next; `statements` is the same as SQL for Athena. `executions` has the rows of that
table, `maintenance` packs files, expires snapshots and deletes orphans.
"""

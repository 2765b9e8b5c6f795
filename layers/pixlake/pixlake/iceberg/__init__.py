"""From parts to rows of the Iceberg tables, and the tables' maintenance.

`compact` is the state; it gives each table's parts to `commit`, which plans on keys alone (`plan`, over `merge`,
`existing` and `keys`), streams rows into data files (`datafiles`) and swaps one snapshot for the next. `lost` compares
the batches planned with the parts found, and `accounts` has what the execution says of itself. Where Athena merges,
`handover` answers SQL instead, written by `statements`. `maintain` cleans up on a schedule.
"""

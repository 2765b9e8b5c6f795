"""The files that an execution's workers leave under `work/`. Imports `iceberg` and the shared modules.

`lost` finds missing parts, `rejected` the rejects of all steps, `withdrawn` those that a retry takes back, `handover`
prepares the merge by Athena, and `leftovers` deletes files that are no longer needed.
"""

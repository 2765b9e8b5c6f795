"""What the workers of an execution leave under `work/`. Imports `iceberg` and the shared modules.

`lost` finds missing parts, `rejected` the rejects of all steps, `handover` is what Athena is given to merge, and
`leftovers` deletes what nobody needs any more.
"""

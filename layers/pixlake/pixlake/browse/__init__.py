"""What the tables say, for a page to look at: facts of images, columns to filter by, duplicates, rejects, executions.

Memory is bounded whatever the tables hold. Imports `search`, `iceberg` and what is below them.
"""

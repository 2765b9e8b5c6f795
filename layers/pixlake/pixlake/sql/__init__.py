"""Athena's SQL, answered by DuckDB in a process of its own. Imports `search` and `iceberg`."""

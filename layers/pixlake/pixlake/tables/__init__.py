"""An upload's table files as text columns. Imports the shared modules alone.

CSV of any delimiter and encoding, TSV, Excel, JSON and Parquet: each row is read, or a fault with its place. `union`
lays several files one under another.
"""

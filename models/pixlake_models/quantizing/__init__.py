"""float16 and 8-bit variants of a candidate, measured against float32. Imports `exporting`."""

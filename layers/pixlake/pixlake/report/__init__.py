"""The page of an execution, good or failed: one HTML file without scripts or external assets. Imports `images`."""

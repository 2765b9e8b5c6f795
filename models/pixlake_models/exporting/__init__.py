"""What all exporters share: tracing, test inputs, proving, writing. Imports torch in `graphs` and `parity` alone."""

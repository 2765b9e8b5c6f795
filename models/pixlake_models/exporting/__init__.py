"""The shared part of all exporters: tracing, test inputs, proving, writing. Imports torch in `graphs` and `parity`
alone."""

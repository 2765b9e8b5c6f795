"""The sample upload and the demo's three bundles, of Noto Color Emoji. Imports `pixlake` and `pixlake_models`."""

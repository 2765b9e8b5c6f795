"""Makes model bundles, as docs/bundles.md describes them. Imports `pixlake`, and torch when a command runs."""

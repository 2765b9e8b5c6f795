"""Making bundles of trained models, as docs/bundles.md describes them. torch lives here and nowhere else."""

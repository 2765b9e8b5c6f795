"""Making bundles out of trained models. torch, open_clip and AutoGluon live here and nowhere else; see docs/bundles.md."""

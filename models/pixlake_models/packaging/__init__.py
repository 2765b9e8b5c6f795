"""A MultiModalPredictor packed as AutoGluon saved it, for its container. Imports `autogluon` and `exporting`."""

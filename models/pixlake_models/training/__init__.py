"""From an upload to a trained, evaluated and compiled pair of models. Imports `autogluon` and `exporting`."""

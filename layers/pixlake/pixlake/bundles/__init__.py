"""The format of model bundles. Imports the shared modules alone, and no ONNX Runtime.

`manifest` and `parsing` are `bundle.json`, `folders` verified files, `archives` and `predictors` bundles of AutoGluon,
`roles` the models that an upload names, `transfers` push and pull.
"""

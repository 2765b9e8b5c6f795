"""The format of model bundles. Imports the shared modules alone, and no ONNX Runtime.

`manifest` and `parsing` are `bundle.json`, `folders` verified files, `archives` and `predictors` those of AutoGluon,
`roles` what an upload asks for, `transfers` the way into a lake and out of it.
"""

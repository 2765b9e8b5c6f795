"""The state machine of template.yaml on one machine: interpreted by moto, its functions in worker processes.

`engine.Engine` holds the parts together: `template` reads what is deployed, `definition` the state machine,
`interpreter` runs it, `endpoints` answers its calls to Lambda and S3, `pool` and `sandbox` run the functions.
"""

"""`pixlake models compile | export | package | train | try | zero-shot`, a module each, registered in pyproject.toml.

A module imports click and, when its command runs, the other packages here; torch only then.
"""

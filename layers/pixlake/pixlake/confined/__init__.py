"""Parsers of strangers' bytes in processes that can only compute. Imports errors alone.

A nursery (`nursery`) is started once and forks confined processes (`confinement`) from itself; `processes` is the side
that asks them. What they are asked for is the matter of `images` and `tables`.
"""

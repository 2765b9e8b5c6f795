"""What each state does, on a page: `<state>.py` for the function `functions/<state>` arranges the packages below.

No step imports another, and nothing below imports a step.
"""

"""Pages for a browser that hold all they show in one file: an experiment's map, what a search found. Imports `report`
and `search`.
"""

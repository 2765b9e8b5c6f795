"""open_clip's models as embedders of images and texts. Imports `exporting` and open_clip."""

"""timm's networks as embedders or classifiers of images. Imports `exporting` and timm."""

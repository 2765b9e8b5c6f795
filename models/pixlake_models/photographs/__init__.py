"""A few photographs, to calibrate and measure by; LICENSES.md names each one's source."""

from pathlib import Path


def list_photographs() -> list[Path]:
    """JPEGs of about 300 x 400 pixels."""
    return sorted(Path(__file__).parent.glob("*.jpg"))

"""What Lambda costs for images that take a core's time; benchmarks/costs.py has the rest of the prices."""

LAMBDA_GB_SECOND = 0.0000166667
"""Dollars: AWS Lambda pricing, x86, us-east-1, list price, noted 2026-11-20."""
MB_PER_CORE = 1769
"""The memory that comes with a core (AWS Lambda, configuring memory)."""
MILLION = 1_000_000


def million_images(images_per_core_second: float) -> float:
    """Dollars for embedding a million images on Lambda, whose cores are about as fast as this machine's."""
    return MILLION / images_per_core_second * MB_PER_CORE / 1024 * LAMBDA_GB_SECOND

import pytest

from tests.builders.tiny import BundleLake
from tests.unit.attacks.victims import Victim


@pytest.fixture
def victim(bundle_lake: BundleLake) -> Victim:
    """A lake whose model an attacker changes."""
    return Victim(bundle_lake)

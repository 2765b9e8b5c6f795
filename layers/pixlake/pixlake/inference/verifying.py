"""Has a bundle tried in a process of its own, for its graphs are programs that anybody may have written."""

from tempfile import TemporaryFile

import msgspec

from pixlake.bundles.folders import BundleFolder
from pixlake.errors import BadBundle, ModelTimeout
from pixlake.limited import half_of_the_machine, run_limited

SECONDS = 600.0
"""For a whole trial: the largest bundle is read, loaded and asked within it."""
TRIALS = "pixlake.inference.trials"
# A trial's runs have up to three examples, and there are two of them.
_EXAMPLES = 30


class Trial(msgspec.Struct, frozen=True):
    """The bundle `model` in a folder, and its limits: bytes, and seconds for one example."""

    uri: str
    model: str
    memory: int
    seconds_an_example: float


def verify_bundle(
    folder: BundleFolder, *, memory: int | None = None, seconds: float = SECONDS, module: str = TRIALS
) -> str:
    """What it answered, as `trials.try_bundle`, or another `module` that reads a Trial; BadBundle too for one that
    takes more than `memory` bytes, by default half of the machine's, and ModelTimeout after `seconds`."""
    memory = memory or half_of_the_machine()
    request = msgspec.json.encode(Trial(folder.uri, folder.model, memory, seconds / _EXAMPLES)).decode()
    with TemporaryFile() as output:
        try:
            run_limited(module, request, output, memory=memory, seconds=seconds)
        except TimeoutError as error:
            raise ModelTimeout(f"{folder.uri}: its trial takes more than {seconds:g} s; give it longer") from error
        except MemoryError as error:
            needs = f"{folder.uri}: its trial needs more than {memory >> 20:,} MB, or crashed"
            raise BadBundle(f"{needs}; give it more memory") from error
        output.seek(0)
        return output.read().decode()

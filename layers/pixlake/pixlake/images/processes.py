"""The confined processes that decode, from the side of the one that has images."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import pack

from pixlake.confined import processes
from pixlake.confined.processes import Confined, Died
from pixlake.confined.wire import Answer
from pixlake.images import wire
from pixlake.images.decoding import MAX_SIDE

# By the clock an image may take so many times its seconds of a core: others may be using the core.
_PATIENCE = 8
_NURSERY = "pixlake.images.nursery"


@dataclass(frozen=True)
class Wanted:
    """The pixels that a job is for: just so many, at most so many, or none; `pixels` is a limit of all together."""

    width: int
    height: int
    exact: bool = True
    pixels: int = MAX_SIDE**2

    @property
    def most(self) -> int:
        """Bytes."""
        return min(self.width * self.height, self.pixels) * wire.CHANNELS

    def takes(self, width: int, height: int, size: int) -> bool:
        """Whether an answer of `size` bytes is one to the job."""
        if not self.most:
            return size == 0
        if self.exact and (width, height) != (self.width, self.height):
            return False
        fits = 0 < width <= self.width and 0 < height <= self.height
        return fits and size == width * height * wire.CHANNELS <= self.most


class Decoder(Confined):
    """One decoder."""

    work = "images are decoded"

    def ask(self, job: bytes, data: bytes, wanted: Wanted, seconds: float, turn: Callable[[int], None]) -> Answer:
        """The answer to a job. `turn` waits until a large image, of so many pixels,
        may be decoded. Raises Died and TooSlow; the decoder is then to be ended."""
        watch, turned = self.watch(seconds, _PATIENCE), False
        try:
            self.send(pack(wire.JOB, len(job), len(data)) + job, watch)
            self.send(data, watch)
            while (answer := self.receive_answer(wanted.most, watch)).kind == wire.TURN_WANTED:
                if turned or not isinstance(answer.text, int):
                    raise Died("it asked for its turn as no decoder does")
                turn(answer.text)
                turned = True
                watch = self.watch(seconds, _PATIENCE)
                self.send(wire.TURN, watch)
            _check(answer, wanted)
            return answer
        except (OSError, ValueError) as error:
            raise Died(str(error)) from error


class Processes(processes.Processes[Decoder]):
    """Decoders, and the nursery in `module` that they are forked from."""

    def __init__(self, module: str = _NURSERY) -> None:
        super().__init__(module, Decoder)


def shared_processes() -> processes.Processes[Decoder]:
    """Those of this process."""
    return processes.shared_processes(_NURSERY, Decoder)


def _check(answer: Answer, wanted: Wanted) -> None:
    """ValueError for what no decoder answers."""
    match answer:
        case Answer(kind=wire.PIXELS, text=[int(), int(), int(), int()]):
            width, height, across, down = answer.text
            sound = 0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE
            if not (sound and wanted.takes(across, down, len(answer.data))):
                raise ValueError(f"it answered {len(answer.data)} bytes for pixels of {answer.text}")
        case Answer(kind=wire.REJECT, text=[str(), str()]) | Answer(kind=wire.NUMPY_WANTED):
            pass
        case _:
            raise ValueError("it answered what no decoder answers")

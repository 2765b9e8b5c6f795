"""Files and folders that appear when they are complete."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import IO

from pixlake.errors import BadRequest


@contextmanager
def draft_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` at the end of the block, unless that ends in an error.

    Raises BadRequest where it cannot be written.
    """
    with _explained(path):
        with NamedTemporaryFile(dir=path.absolute().parent, prefix=f".{path.name}-", delete=False) as draft:
            try:
                yield draft
            except BaseException:
                Path(draft.name).unlink(missing_ok=True)
                raise
        Path(draft.name).chmod(0o644)
        Path(draft.name).replace(path)


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """A folder to write into that becomes `path`, which must not be there, at the end of the block, as above."""
    if path.exists():
        raise BadRequest(f"{path} is there already: name another folder, or remove it")
    with _explained(path):
        draft = Path(mkdtemp(dir=path.absolute().parent, prefix=f".{path.name}-"))
        try:
            yield draft
            draft.chmod(0o755)
            draft.rename(path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {error.strerror}") from error

"""A repository of a model hub at one commit: the names of its files, and those files, downloaded once and verified."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pixlake.errors import BadRequest, NotServable, StorageError

CONFIG = "config.json"


@dataclass(frozen=True)
class Repository:
    """`name` is `owner/name`, `files` those at the `commit` with the SHA-256 that the hub says, where it says one;
    `licence` is its own card's."""

    name: str
    commit: str
    files: Mapping[str, str | None]
    licence: str | None = None
    digests: dict[str, str] = field(default_factory=dict, repr=False)
    """SHA-256 of the files that were fetched."""

    def fetch(self, path: str) -> Path:
        """The file in the hub's cache on this machine; NotServable if the repository lacks it or it is damaged."""
        if path not in self.files:
            raise NotServable(f"{self.name} has no {path}, which a repository of ONNX models for transformers.js has")
        with _explained(f"{self.name}/{path}"):
            found = Path(HfApi().hf_hub_download(self.name, path, revision=self.commit))
        with found.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self.files[path] not in (None, digest):
            raise NotServable(f"{found}: its SHA-256 is {digest}, not the hub's {self.files[path]}; delete it")
        self.digests[path] = digest
        return found

    def read(self, path: str) -> bytes:
        return self.fetch(path).read_bytes()

    def read_json(self, path: str) -> dict[str, Any]:
        """NotServable for what is no JSON object."""
        try:
            found = json.loads(self.read(path))
        except (ValueError, RecursionError) as error:
            raise NotServable(f"{self.name}/{path} is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise NotServable(f"{self.name}/{path} is no JSON object")
        return found


def open_repository(name: str, revision: str | None = None) -> Repository:
    """The repository as the hub has it now, or at `revision`; offline as it was last downloaded.

    BadRequest where there is none, or it may not be read; StorageError where the hub does not answer.
    """
    if constants.HF_HUB_OFFLINE:
        return _open_downloaded(name, revision)
    with _explained(name):
        found = HfApi().model_info(name, revision=revision, files_metadata=True)
    if any(each.rfilename == CONFIG for each in found.siblings or ()):
        with _explained(f"{name}/{CONFIG}"):
            # under the revision's name, by which it is found offline; all else is asked for by commit
            HfApi().hf_hub_download(name, CONFIG, revision=revision)
    files = {each.rfilename: each.lfs.sha256 if each.lfs else None for each in found.siblings or ()}
    licence = found.card_data.get("license") if found.card_data else None
    return Repository(name, found.sha or "", files, str(licence) if licence else None)


def _open_downloaded(name: str, revision: str | None) -> Repository:
    with _explained(name):
        folder = Path(HfApi().hf_hub_download(name, CONFIG, revision=revision)).parent
    files = {path.relative_to(folder).as_posix(): None for path in folder.rglob("*") if path.is_file()}
    return Repository(name, folder.name, files)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """The hub's errors as ours, with what to do."""
    try:
        yield
    except GatedRepoError as error:
        raise BadRequest(f"{place}: ask for access on its page at {constants.ENDPOINT}, then set HF_TOKEN") from error
    except RevisionNotFoundError as error:
        raise BadRequest(f"{place}: {constants.ENDPOINT} has no such revision of it") from error
    except RepositoryNotFoundError as error:
        raise BadRequest(
            f"{place}: {constants.ENDPOINT} has no such repository, or HF_TOKEN may not read it"
        ) from error
    except HFValidationError as error:
        raise BadRequest(f"hf:{place} names no repository; it is written hf:owner/name") from error
    except LocalEntryNotFoundError as error:
        if constants.HF_HUB_OFFLINE:
            raise BadRequest(f"{place}: it is not downloaded, and HF_HUB_OFFLINE is set") from error
        raise StorageError(f"{place}: {constants.ENDPOINT} does not answer; try again") from error
    except Exception as error:  # its HTTP client's, the system's and its own have no common base
        reason = str(error).partition("\n")[0]
        raise StorageError(f"{place}: {constants.ENDPOINT} fails: {reason}; what came is kept, try again") from error

"""Handler of the state that this folder is named for; the work is `pixlake.unzip.extract.extract`."""

from typing import Any

from pixlake.messages import ExtractRequest, parse, plain
from pixlake.settings import ExtractSettings, from_environment
from pixlake.unzip.extract import extract

SETTINGS = from_environment(ExtractSettings)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(extract(parse(event, ExtractRequest), SETTINGS))

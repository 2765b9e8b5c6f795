"""docs/pixlake-json.md, made of the structs that read it: `python -m pixlake_cli.fields > docs/pixlake-json.md`."""

import json
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from pixlake.messages import Classifiers, Options

_HEAD = """\
# pixlake.json
Made by `make docs` from the code that reads it; a test holds the two together.

A `pixlake.json` at the root of an upload settles what is else found by looking. Every field may be left out; one that
is not in this table is refused, and the message names the nearest. `pixlake run --set FIELD=VALUE` says the same
without a file and wins over it, as does `options` in the input of an execution. A name has at most 1,000 characters; an
empty one means none.

| field | type | where it is left out | what it says |
| --- | --- | --- | --- |
"""
_TAIL = """
All of them, as an example:

```json
{example}
```

The stack's are its parameters Embedder, ClassifierWithImage, ClassifierWithoutImage and ClassifierOrphan, by default
`photo-lite0`, none, none and `imagenet-lite0` ([both](photographs.md)), for `pixlake run` too. An empty name is none.
How images join with records is in [uploads](uploads.md).
"""


def write_fields() -> str:
    """The page."""
    rows = [_row("", name, field) for name, field in _fields(Options)]
    rows += [_row("classifier.", name, field) for name, field in _fields(Classifiers)]
    example: dict[str, Any] = {name: _example(field) for name, field in _fields(Options)}
    example["classifier"] = {name: _example(field) for name, field in _fields(Classifiers)}
    return _HEAD + "".join(rows) + _TAIL.format(example=json.dumps(example, indent=2))


def _fields(struct: type) -> Iterator[tuple[str, Any]]:
    """Each field that is described, with its metadata."""
    for field in msgspec.structs.fields(struct):
        described = [each for each in getattr(field.type, "__metadata__", ()) if each.description]
        if described:
            yield field.name, (described[0], field.type)


def _row(prefix: str, name: str, field: Any) -> str:
    meta, kind = field
    text = "true or false" if "bool" in str(kind) else "text"
    return f"| `{prefix}{name}` | {text} | {meta.extra['default']} | {meta.description} |\n"


def _example(field: Any) -> str | bool:
    example: str | bool = field[0].examples[0]
    return example


if __name__ == "__main__":
    click.echo(write_fields(), nl=False)

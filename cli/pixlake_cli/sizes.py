"""Sizes of memory as options."""

import re

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_LEAST_MEMORY = 512 << 20


class Bytes(click.ParamType[int]):
    """A size as 4GB or 800MB."""

    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SIZE.fullmatch(value.strip())
        if not found:
            self.fail(f"{value!r} is no size; write it as 4GB or 800MB", param, ctx)
        size = int(float(found[1]) * (1 << _UNITS[found[2].upper()]))
        if size < _LEAST_MEMORY:
            self.fail(f"{value} is too little: at least {_LEAST_MEMORY >> 20} MB", param, ctx)
        return size


memory_option = click.option(
    "--memory",
    type=Bytes(),
    metavar="SIZE",
    help="What it may take, as 4GB or 800MB. Default: half of the machine's memory.",
)

"""Lets moto read its grammars in an environment with AutoGluon, whose omegaconf pins ANTLR's runtime to 4.9.

moto's parsers are generated for 4.13. Since 4.10 a grammar's automaton is a list of integers (version 4). Before, it
was a text with an identifier and a section of large characters (version 3); the rest is the same. So the old runtime
reads the list once it skips those two.
"""

from typing import Any

VERSION = 4


def read_newer_grammars() -> None:
    """Call this before a parser is imported; where the runtime is 4.10 or newer it does nothing."""
    import antlr4
    from antlr4.atn import ATNDeserializer as old
    from antlr4.Recognizer import Recognizer

    if not hasattr(old, "BASE_SERIALIZED_UUID"):
        return

    class Deserializer(old.ATNDeserializer):  # type: ignore[misc]
        def reset(self, data: list[int]) -> None:
            self.data = data
            self.pos = 0

        def checkVersion(self) -> None:
            if (found := self.readInt()) != VERSION:
                raise ValueError(f"a grammar of version {found}, where {VERSION} is expected")

        def checkUUID(self) -> None:
            # of grammars without a section of large characters
            self.uuid = old.BASE_SERIALIZED_UUID

    def agree(_recognizer: Any, _generated_for: str) -> None:
        """Silence the line on standard output that parser and runtime differ in release."""

    antlr4.ATNDeserializer = Deserializer
    Recognizer.checkVersion = agree

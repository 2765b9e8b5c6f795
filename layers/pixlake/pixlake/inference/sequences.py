"""Several texts of a record as one sequence of tokens, for models that read them together; pure functions."""

from collections.abc import Sequence

from pixlake.bundles.manifest import TokenSequence

Tokens = Sequence[int]


def join_tokens(texts: Sequence[Tokens], sequence: TokenSequence, length: int) -> tuple[list[int], list[int]]:
    """The tokens of one record, at most `length`, and the segment of each; `texts` has those of each column."""
    tokens = [] if sequence.start is None else [sequence.start]
    segments = [0] * len(tokens)
    shares = share_room([len(text) for text in texts], length - sequence.added)
    for column, (text, share) in enumerate(zip(texts, shares, strict=True)):
        part = [*text[:share], sequence.end] if sequence.separate else text[:share]
        tokens += part
        segments += [column % sequence.segments] * len(part)
    if tokens[-1:] != [sequence.end]:
        tokens.append(sequence.end)
        segments.append(len(texts) % sequence.segments)
    return tokens, segments


def share_room(lengths: Sequence[int], room: int) -> list[int]:
    """How much of each length stays so that all fit into `room`: the longest are cut first, to one level.

    What then is left of the room, less than there are lengths, goes to the first of those that were cut.
    """
    if sum(lengths) <= room:
        return list(lengths)
    level, left = 0, room
    for waiting, length in zip(range(len(lengths), 0, -1), sorted(lengths), strict=True):
        if (length - level) * waiting > left:
            level, left = level + left // waiting, left % waiting
            break
        level, left = length, left - (length - level) * waiting
    shares = []
    for length in lengths:
        more = left > 0 and length > level
        left -= more
        shares.append(min(length, level) + more)
    return shares

"""What phones logged while forms were filled in (audit.csv), merged into one file, as ODK Central does it."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator

HEADER = ("event", "node", "start", "end", "latitude", "longitude", "accuracy", "old-value", "new-value", "user", "change-reason")
_MOST_CHARACTERS = 1_000_000


def read_events(chunks: Iterable[bytes]) -> Iterator[list[str | None]]:
    """One list of HEADER's values for each event of an audit.csv; lines may be shorter or longer than its own header.

    What is no CSV ends the reading: a damaged log must not keep the others from anyone.
    """
    lines = csv.reader(_lines(chunks))
    try:
        names = [name.strip() for name in next(lines, [])]
        places = [names.index(name) if name in names else -1 for name in HEADER]
        for line in lines:
            if any(line):
                yield [line[place].strip() if 0 <= place < len(line) else None for place in places]
    except csv.Error:
        return


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decode(chunk)).split("\n")
        for line in whole:
            yield f"{line}\n"
        if len(rest) > _MOST_CHARACTERS:
            return
    if rest:
        yield rest

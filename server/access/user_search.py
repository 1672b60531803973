"""Finding a person by a few letters of name or e-mail, misspelt or in another order.

Likeness by shared groups of three letters, as PostgreSQL's pg_trgm measures it, so that both databases find the same people.
"""

from __future__ import annotations

import re

_WORDS = re.compile(r"\w+")
_LIKE = 0.5


def _trigrams(text: str) -> frozenset[str]:
    padded = (f"  {word} " for word in _WORDS.findall(text.lower()))
    return frozenset(word[at : at + 3] for word in padded for at in range(len(word) - 2))


class PersonQuery:
    """What someone typed to find a person."""

    def __init__(self, text: str) -> None:
        self._text, self._trigrams = text.lower(), _trigrams(text)

    def score(self, *names: str) -> float | None:
        """How alike the best of the names is, higher for more; None for a person who is not meant."""
        best = max(self._likeness(name) for name in names)
        return best if best > _LIKE or any(self._text in name.lower() for name in names) else None

    def _likeness(self, name: str) -> float:
        found = _trigrams(name)
        shared = len(found & self._trigrams)
        return shared / len(found) + shared / len(found | self._trigrams) if shared else 0.0

"""Problem: what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Problem(Exception):
    """What happened and what to do next, in Chinese and English, for the one who reads it.

    `code` as ODK Central's; `zh` and `en` are whole sentences; `details` are plain JSON values, or one text where ODK Central has one.
    """

    code: str
    zh: str
    en: str
    details: Mapping[str, Any] | str = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.en}"

    @property
    def status(self) -> int:
        """HTTP status, from the code."""
        return int(self.code.split(".", maxsplit=1)[0])

    def message(self, language: str) -> str:
        """The sentence in `zh` or `en`; anything else reads English."""
        return self.zh if language.startswith("zh") else self.en

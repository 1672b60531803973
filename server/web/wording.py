"""The pages' words: English in the code, Chinese beside it in messages.po, read as it is (nothing to compile)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

_FOLDER = Path(__file__).resolve().parents[1] / "translations"
_LOCALES = {"zh": "zh_Hans", "en": "en"}


@cache
def catalogue(language: str) -> dict[str, str]:
    """Sentence -> its translation, where there is one."""
    path = _FOLDER / _LOCALES[language] / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id and message.string}


def translate(language: str, sentence: str, **values: object) -> str:
    """The sentence in `zh` or `en` with `%(name)s` filled in; an untranslated one stays as it is."""
    text = catalogue(language).get(sentence, sentence)
    return text % values if values else text

"""Every sentence of the pages is there in Chinese."""

from __future__ import annotations

import re
from pathlib import Path

import server.web
from server.web.wording import catalogue, translate

WEB = Path(server.web.__file__).parent
_SENTENCE = re.compile(r"""\b_\(\s*(?:"([^"]*)"|'([^']*)')""")


def _sentences() -> set[str]:
    files = [*WEB.rglob("*.html"), *WEB.glob("*.py")]
    return {one or other for file in files for one, other in _SENTENCE.findall(file.read_text(encoding="utf-8"))}


def test_every_sentence_is_translated() -> None:
    assert len(_sentences()) > 100
    assert _sentences() - set(catalogue("zh")) == set()
    assert set(catalogue("zh")) - _sentences() == set()


def test_translations_fill_in_the_same_values() -> None:
    for sentence, chinese in catalogue("zh").items():
        assert set(re.findall(r"%\(\w+\)s", sentence)) == set(re.findall(r"%\(\w+\)s", chinese))


def test_a_sentence_without_a_translation_stays_as_it_is() -> None:
    assert translate("zh", "No such sentence") == "No such sentence"
    assert translate("zh", "Kept for %(days)s days.", days=30) == "保留 30 天。"
    assert translate("en", "Kept for %(days)s days.", days=30) == "Kept for 30 days."


def test_pages_hold_no_inline_script_or_style() -> None:
    for file in WEB.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert " style=" not in text
        assert not re.search(r"\son\w+=", text)
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert "http://" not in text
        assert "https://" not in text

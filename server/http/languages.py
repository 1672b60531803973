"""Which of the two languages a reader gets."""

from __future__ import annotations

from flask import has_request_context, request


def preferred_language(default: str = "zh") -> str:
    """`zh` or `en` by Accept-Language; `default` where nothing is said: people read Chinese, programs English."""
    if not has_request_context():
        return default
    return "en" if request.accept_languages.best_match(["zh", "en"], default=default) == "en" else "zh"

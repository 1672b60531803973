"""Which of the two languages a reader gets."""

from __future__ import annotations

from flask import has_request_context, request


def preferred_language() -> str:
    """`zh` or `en` by Accept-Language; Chinese where nothing is said."""
    if not has_request_context():
        return "zh"
    return "en" if request.accept_languages.best_match(["zh", "en"], default="zh") == "en" else "zh"

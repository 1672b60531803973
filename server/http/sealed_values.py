"""The last gate: no sealed number leaves the server but as its mask, whichever view forgot it.

Who may read numbers gets them opened (exports, the unmasked page); what is still sealed in an answer is not meant to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flask import Flask, Response
from werkzeug.wsgi import ClosingIterator

from server.access.sealed import LONGEST, masked_bytes

_TEXTS = ("application/json", "text/csv", "text/html", "application/geo+json", "application/vnd.geo+json")


def register(app: Flask) -> None:
    """Every answer that is text of ours passes here; a submission's XML does not: it is as it was sent, and opened before."""

    @app.after_request
    def mask_sealed(response: Response) -> Response:
        if (response.mimetype or "") not in _TEXTS or response.direct_passthrough:
            return response
        if response.is_streamed:
            response.response = ClosingIterator(_masked_stream(response.response), getattr(response.response, "close", None))  # type: ignore[arg-type]
        else:
            content = response.get_data()
            shown = masked_bytes(content)
            if shown is not content:
                response.set_data(shown)
        return response


def _masked_stream(parts: Iterable[bytes | str]) -> Iterator[bytes]:
    """The same, where a value may begin in one part and end in the next."""
    kept = b""
    for part in parts:
        text = kept + (part.encode() if isinstance(part, str) else part)
        # What a value could still begin in is kept until the next part is there.
        start = text.rfind(b"sealed|", max(0, len(text) - LONGEST))
        cut = start if start >= 0 else len(text) - _open_end(text)
        kept = text[cut:]
        if cut:
            yield masked_bytes(text[:cut])
    if kept:
        yield masked_bytes(kept)


def _open_end(text: bytes) -> int:
    """How many of the last bytes are a beginning of `sealed|`."""
    return next((length for length in range(6, 0, -1) if text.endswith(b"sealed|"[:length])), 0)

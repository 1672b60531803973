"""A request's whole body: XML in memory within its limit, a file kept in the store while it is hashed."""

from __future__ import annotations

import hashlib
import tempfile

from flask import request

from server import problems
from server.http.multipart import Limits
from server.http.parts import parts
from server.storage import Blob

_CHUNK = 512 * 1024
_MEMORY_BYTES = 1024 * 1024


def xml_body() -> bytes:
    """The body as bytes of XML. Raises: too_large."""
    most = Limits().xml_bytes
    if (request.content_length or 0) > most:
        raise problems.too_large(most)
    body = request.get_data(cache=False)
    if len(body) > most:
        raise problems.too_large(most)
    return body


def kept_body() -> Blob:
    """The body, durable in the store. Raises: too_large."""
    most = parts().settings.max_body_bytes
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as spool:
        while chunk := request.stream.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise problems.too_large(most)
            sha256.update(chunk)
            md5.update(chunk)
            spool.write(chunk)
        spool.seek(0)
        return parts().storage.keep(spool, sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=size)  # type: ignore[arg-type]

"""Form and media downloads, with ETag: a 304 saves the village's mobile data."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, stream_with_context

from server import problems
from server.access.actor import Actor
from server.entities.phone_csv import csv_md5, stream_csv
from server.forms.queries import Medium, list_media
from server.http.conditional import has_etag, with_etag
from server.http.downloads import file_headers
from server.http.parts import parts
from server.model import BlobRow, FormVersion
from server.transactions import transaction


def form_answer(version: FormVersion) -> Response:
    """Exactly the bytes whose MD5 formList shows."""
    return with_etag(version.md5, Response(version.xform, content_type="application/xml; charset=utf-8"))


def medium_answer(actor: Actor, form_version_id: int, name: str) -> Response:
    """The medium's bytes, or this actor's view of the entity list. Raises: not_found."""
    with transaction(parts().engine) as session:
        media = list_media(session, form_version_id, name=name)
        if not media:
            raise problems.not_found()
        medium = media[0]
        digest = medium.md5 or (csv_md5(session, actor, medium.entity_list) if medium.entity_list else "")
    if has_etag(digest):
        return with_etag(digest, Response(status=200))
    response = Response(stream_with_context(_bytes(actor, medium)))
    file_headers(response, name, content_type=medium.content_type)
    return with_etag(digest, response)


def _bytes(actor: Actor, medium: Medium) -> Iterator[bytes]:
    if medium.sha256 is not None:
        yield from parts().storage.open(medium.sha256)
    elif medium.entity_list is not None:
        with transaction(parts().engine) as session:
            yield from stream_csv(session, actor, medium.entity_list)


def xlsx_answer(sha256: str, form_id: str) -> Response:
    """The .xlsx that a version was made from, as a file."""
    with transaction(parts().engine) as session:
        digest = session.get_one(BlobRow, sha256).md5
    if has_etag(digest):
        return with_etag(digest, Response(status=200))
    response = Response(stream_with_context(parts().storage.open(sha256)))
    file_headers(response, f"{form_id}.xlsx", content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    return with_etag(digest, response)

"""Form and media downloads, with ETag: a 304 saves the village's mobile data."""

from __future__ import annotations

from collections.abc import Generator

from flask import Response, stream_with_context
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Actor
from server.entities.phone_csv import phone_list, stream_csv
from server.forms.queries import list_media
from server.http.compressed import compressed
from server.http.conditional import has_etag, with_etag
from server.http.downloads import file_headers
from server.http.kept_csvs import MOST_ROWS
from server.http.parts import parts
from server.model import BlobRow, EntityList, FormVersion
from server.transactions import transaction


def form_answer(version: FormVersion) -> Response:
    """Exactly the bytes whose MD5 formList shows."""
    return compressed(with_etag(version.md5, Response(version.xform, content_type="application/xml; charset=utf-8")))


def medium_answer(actor: Actor, form_version_id: int, name: str) -> Response:
    """The medium's bytes, or this actor's view of the entity list. Raises: not_found."""
    with transaction(parts().engine) as session:
        media = list_media(session, form_version_id, name=name)
        if not media:
            raise problems.not_found()
        medium = media[0]
        if medium.entity_list is not None:
            answer = _list_answer(session, actor, medium.entity_list)
        elif has_etag(medium.md5 or ""):
            answer = Response(status=200), medium.md5 or ""
        else:
            answer = Response(stream_with_context(parts().storage.open(medium.sha256 or ""))), medium.md5 or ""
    response, digest = answer
    file_headers(response, name, content_type=medium.content_type)
    return compressed(with_etag(digest, response))


def _list_answer(session: Session, actor: Actor, entity_list: EntityList) -> tuple[Response, str]:
    """The list's bytes and digest, of one instant. Bytes that the phone has are not made; those that another phone has were."""
    found, csvs = phone_list(session, actor, entity_list), parts().csvs
    if has_etag(found.digest):
        return Response(status=200), found.digest
    content = csvs.find(found.digest)
    if content is None and found.rows <= MOST_ROWS:
        content = csvs.find_or_make(found.digest, stream_csv(session, actor, entity_list, found.properties))
    if content is not None:
        return Response(content), found.digest
    pieces = _long_list(actor, entity_list)
    digest = next(pieces).decode()
    response = Response(stream_with_context(pieces))
    response.call_on_close(pieces.close)
    return response, digest


def _long_list(actor: Actor, entity_list: EntityList) -> Generator[bytes, None, None]:
    """The digest, then the bytes, in a transaction that lasts as long as the download."""
    with transaction(parts().engine) as session:
        found = phone_list(session, actor, entity_list)
        yield found.digest.encode()
        yield from stream_csv(session, actor, entity_list, found.properties)


def xlsx_answer(sha256: str, form_id: str) -> Response:
    """The .xlsx that a version was made from, as a file."""
    with transaction(parts().engine) as session:
        digest = session.get_one(BlobRow, sha256).md5
    if has_etag(digest):
        return with_etag(digest, Response(status=200))
    response = Response(stream_with_context(parts().storage.open(sha256)))
    file_headers(response, f"{form_id}.xlsx", content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    return with_etag(digest, response)

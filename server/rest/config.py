"""The site's configuration."""

from __future__ import annotations

from typing import Any

from flask import Response, request, stream_with_context
from sqlalchemy.orm import Session

from server import problems
from server.access.actor import Place
from server.access.site_config import PICTURES, check_settable, read_config, read_public, set_picture, set_value, unset
from server.http.conditional import with_etag
from server.http.credentials import authenticate
from server.http.described import described
from server.http.downloads import file_headers
from server.http.json_answers import answer_json, answer_success, instant
from server.http.json_body import json_value
from server.http.parts import parts
from server.model import BlobRow, SiteConfig
from server.rest import blueprint
from server.storage import record_blob
from server.transactions import transaction


def config_shape(row: SiteConfig) -> dict[str, Any]:
    """A configured value; of a picture only that it is there."""
    what: dict[str, Any] = {"blobExists": True} if row.blob_sha256 else {"value": row.value}
    return {"key": row.key, "setAt": instant(row.set_at), **what}


@blueprint.post("/config/<key>")
@described(media=("application/json", "image/png"))
def post_config(key: str) -> Response:
    """Set a configuration: JSON values, or a picture's bytes."""
    actor = authenticate()
    actor.require("config.set", Place())
    check_settable(key)
    if key in PICTURES:
        return _post_picture(actor, key)
    value = json_value()
    with transaction(parts().engine, write=True) as session:
        row = set_value(session, actor, key, value)
    return answer_json(config_shape(row))


def _post_picture(actor: Any, key: str) -> Response:
    if not request.headers.get("Content-Type"):
        raise problems.invalid_header("Content-Type", None)
    blob = parts().storage.keep_bytes(request.get_data())
    with transaction(parts().engine, write=True) as session:
        record_blob(session, blob)
        row = set_picture(session, actor, key, sha256=blob.sha256, content_type=request.headers["Content-Type"])
    return answer_json(config_shape(row))


@blueprint.get("/config/public")
def get_public_config() -> Response:
    """All that is configured for everyone's eyes."""
    with transaction(parts().engine) as session:
        found = read_public(session)
    return answer_json({row.key: config_shape(row) for row in found})


@blueprint.get("/config/public/<key>")
@described(query={"ts": "string"})
def get_public_value(key: str) -> Response:
    """One public configuration."""
    with transaction(parts().engine) as session:
        response = _answer(session, read_config(session, None, key))
    response.headers["Cache-Control"] = "max-age=31536000" if request.args.get("ts") else "no-cache"
    response.headers["Vary"] = "Accept-Encoding"
    return response


@blueprint.get("/config/<key>")
def get_config(key: str) -> Response:
    """One configuration."""
    actor = authenticate()
    with transaction(parts().engine) as session:
        return _answer(session, read_config(session, actor, key))


def _answer(session: Session, row: SiteConfig) -> Response:
    blob = session.get(BlobRow, row.blob_sha256) if row.blob_sha256 else None
    if blob is None:
        return answer_json(config_shape(row))
    response = Response(stream_with_context(parts().storage.open(blob.sha256)))
    file_headers(response, row.key, content_type=row.content_type)
    response.headers["Content-Disposition"] = "attachment"
    return with_etag(blob.md5, response)


@blueprint.delete("/config/<key>")
def delete_config(key: str) -> Response:
    """Unset a configuration."""
    actor = authenticate()
    with transaction(parts().engine, write=True) as session:
        unset(session, actor, key)
    return answer_success()

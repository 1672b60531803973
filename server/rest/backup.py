"""A backup of everything, encrypted with a passphrase, straight into the client's file."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Response

from server.access.actor import Place
from server.backup import sealed_backup
from server.http.credentials import authenticate
from server.http.described import described
from server.http.json_body import json_object, text_of
from server.http.parts import parts
from server.rest import blueprint


@blueprint.post("/backup")
@described(body={"passphrase": "string"}, answers="application/octet-stream")
def post_backup() -> Response:
    """A backup of everything, encrypted with the passphrase."""
    authenticate().require("backup.run", Place())
    passphrase = text_of(json_object(), "passphrase", most=1000) or ""
    name = f"minqing-backup-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.tar.enc"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    body = sealed_backup(parts().settings, parts().engine, passphrase)
    return Response(body, content_type="application/octet-stream", headers=headers)

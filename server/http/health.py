"""/healthz (process), /readyz (database, storage, migrations), /metrics (Prometheus)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from sqlalchemy import func, select

from server.http.parts import parts
from server.model import BlobBytes, Change, Cursor
from server.model.revision import check_revision
from server.transactions import transaction

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    with transaction(parts().engine) as session:
        check_revision(session.connection())
    return jsonify(status="ok")


@blueprint.get("/metrics")
def metrics() -> Response:
    with transaction(parts().engine) as session:
        last = session.scalar(select(func.coalesce(func.max(Change.position), 0))) or 0
        waiting = session.scalar(select(func.count()).select_from(Change).where(Change.position.is_(None))) or 0
        spilled = session.scalar(select(func.count()).select_from(BlobBytes)) or 0
        cursors = session.execute(select(Cursor.consumer, Cursor.position, Cursor.failures)).all()
    lines = ["# TYPE minqing_changes gauge", f"minqing_changes {last}", f"minqing_changes_unnumbered {waiting}", f"minqing_blobs_spilled {spilled}"]
    for consumer, position, failures in cursors:
        lines += [f'minqing_consumer_lag{{consumer="{consumer}"}} {last - position}', f'minqing_consumer_failures{{consumer="{consumer}"}} {failures}']
    return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")

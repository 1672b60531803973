"""Adapter for programs: ODK Central's `/v1`, one module per resource."""

from flask import Blueprint

blueprint = Blueprint("rest", __name__, url_prefix="/v1")

from server.rest import sessions  # noqa: E402

__all__ = ["blueprint", "sessions"]

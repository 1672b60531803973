"""Adapter for OData 4.0: a form's submissions for Power BI, Excel, R and Python."""

from flask import Blueprint

blueprint = Blueprint("odata", __name__, url_prefix="/v1")

from server.odata import documents, entities, service  # noqa: E402

__all__ = ["blueprint", "documents", "entities", "service"]

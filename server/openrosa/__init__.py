"""Adapter for phones: OpenRosa over the token address and over Kobo-style addresses."""

from flask import Blueprint

from server.http import compressed

blueprint = Blueprint("openrosa", __name__)
compressed.register(blueprint)

from server.openrosa import entity_integrity, form_files, form_list, kobo_addresses, submission  # noqa: E402

__all__ = ["blueprint", "entity_integrity", "form_files", "form_list", "kobo_addresses", "submission"]

"""Users, phones and their like as JSON."""

from __future__ import annotations

from typing import Any

from server.access.phones import PhoneAccess
from server.http.json_answers import instant
from server.model import ActorRow, User

_TYPES = {"phone": "field_key"}


def actor_shape(row: ActorRow) -> dict[str, Any]:
    """Any actor."""
    return {
        "id": row.id,
        "type": _TYPES.get(row.kind, row.kind),
        "displayName": row.display_name,
        "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
        "deletedAt": instant(row.deleted_at),
    }


def user_shape(user: User, row: ActorRow) -> dict[str, Any]:
    """A person with an account."""
    return {**actor_shape(row), "email": user.email, "lastLoginAt": instant(user.last_sign_in_at)}


def phone_shape(phone: PhoneAccess, row: ActorRow) -> dict[str, Any]:
    """A phone with its token (null once revoked)."""
    return {**actor_shape(row), "projectId": phone.project_id, "token": phone.token}

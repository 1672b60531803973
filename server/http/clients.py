"""What a client says of itself beside what it sends."""

from __future__ import annotations

from flask import request


def bounded(text: str | None) -> str | None:
    """What a client says of itself, as 255 printable characters at most."""
    return "".join(c for c in text if c.isprintable())[:255] or None if text else None


def device_of() -> str | None:
    """The device that `?deviceID=` names."""
    return bounded(request.args.get("deviceID"))


def client_of() -> str | None:
    """What sends this request."""
    return client_name(request.headers.get("ODK-Client"), request.headers.get("User-Agent"))


def client_name(odk_client: str | None, user_agent: str | None) -> str | None:
    """User-Agent, after the name that a program on ODK Central's libraries gives in ODK-Client."""
    return bounded(" ".join(name for name in (odk_client, user_agent) if name))

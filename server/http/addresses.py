"""Addresses as the phone or browser reaches them."""

from __future__ import annotations

from urllib.parse import quote

from flask import request

from server.http.parts import parts


def base_url() -> str:
    """`https://host` without a slash: the setting, else what the request came by (ProxyFix has read X-Forwarded-*)."""
    configured = parts().settings.base_url.rstrip("/")
    return configured or request.host_url.rstrip("/")


def new_password_address(token: str) -> str:
    """The page on which the holder of a reset token chooses a password."""
    return f"{base_url()}/new-password/{quote(token, safe='')}"

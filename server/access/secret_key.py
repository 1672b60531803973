"""The server's one secret: from the settings, or made once and kept in the data directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from server.settings import Settings


def read_secret_key(settings: Settings) -> str:
    """The secret; made on first use in a file that only the owner reads. Two processes that start at once get the same."""
    if settings.secret_key:
        return settings.secret_key
    path = Path(settings.data) / "secret.key"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if another process was first; then its secret counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii").strip()

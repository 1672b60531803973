"""What holds for the whole site, and keys for encrypted forms."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import RowId, Table


class SiteConfig(Table):
    """One configured value: JSON, or a picture's blob with its content type."""

    __tablename__ = "site_config"
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any] | None]
    blob_sha256: Mapped[str | None] = mapped_column(String(64), ForeignKey("blobs.sha256"), index=True)
    content_type: Mapped[str | None] = mapped_column(String(100))
    set_at: Mapped[datetime]


class EncryptionKey(Table):
    """A public key that forms carry. A managed one has its private key here, sealed by the passphrase that only people know."""

    __tablename__ = "encryption_keys"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public: Mapped[str] = mapped_column(unique=True)
    private: Mapped[dict[str, Any] | None]
    managed: Mapped[bool]
    hint: Mapped[str | None]
    created_at: Mapped[datetime]

"""Settings: a name, a default, a sentence and an environment variable, one line each."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from pathlib import Path

# The clock of phones, pages and deadlines.
CHINA = timezone(timedelta(hours=8))


def _setting(default: object, sentence: str, variable: str) -> object:
    return field(default=default, metadata={"sentence": sentence, "variable": variable})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one server runs with. Empty strings mean the default that the sentence names."""

    data: Path = _setting(Path("data"), "Directory of the databases, blobs and the secret", "MINQING_DATA")  # type: ignore[assignment]
    database_url: str = _setting("", "SQLAlchemy URL; default SQLite in the data directory", "MINQING_DATABASE_URL")  # type: ignore[assignment]
    central_url: str = _setting("", "Central database; default a second SQLite file", "MINQING_CENTRAL_URL")  # type: ignore[assignment]
    storage: str = _setting("", "Blobs: file:PATH or s3://bucket/prefix; default files in the data directory", "MINQING_STORAGE")  # type: ignore[assignment]
    s3_endpoint: str = _setting("", "Address of an S3 service other than Amazon's", "MINQING_S3_ENDPOINT")  # type: ignore[assignment]
    base_url: str = _setting("", "Address as phones reach it; default from each request", "MINQING_BASE_URL")  # type: ignore[assignment]
    secret_key: str = _setting("", "Key for sealing and signing; default made and kept in the data directory", "MINQING_SECRET_KEY")  # type: ignore[assignment]
    admin_email: str = _setting("admin@minqing.local", "First administrator's sign-in", "MINQING_ADMIN_EMAIL")  # type: ignore[assignment]
    admin_password: str = _setting("", "First administrator's password; default made and printed once", "MINQING_ADMIN_PASSWORD")  # type: ignore[assignment]
    forwarded_hosts: int = _setting(1, "Reverse proxies whose X-Forwarded-* headers are believed", "MINQING_FORWARDED_HOSTS")  # type: ignore[assignment]
    post_bytes: int = _setting(10_000_000, "Bytes that a phone is told to put into one POST", "MINQING_POST_BYTES")  # type: ignore[assignment]
    max_body_bytes: int = _setting(110_000_000, "Largest request body accepted", "MINQING_MAX_BODY_BYTES")  # type: ignore[assignment]
    smtp_url: str = _setting("", "Mail server: smtp://, smtp+starttls:// or smtps://user:password@host:port", "MINQING_SMTP_URL")  # type: ignore[assignment]
    mail_from: str = _setting("minqing@localhost", "Sender of mails", "MINQING_MAIL_FROM")  # type: ignore[assignment]
    map_bounds: str = _setting("36.5,100.0,37.7,101.3", "The map's south, west, north and east, in degrees", "MINQING_MAP_BOUNDS")  # type: ignore[assignment]
    password_rounds: int = _setting(3, "Argon2id passes over memory", "MINQING_PASSWORD_ROUNDS")  # type: ignore[assignment]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
        """Read `MINQING_*`, or the file named by `MINQING_*_FILE` (for secrets). `overrides` win where not None."""
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {}
        for setting in dataclasses.fields(cls):
            text = environment.get(setting.metadata["variable"])
            if text is None and (path := environment.get(setting.metadata["variable"] + "_FILE")):
                text = Path(path).read_text(encoding="utf-8").strip()
            if text is not None:
                values[setting.name] = type(setting.default)(text)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)  # type: ignore[arg-type]

    @property
    def server_database(self) -> str:
        """SQLAlchemy URL of the form server's database."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'minqing.sqlite'}"

    @property
    def central_database(self) -> str:
        """SQLAlchemy URL of the central database."""
        return self.central_url or f"sqlite:///{self.data.absolute() / 'central.sqlite'}"

    @property
    def map_corners(self) -> tuple[float, float, float, float]:
        """South, west, north, east in degrees. Raises: ValueError, with the setting's name."""
        try:
            south, west, north, east = (float(part) for part in self.map_bounds.split(","))
        except ValueError:
            raise ValueError(f"MINQING_MAP_BOUNDS: south,west,north,east, not {self.map_bounds!r}") from None
        if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
            raise ValueError(f"MINQING_MAP_BOUNDS: south,west,north,east, not {self.map_bounds!r}")
        return south, west, north, east

    @property
    def blob_storage(self) -> str:
        """`file:PATH` or `s3://bucket/prefix`."""
        return self.storage or f"file:{self.data.absolute() / 'blobs'}"

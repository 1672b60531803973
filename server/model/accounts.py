"""Actors (users, phones), their sessions and roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import RowId, Table


class ActorRow(Table):
    """Anyone who can act. `kind` is user, phone or system; `division` binds to the rows under that prefix."""

    __tablename__ = "actors"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    display_name: Mapped[str] = mapped_column(String(255))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    division: Mapped[str | None] = mapped_column(String(12))
    properties: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class User(Table):
    """A person who signs in with e-mail and password. `password_hash` is Argon2id."""

    __tablename__ = "users"
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)  # lower case
    password_hash: Mapped[str | None] = mapped_column(String(255))
    language: Mapped[str | None] = mapped_column(String(10))
    last_sign_in_at: Mapped[datetime | None]


class Phone(Table):
    """An app user: a token in the address, or a user name with password for KoboCollect.

    The token and the password are sealed (they are shown again as a QR code); `token_key` is the look-up hash.
    """

    __tablename__ = "phones"
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    token_key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actors.id"), index=True)
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]


class AccountSession(Table):
    """A signed-in browser or program. Only the token's SHA-256 is kept."""

    __tablename__ = "sessions"
    token_key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user_agent: Mapped[str | None] = mapped_column(String(255))


class Assignment(Table):
    """An actor has a role at the site (no project), a project, or one form of it."""

    __tablename__ = "assignments"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"))
    role: Mapped[str] = mapped_column(String(40))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    form_id: Mapped[int | None] = mapped_column(ForeignKey("forms.id"), index=True)
    __table_args__ = (Index("ix_assignments_actor_id", "actor_id"),)


class PublicLink(Table):
    """A link by which anyone may fill in one form, once per browser if `once`; `revoked_at` ends it. Sealed as a phone's token is."""

    __tablename__ = "public_links"
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    form_pk: Mapped[int] = mapped_column(ForeignKey("forms.id"), index=True)
    token_key: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    once: Mapped[bool]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("actors.id"), index=True)
    revoked_at: Mapped[datetime | None]


class PasswordReset(Table):
    """A token that lets its holder choose a new password, once, until `expires_at`. Only its SHA-256 is kept."""

    __tablename__ = "password_resets"
    token_key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UserPreference(Table):
    """What a user set in a program's pages. `project_id` is 0 for the whole site; `value` is {"value": any JSON}."""

    __tablename__ = "user_preferences"
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    value: Mapped[dict[str, Any]]


class ActorProperty(Table):
    """A name under which a project's phones and public links carry values (ActorRow.properties)."""

    __tablename__ = "actor_properties"
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("project_id", "name"),)


class SignInFailure(Table):
    """Failed tries per account and per address, so that guessing is slowed without locking anyone out for good."""

    __tablename__ = "sign_in_failures"
    key: Mapped[str] = mapped_column(String(340), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]

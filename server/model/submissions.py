"""Submissions, their versions, attachments and comments. Keys start with the project, so PostgreSQL can partition by it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.model.schema import Table


class Submission(Table):
    """One case. `instance_id` is the first version's and never changes; `current_version_id` moves with edits.

    `review_state` is one of received, edited, hasIssues, approved, rejected; `review_level` is "township" after the first approval,
    "county" after the second. `xml_md5` and the version's columns that lists need are repeated here, from the current version.
    """

    __tablename__ = "submissions"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    form_pk: Mapped[int] = mapped_column(ForeignKey("forms.id"))
    is_draft: Mapped[bool]
    instance_id: Mapped[str] = mapped_column(String(255))
    instance_name: Mapped[str | None] = mapped_column(String(1000))
    current_version_id: Mapped[int] = mapped_column(BigInteger)
    form_version_id: Mapped[int] = mapped_column(BigInteger)
    submitter_id: Mapped[int | None] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(String(255))
    division: Mapped[str] = mapped_column(String(12))
    review_state: Mapped[str] = mapped_column(String(12))
    review_level: Mapped[str | None] = mapped_column(String(12))
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    __table_args__ = (
        Index("uq_submissions_instance", "form_pk", "is_draft", "instance_id", unique=True),
        Index("ix_submissions_form_received", "form_pk", "is_draft", "received_at", "id"),
        Index("ix_submissions_division_received", "project_id", "division", "received_at"),
        Index("ix_submissions_project_received", "project_id", "received_at", "id"),
        Index("ix_submissions_trash", "form_pk", "deleted_at",
              sqlite_where=text("deleted_at IS NOT NULL"), postgresql_where=text("deleted_at IS NOT NULL")),
    )


class SubmissionVersion(Table):
    """One version as a phone sent it: `xml` byte for byte; `answers` derived from it at receipt (submissions/answers.py)."""

    __tablename__ = "submission_versions"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    form_pk: Mapped[int] = mapped_column(BigInteger)
    is_draft: Mapped[bool]
    submission_id: Mapped[int] = mapped_column(BigInteger)
    form_version_id: Mapped[int] = mapped_column(BigInteger)
    instance_id: Mapped[str] = mapped_column(String(255))
    deprecates: Mapped[str | None] = mapped_column(String(255))
    xml: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    answers: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    is_encrypted: Mapped[bool]
    is_complete: Mapped[bool]
    submitter_id: Mapped[int | None] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(String(255))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    received_at: Mapped[datetime]
    entity_errors: Mapped[list[Any] | None]
    __table_args__ = (
        Index("uq_submission_versions_instance", "form_pk", "is_draft", "instance_id", unique=True),
        Index("ix_submission_versions_submission", "project_id", "submission_id"),
    )


class Attachment(Table):
    """A file that a version mentions or that was sent with it; it is there once it has a blob."""

    __tablename__ = "submission_attachments"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    blob_sha256: Mapped[str | None] = mapped_column(String(64), ForeignKey("blobs.sha256"), index=True)
    is_expected: Mapped[bool]
    content_type: Mapped[str | None] = mapped_column(String(100))
    received_at: Mapped[datetime | None]


class Comment(Table):
    """What staff wrote about a submission; `review_state` where it came with a decision."""

    __tablename__ = "submission_comments"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    submission_id: Mapped[int] = mapped_column(BigInteger)
    actor_id: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[str]
    review_state: Mapped[str | None] = mapped_column(String(12))
    created_at: Mapped[datetime]
    __table_args__ = (Index("ix_submission_comments_submission", "project_id", "submission_id"), UniqueConstraint("id"))


class PurgedSubmission(Table):
    """An instanceID that was here and was erased for good: a phone that sends it again is told so."""

    __tablename__ = "purged_submissions"
    form_pk: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    instance_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    purged_at: Mapped[datetime]


class RuleViolations(Table):
    """What a submission's version breaks of its form's own rules, as checked on the server; a version that breaks none has no row.

    `violations`: {path, rule, messages} each, as forms/rules/check.py gives them; never an answer.
    """

    __tablename__ = "rule_violations"
    project_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    submission_id: Mapped[int] = mapped_column(BigInteger)
    violations: Mapped[list[Any]]
    checked_at: Mapped[datetime]
    __table_args__ = (Index("ix_rule_violations_submission", "project_id", "submission_id"),)

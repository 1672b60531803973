"""Tables only. Import `Table` classes from here: `from server.model import Submission`."""

from server.model.accounts import (
    AccountSession,
    ActorProperty,
    ActorRow,
    Assignment,
    PasswordReset,
    Phone,
    PublicLink,
    SignInFailure,
    User,
    UserPreference,
)  # fmt: skip
from server.model.audit import AuditEntry
from server.model.blobs import BlobBytes, BlobRow
from server.model.changes import Change, Cursor, Lease
from server.model.entities import (
    Entity,
    EntityAudit,
    EntityHeld,
    EntityList,
    EntityProperty,
    EntitySource,
    EntitySum,
    EntityVersion,
    PurgedEntity,
)  # fmt: skip
from server.model.entity_imports import EntityAbsence, EntityImport
from server.model.forms import Form, FormAttachment, FormVersion, Project
from server.model.schema import Table
from server.model.site import EncryptionKey, SiteConfig
from server.model.submissions import Attachment, Comment, PurgedSubmission, RuleViolations, Submission, SubmissionVersion

__all__ = [
    "AccountSession", "ActorProperty", "ActorRow", "Assignment", "Attachment", "AuditEntry", "BlobBytes", "BlobRow", "Change", "Comment",
    "Cursor", "EncryptionKey", "Entity", "EntityAbsence", "EntityAudit", "EntityHeld", "EntityImport", "EntityList", "EntityProperty", "EntitySource", "EntitySum", "EntityVersion", "Form",
    "FormAttachment", "FormVersion", "Lease", "PasswordReset", "Phone", "Project", "PublicLink", "PurgedEntity", "PurgedSubmission", "RuleViolations", "SignInFailure", "SiteConfig",
    "Submission", "SubmissionVersion", "Table", "User", "UserPreference",
]  # fmt: skip

"""Tables only. Import `Table` classes from here: `from server.model import Submission`."""

from server.model.accounts import AccountSession, ActorRow, Assignment, Phone, SignInFailure, User
from server.model.audit import AuditEntry
from server.model.blobs import BlobBytes, BlobRow
from server.model.changes import Change, Cursor, Lease
from server.model.entities import Entity, EntityHeld, EntityList, EntityProperty, EntityVersion
from server.model.forms import Form, FormAttachment, FormVersion, Project
from server.model.schema import Table
from server.model.submissions import Attachment, Comment, Submission, SubmissionVersion

__all__ = [
    "AccountSession", "ActorRow", "Assignment", "Attachment", "AuditEntry", "BlobBytes", "BlobRow", "Change", "Comment",
    "Cursor", "Entity", "EntityHeld", "EntityList", "EntityProperty", "EntityVersion", "Form", "FormAttachment",
    "FormVersion", "Lease", "Phone", "Project", "SignInFailure", "Submission", "SubmissionVersion", "Table", "User",
]  # fmt: skip

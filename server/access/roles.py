"""Rights are verbs on things; a role is a set of them. ODK Central's roles, and the county's (domain: who does what).

Verbs that ODK Central has bear its names: programs ask which of them a user has. `field_key` is its word for a phone.
"""

from __future__ import annotations

from dataclasses import dataclass

_SEE_FORMS = {"project.read", "form.list", "form.read"}
_READ = {*_SEE_FORMS, "submission.list", "submission.read", "dataset.list", "dataset.read", "entity.list", "entity.read"}
_MANAGE = {
    *_READ, "project.update", "project.delete", "form.create", "form.update", "form.delete", "form.restore", "submission.create",
    "submission.update", "submission.delete", "submission.restore", "field_key.create", "field_key.list", "field_key.update",
    "field_key.delete", "public_link.create", "public_link.list", "public_link.read", "public_link.update", "public_link.delete",
    "assignment.list", "assignment.create", "assignment.delete", "session.end", "dataset.create", "dataset.update", "dataset.delete",
    "entity.create", "entity.update", "entity.delete", "entity.restore", "actor_property.list", "actor_property.update",
}  # fmt: skip
_SITE = {
    *_MANAGE, "project.create", "config.read", "config.set", "user.create", "user.list", "user.read", "user.update", "user.delete",
    "user.password.invalidate", "role.create", "role.update", "role.delete", "audit.read", "backup.run", "analytics.read",
}  # fmt: skip
_PHONE = {"open_form.read", "submission.create"}
_REVIEW = {"submission.review", "submission.comment"}
# The county keeps the register; a township corrects it and settles its conflicts.
_KEEP_REGISTER = {"entity.create", "entity.update", "entity.delete", "entity.restore"}


@dataclass(frozen=True, slots=True)
class Role:
    """A role as programs see it: `number` and `name` are shown, `system` is how assignments store it."""

    number: int
    system: str
    name: str
    verbs: frozenset[str]


LISTED_ROLES: tuple[Role, ...] = (
    Role(1, "admin", "Administrator", frozenset(_SITE)),
    Role(2, "app-user", "App User", frozenset(_PHONE)),
    Role(3, "pwreset", "Password Reset Token", frozenset({"user.password.reset"})),
    Role(5, "manager", "Project Manager", frozenset(_MANAGE)),
    Role(6, "formview", "Form Viewer (system internal)", frozenset({"form.read"})),
    Role(7, "viewer", "Project Viewer", frozenset({*_READ, "actor_property.list"})),
    Role(8, "formfill", "Data Collector", frozenset({"project.read", "open_form.list", *_PHONE})),
    Role(9, "pub-link", "Public Link", frozenset({"open_form.read", "submission.create"})),
    Role(20, "county-reviewer", "County Reviewer", frozenset({*_READ, *_REVIEW, *_KEEP_REGISTER, "submission.review.final", "phone.list", "person.unmask"})),
    Role(21, "township-reviewer", "Township Reviewer", frozenset({*_READ, *_REVIEW, "entity.update", "phone.list", "person.unmask"})),
    Role(22, "county-leader", "County Leader", frozenset({*_SEE_FORMS, "totals.read"})),
    Role(23, "auditor", "Auditor", frozenset({*_READ, "audit.read", "person.unmask"})),
)
# What a listed verb allows besides itself; not listed, because ODK Central's programs know no such verbs.
_IMPLIED: dict[str, frozenset[str]] = {
    "form.list": frozenset({"open_form.list"}),
    # phone.list is to see phones without their tokens, phone.read with them.
    "field_key.list": frozenset({"phone.list", "phone.read"}),
    "form.read": frozenset({"open_form.read"}),
    "open_form.read": frozenset({"dataset.download"}),
    # Who may list the cases may read what they add up to.
    "submission.list": frozenset({"totals.read"}),
    "dataset.read": frozenset({"dataset.download"}),
    "submission.update": frozenset({*_REVIEW, "submission.review.final"}),
    # To import a file of rows, and to undo that.
    "entity.create": frozenset({"entity.import"}),
    "config.set": frozenset({"form.purge", "job.read", "person.unmask"}),
}


def _with_implied(verbs: frozenset[str]) -> frozenset[str]:
    return verbs.union(*(_IMPLIED.get(verb, frozenset()) for verb in verbs), *(_IMPLIED.get(v, frozenset()) for w in verbs for v in _IMPLIED.get(w, ())))


ROLES: dict[str, frozenset[str]] = {role.system: _with_implied(role.verbs) for role in LISTED_ROLES}


def find_role(name: str) -> Role | None:
    """The role by its system name or by its number as text."""
    return next((role for role in LISTED_ROLES if name in (role.system, str(role.number))), None)

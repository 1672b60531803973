"""Rights are verbs on things; a role is a set of them. Central's roles and the county's (domain: who does what)."""

from __future__ import annotations

_READ = {"project.read", "form.list", "form.read", "submission.list", "submission.read", "entity_list.list", "entity_list.read", "entity.list", "entity.read"}
_PHONE = {"form.list", "form.read", "submission.create", "entity_list.read", "open_form.list"}
_REVIEW = {"submission.review", "submission.comment"}
_MANAGE = {
    "project.update", "form.create", "form.update", "form.delete", "form.restore", "submission.create", "submission.update",
    "submission.delete", "submission.restore", "phone.create", "phone.list", "phone.read", "phone.delete", "assignment.list",
    "assignment.create", "assignment.delete", "entity_list.create", "entity_list.update", "entity.create", "entity.update",
    "entity.delete", "submission.export",
}  # fmt: skip
_SITE = {"project.create", "project.delete", "user.create", "user.list", "user.read", "user.update", "user.delete", "config.read", "config.set", "audit.read", "job.read"}

ROLES: dict[str, frozenset[str]] = {
    "admin": frozenset(_READ | _PHONE | _REVIEW | _MANAGE | _SITE | {"form.purge"}),
    "manager": frozenset(_READ | _PHONE | _REVIEW | _MANAGE),
    "viewer": frozenset(_READ),
    "formfill": frozenset({"project.read", "form.list", "form.read", "submission.create", "open_form.list"}),
    "app-user": frozenset(_PHONE),
    "county-reviewer": frozenset(_READ | _REVIEW | {"submission.review.final", "submission.export", "phone.list", "person.unmask"}),
    "township-reviewer": frozenset(_READ | _REVIEW | {"phone.list", "person.unmask"}),
    "county-leader": frozenset({"project.read", "form.list", "form.read", "totals.read"}),
    "auditor": frozenset(_READ | {"audit.read", "person.unmask"}),
}

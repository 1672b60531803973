"""Adapter for programs: ODK Central's `/v1`, one module per resource."""

from flask import Blueprint

blueprint = Blueprint("rest", __name__, url_prefix="/v1", template_folder="templates")

from server.rest import (  # noqa: E402
    actor_properties,
    app_users,
    assignments,
    audits,
    backup,
    comments,
    config,
    form_drafts,
    form_versions,
    forms,
    geodata,
    openapi,
    project_update,
    projects,
    public_links,
    roles,
    sessions,
    submission_attachments,
    submission_exports,
    submission_versions,
    submissions,
    user_preferences,
    users,
)

__all__ = [
    "actor_properties",
    "app_users",
    "assignments",
    "audits",
    "backup",
    "blueprint",
    "comments",
    "config",
    "form_drafts",
    "form_versions",
    "forms",
    "geodata",
    "openapi",
    "project_update",
    "projects",
    "public_links",
    "roles",
    "sessions",
    "submission_attachments",
    "submission_exports",
    "submission_versions",
    "submissions",
    "user_preferences",
    "users",
]

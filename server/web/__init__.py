"""The staff pages: adapters between a browser and the rooms below; closed to strangers by default."""

from flask import Blueprint

blueprint = Blueprint("web", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

from server.web import accounts, comments, downloads, form_drafts, forms, phones, pages, submissions  # noqa: E402, I001

problem_page, register = pages.problem_page, pages.register

__all__ = [
    "accounts", "blueprint", "comments", "downloads", "form_drafts", "forms", "pages", "phones", "problem_page", "register", "submissions",
]  # fmt: skip

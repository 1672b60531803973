"""The staff pages: adapters between a browser and the rooms below; closed to strangers by default."""

from flask import Blueprint

blueprint = Blueprint("web", __name__, template_folder="templates", static_folder="static", static_url_path="/static")

from server.web import account, accounts, comments, disasters, downloads, entities, entity_imports, entity_lists, form_drafts, forms, phones, pages, submissions, visitor, visits  # noqa: E402, I001

problem_page, register, is_known_visitor = pages.problem_page, pages.register, visitor.is_known_visitor

__all__ = [
    "account", "accounts", "blueprint", "comments", "disasters", "downloads", "entities", "entity_imports", "entity_lists", "form_drafts", "forms", "is_known_visitor", "pages", "phones", "problem_page", "register", "submissions",
    "visitor", "visits",
]  # fmt: skip

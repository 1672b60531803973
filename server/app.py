"""create_app(settings): wires parts, registers blueprints, nothing else."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Request, Response, request
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.middleware.proxy_fix import ProxyFix

from server import odata, openrosa, rest, web
from server.access.sealed import open_server_database
from server.access.secret_key import read_secret_key
from server.access.secrets import Secrets
from server.http import asking_first, health, problem_answers, sealed_values, storable
from server.http.key_addresses import KeyAddresses
from server.http.parts import Parts
from server.openrosa import answers
from server.settings import Settings
from server.storage import open_storage
from server.transactions import open_engine


class _NoFlaskSession(SessionInterface):
    """Staff's sessions are rows (access/sessions.py); Flask's cookie would be opened for every phone's request."""

    def open_session(self, app: Flask, request: Request) -> None:  # noqa: ARG002 - Flask names them
        return None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:  # noqa: ARG002
        return None


def create_app(settings: Settings) -> Flask:
    """The WSGI app over a prepared database. Two apps with two settings live in one process side by side."""
    app = Flask("server", static_folder=None)
    app.url_map.strict_slashes = False
    engine = open_server_database(settings)
    secrets = Secrets(read_secret_key(settings))
    app.secret_key = secrets.signing
    app.session_interface = _NoFlaskSession()
    app.config.update(MAX_CONTENT_LENGTH=settings.max_body_bytes, MAX_FORM_MEMORY_SIZE=2_000_000, MAX_FORM_PARTS=1000)
    storage = open_storage(settings.blob_storage, settings.s3_endpoint, engine)
    app.extensions["minqing"] = Parts(settings, engine, secrets, storage, open_engine(settings.central_database, pool_size=5))
    app.register_blueprint(openrosa.blueprint)
    app.register_blueprint(rest.blueprint)
    app.register_blueprint(odata.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(web.blueprint)
    web.register(app)
    problem_answers.register(app, _problem_writer)
    storable.register(app)
    sealed_values.register(app)
    asking_first.register(app, is_known_visitor=web.is_known_visitor)
    app.wsgi_app = KeyAddresses(app.wsgi_app)  # type: ignore[method-assign]
    if settings.forwarded_hosts:
        hops = settings.forwarded_hosts
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _problem_writer() -> Callable[..., Response]:
    """XML for phones, JSON for programs, a page for staff: by blueprint, or by path where no route matched."""
    if request.blueprint == "openrosa" or answers.is_phone_path(request.path):
        return answers.problem_xml
    if request.path.startswith("/v1") or request.blueprint in {"rest", "odata", "health"}:
        return problem_answers.problem_json
    return web.problem_page

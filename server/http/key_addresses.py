"""`/v1/key/TOKEN/...` and `?st=TOKEN`: any address, opened with a phone's or a public link's token.

The token is taken out of the path before routing, so that each route is written once and no log shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from flask import request

_KEY_PATH = re.compile(r"/v1/key/([^/]+)(/.*)", re.DOTALL)
_KEY = "minqing.key"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class KeyAddresses:
    """A WSGI step that moves the token from the address into the environment."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/v1/key/"):
            found = _KEY_PATH.fullmatch(path)
            if found is not None:
                environ[_KEY] = found[1]
                environ["PATH_INFO"] = "/v1" + found[2]
        elif "st=" in environ.get("QUERY_STRING", "") and path.startswith("/v1/"):
            _take_from_query(environ)
        return self._app(environ, start_response)


def _take_from_query(environ: dict[str, Any]) -> None:
    pairs = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True, max_num_fields=None)
    tokens = [value for name, value in pairs if name == "st"]
    if tokens:
        environ[_KEY] = tokens[0]
        environ["QUERY_STRING"] = urlencode([pair for pair in pairs if pair[0] != "st"])


def key_of_request() -> str | None:
    """The token that this request's address carried."""
    return request.environ.get(_KEY)


def own_prefix() -> str:
    """`/v1`, or `/v1/key/TOKEN` for who came so: what addresses in answers begin with."""
    key = key_of_request()
    return "/v1" if key is None else f"/v1/key/{quote(key, safe='!$')}"

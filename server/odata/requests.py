"""What a client may ask of OData here: formats, versions, query options."""

from __future__ import annotations

import re

from flask import request

from server import problems
from server.exports.odata_documents import TableQuery
from server.odata.addresses import read_token

_OPTIONS = {"$format", "$count", "$skip", "$top", "$filter", "$wkt", "$expand", "$select", "$skiptoken", "$orderby", "$search"}
_JSON = re.compile(r"(^|,)(application/json|json)($|;|,)", re.IGNORECASE)
_XML = re.compile(r"(^|,)(application/(atom(svc)?\+)?xml|atom|xml)($|;|,)", re.IGNORECASE)
_FORMATS = {"json": ["application/json", "json"], "xml": ["application/xml", "atom"]}
_WHOLE = re.compile(r"\s*([+-]?\d{1,15})")
_MOST = 2**31 - 1


def check_request(kind: str, *, also: str = "") -> None:
    """`also`: one more option that this address takes. Raises: unacceptable_format, not_found (an older protocol), not_implemented, unsupported_odata_expand, unsupported_odata_select_expand."""
    wanted = request.args.get("$format") or request.headers.get("Accept", "")
    takes_json, takes_xml = _JSON.search(wanted) is not None, _XML.search(wanted) is not None
    # Excel takes both: it gets the one there is.
    if takes_json != takes_xml and (takes_json if kind == "xml" else takes_xml):
        raise problems.unacceptable_format(_FORMATS[kind], wanted[:200])
    version = request.headers.get("OData-MaxVersion")
    if version is not None and re.fullmatch(r"\s*[0-3](\.\d{0,5})?\s*", version):
        raise problems.not_found()
    for name in request.args:
        if name not in _OPTIONS and name != also:
            raise problems.not_implemented(name[:100])
    expand = request.args.get("$expand")
    if expand and expand != "*":
        raise problems.unsupported_odata_expand(expand[:200])
    if expand and request.args.get("$select"):
        raise problems.unsupported_odata_select_expand()


def table_query(*, is_repeat: bool) -> TableQuery:
    """The query options as plain values. Raises: odata_invalid_skiptoken, not_implemented, invalid_data_type."""
    given = request.args
    token = given.get("$skiptoken")
    content = read_token(token) if token else {}
    if token and given.get("$orderby"):
        raise problems.not_implemented("using $orderby and $skiptoken together")
    after = content.get("repeatId" if is_repeat else "instanceId")
    if token and after is None:
        raise problems.odata_repeat_id_not_found() if "repeatId" in content else problems.odata_invalid_skiptoken()
    return TableQuery(
        top=_whole("$top"), skip=0 if token else _whole("$skip") or 0, counts=given.get("$count", "").strip().lower() == "true", after=after,
        filter_text=given.get("$filter"), order_text=given.get("$orderby"), search=given.get("$search"), select=given.get("$select"),
        expand=given.get("$expand") == "*", wkt=given.get("$wkt", "").strip().lower() == "true",
    )  # fmt: skip


def _whole(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    found = _WHOLE.match(text)
    if found is None:
        raise problems.invalid_data_type(name, text[:50], "integer")
    return min(max(int(found[1]), 0), _MOST)

"""OData of entity lists: service, `$metadata` and the entities."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
from flask import Response, request

from server import problems
from server.entities.lists import get_list, list_properties
from server.exports.entity_odata import EntityQuery, Footer, entity_document, prepare_entities
from server.exports.entity_past import read_as_of
from server.exports.tables import odata_name
from server.http.credentials import authenticate
from server.http.described import described
from server.http.parts import parts
from server.http.streamed import answer_stream
from server.odata import blueprint
from server.odata.addresses import next_addresses, read_token, service_root
from server.odata.requests import check_request
from server.transactions import transaction

_LIST = "/projects/<int:project_id>/datasets/<name>.svc"
_SERVICE = "application/json; charset=utf-8; odata.metadata=minimal"
_JSON = "application/json; charset=utf-8"
_XML = "text/xml; charset=utf-8"
_OPTIONS = {
    "$top": "integer", "$skip": "integer", "$skiptoken": "string", "$count": "boolean", "$filter": "string", "$orderby": "string",
    "$search": "string", "$select": "string", "asOf": "string",
}  # fmt: skip
_WHOLE = re.compile(r"\s*([+-]?\d{1,15})")
_MOST = 2**31 - 2
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@blueprint.get(_LIST)
def get_list_service(project_id: int, name: str) -> Response:
    """The tables of an entity list."""
    actor = authenticate()
    check_request("json")
    with transaction(parts().engine) as session:
        get_list(session, actor, project_id, name, verb="entity.list")
    body = {"@odata.context": f"{service_root()}/$metadata", "value": [{"name": "Entities", "kind": "EntitySet", "url": "Entities"}]}
    return Response(orjson.dumps(body), content_type=_SERVICE)


@blueprint.get(f"{_LIST}/$metadata")
@described(answers="application/xml")
def get_list_metadata(project_id: int, name: str) -> Response:
    """The types of an entity list's table (CSDL XML)."""
    actor = authenticate()
    check_request("xml")
    with transaction(parts().engine) as session:
        properties = list_properties(session, get_list(session, actor, project_id, name, verb="entity.list"))
    return Response(entity_edmx(name, properties), content_type=_XML)


@blueprint.get(f"{_LIST}/Entities")
@described(query=_OPTIONS)
def get_entity_table(project_id: int, name: str) -> Response:
    """The entities of a list; with asOf as they were then."""
    actor = authenticate()
    check_request("json", also="asOf")
    query = _query()
    with transaction(parts().engine) as session:
        table = prepare_entities(session, actor, project_id, name, query)
    return answer_stream(entity_document(table, parts().engine, _footer(query)), _JSON)


def _query() -> EntityQuery:
    given = request.args
    token, order = given.get("$skiptoken"), given.get("$orderby")
    content = read_token(token) if token else {}
    if token and order:
        raise problems.not_implemented("using $orderby and $skiptoken together")
    after = content.get("uuid")
    if token and (after is None or not _UUID.fullmatch(after)):
        raise problems.odata_invalid_skiptoken()
    return EntityQuery(
        top=_number("$top"), skip=0 if token else _number("$skip") or 0, counts=given.get("$count", "").strip().lower() == "true",
        after=after.lower() if after else None, filter_text=given.get("$filter"), order_text=order, search=given.get("$search"),
        select=given.get("$select"), as_of=read_as_of(given.get("asOf")),
    )  # fmt: skip


def _number(name: str) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    found = _WHOLE.match(text)
    if found is None:
        raise problems.invalid_data_type(name, text[:50], "integer")
    return min(max(int(found[1]), 0), _MOST)


def _footer(query: EntityQuery) -> Footer:
    context = f"{service_root()}/$metadata#Entities"
    following, address = query.skip + (query.top or 0), next_addresses()

    def footer(has_more: bool, last: str | None, count: int | None) -> bytes:
        said: dict[str, Any] = {"@odata.context": context}
        if has_more:
            said["@odata.nextLink"] = address({"uuid": last} if not query.order_text else None, following)
        if count is not None:
            said["@odata.count"] = count
        return orjson.dumps(said)[1:-1]

    return footer


_EDM = "http://docs.oasis-open.org/odata/ns/edm"
_CAPABILITIES = "Org.OData.Capabilities.V1."
_METADATA = (
    ("createdAt", "DateTimeOffset"), ("creatorId", "String"), ("creatorName", "String"), ("updates", "Int64"), ("updatedAt", "DateTimeOffset"),
    ("deletedAt", "DateTimeOffset"), ("version", "Int64"), ("conflict", "String"),
)  # fmt: skip


def entity_edmx(list_name: str, properties: list[str]) -> str:
    """The list's CSDL document."""
    names = [odata_name(name) for name in properties]
    space = f"org.opendatakit.user.{odata_name(list_name)}"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">']
    lines += [" <edmx:DataServices>", f'  <Schema xmlns="{_EDM}" Namespace="org.opendatakit.entity">', '   <ComplexType Name="metadata">']
    lines += [f'    <Property Name="{name}" Type="Edm.{kind}"/>' for name, kind in _METADATA]
    lines += ["   </ComplexType>", "  </Schema>", f'  <Schema xmlns="{_EDM}" Namespace="{space}">', '   <EntityType Name="Entities">']
    lines += ['    <Key><PropertyRef Name="__id"/></Key>', '    <Property Name="__id" Type="Edm.String"/>']
    lines += ['    <Property Name="__system" Type="org.opendatakit.entity.metadata"/>', '    <Property Name="label" Type="Edm.String"/>']
    lines += [f'    <Property Name={quoteattr(name)} Type="Edm.String"/>' for name in names]
    lines += ["   </EntityType>", f"   <EntityContainer Name={quoteattr(list_name)}>", f'    <EntitySet Name="Entities" EntityType="{space}.Entities">']
    lines += _capabilities(names)
    lines += ["    </EntitySet>", "   </EntityContainer>", "  </Schema>", " </edmx:DataServices>", "</edmx:Edmx>"]
    return "\n".join(lines)


def _capabilities(names: list[str]) -> list[str]:
    level = f"{_CAPABILITIES}ConformanceLevelType/Minimal"
    lines = [f'     <Annotation Term="{_CAPABILITIES}ConformanceLevel" EnumMember="{level}"/>']
    lines += [f'     <Annotation Term="{_CAPABILITIES}BatchSupported" Bool="false"/>']
    for term, name, value in (
        ("CountRestrictions", "Countable", "true"), ("SortRestrictions", "Sortable", "true"), ("ExpandRestrictions", "Expandable", "false"),
        ("SearchRestrictions", "Searchable", "true"),
    ):  # fmt: skip
        lines.append(f'     <Annotation Term="{_CAPABILITIES}{term}"><Record><PropertyValue Property="{name}" Bool="{value}"/></Record></Annotation>')
    paths = "".join(f"<PropertyPath>{name}</PropertyPath>" for name in names)
    lines.append(
        f'     <Annotation Term="{_CAPABILITIES}FilterRestrictions"><Record><PropertyValue Property="Filterable" Bool="true"/>'
        f'<PropertyValue Property="NonFilterableProperties"><Collection>{paths}</Collection></PropertyValue></Record></Annotation>'
    )
    return lines

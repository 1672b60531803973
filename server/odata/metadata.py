"""`$metadata`: a form's tables as an entity model (OData 4.0, CSDL XML)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import quoteattr

from server.exports.odata_rows import SYSTEM
from server.exports.tables import Group, Repeat, all_repeats, odata_name, odata_path, table_tree
from server.forms.fields import Field

_TYPES = {
    "int": "Edm.Int64", "decimal": "Edm.Decimal", "boolean": "Edm.Boolean", "geopoint": "Edm.GeographyPoint",
    "geotrace": "Edm.GeographyLineString", "geoshape": "Edm.GeographyPolygon", "date": "Edm.Date", "dateTime": "Edm.DateTimeOffset",
}  # fmt: skip
_SYSTEM_TYPES = {
    "submissionDate": "Edm.DateTimeOffset", "updatedAt": "Edm.DateTimeOffset", "deletedAt": "Edm.DateTimeOffset", "attachmentsPresent": "Edm.Int64",
    "attachmentsExpected": "Edm.Int64", "edits": "Edm.Int64", "status": "org.opendatakit.submission.Status",
    "reviewState": "org.opendatakit.submission.ReviewState",
}  # fmt: skip
_CAPABILITIES = "Org.OData.Capabilities.V1."


def edmx(form_id: str, fields: Sequence[Field]) -> bytes:
    """The whole document. Types keep ODK Central's names, which saved reports refer to."""
    namespace = f"org.opendatakit.user.{odata_name(form_id)}"
    root = table_tree(fields)
    repeats = list(all_repeats(root))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">',
        "  <edmx:DataServices>",
        *_indented(4, _system_schema()),
        f'    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace={quoteattr(namespace)}>',
        *_indented(6, _entity("Submissions", _properties(root, namespace), key_above=None)),
    ]
    for repeat in repeats:
        above = "-".join(["Submissions", *odata_path(repeat.parent.path)]) if repeat.parent else "Submissions"
        lines += _indented(6, _entity(_entity_name(repeat), _properties(repeat.row, namespace), key_above=f"__{above}-id"))
    for group in _groups(root):
        lines += _indented(6, [f"<ComplexType Name={quoteattr(_type_name(group))}>", *_indented(2, _properties(group, namespace)), "</ComplexType>"])
    lines += _indented(6, [f"<EntityContainer Name={quoteattr(odata_name(form_id))}>", *_indented(2, _sets(repeats, namespace)), "</EntityContainer>"])
    return "\n".join([*lines, "    </Schema>", "  </edmx:DataServices>", "</edmx:Edmx>\n"]).encode("utf-8", "replace")


def _indented(spaces: int, lines: Iterable[str]) -> list[str]:
    return [" " * spaces + line for line in lines]


def _system_schema() -> list[str]:
    states = {"Status": ("notDecrypted", "missingEncryptedFormData"), "ReviewState": ("hasIssues", "edited", "rejected", "approved")}
    lines = ['<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="org.opendatakit.submission">', '  <ComplexType Name="metadata">']
    lines += [f'    <Property Name="{name}" Type="{_SYSTEM_TYPES.get(name, "Edm.String")}"/>' for name in SYSTEM]
    lines.append("  </ComplexType>")
    for name, members in states.items():
        lines += [f'  <EnumType Name="{name}">', *(f'    <Member Name="{member}"/>' for member in members), "  </EnumType>"]
    return [*lines, "</Schema>"]


def _entity(name: str, properties: list[str], *, key_above: str | None) -> list[str]:
    lines = [f"<EntityType Name={quoteattr(name)}>", '  <Key><PropertyRef Name="__id"/></Key>', '  <Property Name="__id" Type="Edm.String"/>']
    if key_above is None:
        lines.append('  <Property Name="__system" Type="org.opendatakit.submission.metadata"/>')
    else:
        lines.append(f'  <Property Name="{key_above}" Type="Edm.String"/>')
    return [*lines, *_indented(2, properties), "</EntityType>"]


def _type_name(group: Group) -> str:
    return ".".join(odata_path(group.path))


def _entity_name(repeat: Repeat) -> str:
    return "Submissions." + ".".join(odata_path(repeat.path))


def _properties(group: Group, namespace: str) -> list[str]:
    lines = []
    for part in group.in_order:
        if isinstance(part, Group):
            lines.append(f'<Property Name="{odata_name(part.name)}" Type="{namespace}.{_type_name(part)}"/>')
        else:
            lines.append(f'<Property Name="{odata_name(part.name)}" Type="{_TYPES.get(part.kind, "Edm.String")}"/>')
    lines += [f'<NavigationProperty Name="{odata_name(repeat.name)}" Type="Collection({namespace}.{_entity_name(repeat)})"/>' for repeat in group.repeats]
    return lines


def _groups(group: Group) -> Iterable[Group]:
    for inner in group.groups:
        yield inner
        yield from _groups(inner)
    for repeat in group.repeats:
        yield from _groups(repeat.row)


def _sets(repeats: Sequence[Repeat], namespace: str) -> list[str]:
    lines = [f'<EntitySet Name="Submissions" EntityType="{namespace}.Submissions">', *_indented(2, _capabilities()), "</EntitySet>"]
    lines += [f'<EntitySet Name="{_entity_name(repeat)}" EntityType="{namespace}.{_entity_name(repeat)}"/>' for repeat in repeats]
    return lines


def _capabilities() -> list[str]:
    level = f"{_CAPABILITIES}ConformanceLevelType/Minimal"
    lines = [
        f'<Annotation Term="{_CAPABILITIES}ConformanceLevel" EnumMember="{level}"/>',
        f'<Annotation Term="{_CAPABILITIES}BatchSupported" Bool="false"/>',
    ]
    for term, name, value in (
        ("CountRestrictions", "Countable", "true"), ("FilterRestrictions", "Filterable", "true"), ("SortRestrictions", "Sortable", "true"),
        ("SearchRestrictions", "Searchable", "true"), ("ExpandRestrictions", "Expandable", "true"),
    ):  # fmt: skip
        lines.append(f'<Annotation Term="{_CAPABILITIES}{term}"><Record><PropertyValue Property="{name}" Bool="{value}"/></Record></Annotation>')
    return lines

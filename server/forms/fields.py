"""A form's fields, choices, files and entity declarations, read from its XForm and kept as JSON beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Path = tuple[str, ...]

KINDS = frozenset({
    "structure", "repeat", "string", "int", "decimal", "date", "time", "dateTime", "geopoint", "geotrace", "geoshape",
    "binary", "select1", "select", "boolean", "barcode",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One node of the form. `path` is below the root element; `kind` is one of KINDS.

    `labels` by language as the form names it ("中文 (zh)"), or under "default" where it has no translations.
    `declared`: the type that programs are told: the bind's own word, else repeat, structure or unknown, as ODK Central has them.
    """

    path: Path
    kind: str
    labels: dict[str, str]
    choice_list: str | None = None
    sensitive: bool = False
    required: bool = False
    declared: str = ""

    @property
    def name(self) -> str:
        """The last name of the path."""
        return self.path[-1]

    @property
    def told_type(self) -> str:
        """`declared`; of a form that was stored before there was such a thing, what its kind amounts to."""
        return self.declared or {"select1": "string", "select": "string", "barcode": "barcode"}.get(self.kind, self.kind)


@dataclass(frozen=True, slots=True)
class EntityDeclaration:
    """Where a form makes or changes an entity. `path`: what holds `meta/entity`, () for the root.

    `properties`: property name -> path of the field that is saved to it.
    """

    list_name: str
    path: Path
    properties: dict[str, Path]
    creates: bool
    updates: bool


@dataclass(frozen=True, slots=True)
class FormDefinition:
    """What the server knows of a form version without parsing its XForm again.

    `fields` depth first, groups before what is in them. `choices`: list -> value -> language -> label, for the lists
    inside the form, each bounded. `attachments`: (file name, kind) with kind image, audio, video or file.
    `entities_version`: of the entities specification, "" where the form names none.
    """

    form_id: str
    version: str
    title: str
    root_name: str
    languages: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    choices: dict[str, dict[str, dict[str, str]]] | None = None
    attachments: tuple[tuple[str, str], ...] = ()
    entities: tuple[EntityDeclaration, ...] = ()
    public_key: str | None = None
    has_instance_id: bool = True
    entities_version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives an equal definition back."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> FormDefinition:
        """The definition that `to_json` wrote, also after a way through JSON text (tuples as lists)."""
        return cls(
            form_id=stored["form_id"],
            version=stored["version"],
            title=stored["title"],
            root_name=stored["root_name"],
            languages=tuple(stored["languages"]),
            fields=tuple(Field(**{**field, "path": tuple(field["path"])}) for field in stored["fields"]),
            choices=stored["choices"],
            attachments=tuple((name, kind) for name, kind in stored["attachments"]),
            entities=tuple(
                EntityDeclaration(
                    list_name=entity["list_name"],
                    path=tuple(entity["path"]),
                    properties={name: tuple(path) for name, path in entity["properties"].items()},
                    creates=entity["creates"],
                    updates=entity["updates"],
                )
                for entity in stored["entities"]
            ),
            public_key=stored["public_key"],
            has_instance_id=stored["has_instance_id"],
            entities_version=stored.get("entities_version", ""),
        )


def read_form_definition(xform: bytes) -> FormDefinition:
    """The definition of any XForm that ODK tools write, or that is written by hand.

    Raises: unparseable_xml (not XML, a DOCTYPE), form_invalid (XML, but no form), too_large.
    """
    # Here, because the reader needs the classes above.
    from server.forms.xform_reader import XFormReader

    return XFormReader(xform).definition()

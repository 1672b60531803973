"""XML as a phone sends it -> which form, which version, which instance. Parsed once; no DTD, no entities, no network."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from uuid import uuid4

from lxml import etree

from server import problems

_MAX_NAME = 255
_SHORT = 1000
_TAG_PREFIX = re.compile(rb"(</?)[A-Za-z_][\w.-]{0,100}:(?=[A-Za-z_])")
_COMMA = re.compile(rb"([\"'])\s{0,10},\s{0,10}(?=[A-Za-z_])")
_local = threading.local()


@dataclass(frozen=True, slots=True)
class EntityElement:
    """A `meta/entity` element; `container` is the group, repeat instance or root that holds its answers."""

    attributes: dict[str, str]
    label: str | None
    container: etree._Element


@dataclass(frozen=True, slots=True)
class Envelope:
    """`form_id` and `version` ("" if none) as the root says, `instance_id`, `deprecated_id`, and the parsed `root`.

    `has_instance_id`: False where the XML has none, and `instance_id` is one of our own.
    """

    form_id: str
    version: str
    instance_id: str
    instance_name: str | None
    deprecated_id: str | None
    is_encrypted: bool
    media: tuple[str, ...]
    root: etree._Element
    entities: tuple[EntityElement, ...] = field(default=())
    has_instance_id: bool = True


def _parser() -> etree.XMLParser:
    # One parser per thread: a shared one serialises the threads, a new one each time costs its set-up.
    if not hasattr(_local, "parser"):
        _local.parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
        )
    return _local.parser  # type: ignore[no-any-return]


def parse_xml(xml: bytes) -> etree._Element:
    """The root element. Raises: unparseable_xml (with the reason, also for a DOCTYPE, NUL or too deep nesting)."""
    if b"<!DOCTYPE" in xml or b"<!ENTITY" in xml or "<!DOCTYPE".encode("utf-16-le") in xml or "<!DOCTYPE".encode("utf-16-be") in xml:
        raise problems.unparseable_xml("DOCTYPE")
    try:
        root = etree.fromstring(xml.lstrip(), _parser())
    except (etree.XMLSyntaxError, ValueError, LookupError, AssertionError) as error:
        root = _mended(xml.lstrip()) if isinstance(error, etree.XMLSyntaxError) else None
        if root is None:
            raise problems.unparseable_xml(str(error)[:200]) from None
    if root is None:
        raise problems.unparseable_xml("empty")
    if root.getroottree().docinfo.doctype:
        raise problems.unparseable_xml("DOCTYPE")
    return root


def _mended(xml: bytes) -> etree._Element | None:
    """The root of XML with faults that programs make, that change no answer, and that ODK Central reads over; else None.

    Prefixes that nobody declared or that only one of a pair of tags has (`<meta>..</orx:meta>`), a comma between attributes.
    What is cut off, or opened and not closed, is never mended: its answers would be lost unseen.
    """
    if b"<![CDATA[" in xml or b"<!--" in xml:
        return None
    head, end, rest = xml.partition(b">") if not xml.startswith(b"<?") else _after_declaration(xml)
    plain = _TAG_PREFIX.sub(rb"\1", _COMMA.sub(rb"\1 ", head) + end + rest)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True, recover=True
    )
    try:
        root = etree.fromstring(plain, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    if root is None or any(error.domain != etree.ErrorDomains.NAMESPACE for error in parser.error_log):
        return None
    return root


def _after_declaration(xml: bytes) -> tuple[bytes, bytes, bytes]:
    """Up to the end of the root's start tag, its `>`, and the rest; the XML declaration before it belongs to the first."""
    declaration, middle, rest = xml.partition(b"?>")
    head, end, rest = rest.partition(b">")
    return declaration + middle + head, end, rest


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if "}" in tag else tag


def _child(element: etree._Element, name: str) -> etree._Element | None:
    for child in element:
        if isinstance(child.tag, str) and local_name(child) == name:
            return child
    return None


def _text(element: etree._Element | None) -> str | None:
    if element is None or element.text is None:
        return None
    return element.text.strip() or None


def read_envelope(xml: bytes) -> Envelope:
    """What the XML says of itself; an instanceID of our own where it has none (so does ODK Central).

    Raises: unparseable_xml, missing_parameter (form ID; instanceID of an encrypted one), invalid_value.
    """
    try:
        root = parse_xml(xml)
    except problems.Problem:
        # Of what breaks off before it names a form, ODK Central says what is missing, not where it breaks.
        if len(xml) < _SHORT and b"id=" not in xml and b"<!" not in xml:
            raise problems.missing_parameter("form ID xml attribute") from None
        raise
    form_id = root.get("id") or ""
    version = root.get("version") or root.get("{http://openrosa.org/xforms}version") or ""
    if not form_id:
        raise problems.missing_parameter("form ID xml attribute")
    meta = _child(root, "meta")
    instance_id = (_text(_child(meta, "instanceID")) if meta is not None else None) or _text(_child(root, "instanceID")) or root.get("instanceID")
    # Some clients leave the attribute out (ODK Central goes by the elements too).
    is_encrypted = root.get("encrypted") == "yes" or (
        b"encryptedXmlFile" in xml and _child(root, "encryptedXmlFile") is not None and _child(root, "base64EncryptedKey") is not None
    )
    has_instance_id = bool(instance_id)
    if not instance_id:
        if is_encrypted:
            # Its answers could never be decrypted: the instanceID is part of the key.
            raise problems.missing_parameter("instanceId (required for encrypted submissions)")
        instance_id = str(uuid4())
    for name, value in (("id", form_id), ("version", version), ("instanceID", instance_id)):
        if len(value) > _MAX_NAME:
            raise problems.invalid_value(name, f"> {_MAX_NAME}")
    return Envelope(
        form_id, version, instance_id,
        (_text(_child(meta, "instanceName")) or "")[:1000] or None if meta is not None else None,
        _text(_child(meta, "deprecatedID")) if meta is not None else None,
        is_encrypted, _encrypted_files(root) if is_encrypted else (), root,
        () if is_encrypted else tuple(_entity_elements(root)), has_instance_id,
    )  # fmt: skip


def _encrypted_files(root: etree._Element) -> tuple[str, ...]:
    names = []
    for child in root:
        if local_name(child) == "encryptedXmlFile" and _text(child):
            names.append(_text(child) or "")
        elif local_name(child) == "media":
            names += [text for file in child if local_name(file) == "file" and (text := _text(file))]
    return tuple(names)


def _entity_elements(root: etree._Element) -> list[EntityElement]:
    found = []
    for meta in root.iter("{*}meta"):
        container = meta.getparent()
        if container is None:
            continue
        for element in meta:
            # One without attributes names no list: staff are told of it.
            if local_name(element) == "entity" and (element.get("dataset") or not element.attrib):
                label = _text(_child(element, "label"))
                found.append(EntityElement({local_attribute(k): v for k, v in element.attrib.items()}, label, container))
    return found


def local_attribute(name: str) -> str:
    """An attribute's name without its namespace."""
    return name.rpartition("}")[2]

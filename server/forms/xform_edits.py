"""Changes to an XForm's text that leave every other byte as its author wrote it: the version, the public key."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from lxml import etree

from server import problems

_ATTRIBUTE = re.compile(rb"""\s([^\s=<>"'/]+)\s*=\s*("[^"]*"|'[^']*')""")
_VERSION = re.compile(rb"(?!xmlns:)(?:.+:)?version")
_ENCODING = re.compile(r"""(\A<\?xml[^>]*\sencoding\s*=\s*["'])[^"']*(["'])""")
_MODEL = ("html", "head", "model")
_MOST_DEPTH = 200


class _Found:
    """Where tags are, as byte offsets of `<`."""

    def __init__(self, xform: bytes) -> None:
        self.path: list[str] = []
        self.root: int | None = None
        self.submission: int | None = None
        self.model_end: int | None = None
        self.model_prefix = ""
        self._parser = expat.ParserCreate(namespace_separator=None)
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        try:
            self._parser.Parse(xform, True)
        except (expat.ExpatError, ValueError) as error:
            raise problems.unparseable_xml(str(error)[:200]) from None

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name.rpartition(":")[2])
        if len(self.path) > _MOST_DEPTH:
            raise ValueError("too deep")
        at, above = self._parser.CurrentByteIndex, tuple(self.path[:-1])
        if tuple(self.path) == _MODEL and self.model_end is None:
            self.model_prefix = name.removesuffix("model")
        if above == (*_MODEL, "instance") and self.root is None:
            self.root = at
        elif tuple(self.path) == (*_MODEL, "submission") and self.submission is None:
            self.submission = at

    def _end(self, _name: str) -> None:
        if tuple(self.path) == _MODEL and self.model_end is None:
            self.model_end = self._parser.CurrentByteIndex
        self.path.pop()


def _in_utf8(xform: bytes) -> bytes:
    """The XForm in UTF-8, whatever it was written in: only there is each byte of its tags a character."""
    try:
        encoding = (etree.fromstring(xform, _parser()).getroottree().docinfo.encoding or "UTF-8").upper()
        if encoding in {"UTF-8", "UTF8", "ASCII", "US-ASCII"}:
            return xform
        text = xform.decode(encoding).removeprefix("\ufeff")
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise problems.unparseable_xml(str(error)[:200]) from None
    return _ENCODING.sub(r"\1UTF-8\2", text, count=1).encode()


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _tag_end(xform: bytes, start: int) -> int:
    """Offset of what closes the start tag: `>` or `/>`."""
    quote = 0
    for at in range(start, len(xform)):
        byte = xform[at]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == 0x3E:
            return at - 1 if xform[at - 1] == 0x2F else at
    raise problems.unparseable_xml("unclosed tag")


def _with_version(xform: bytes, make: Callable[[str], str]) -> bytes:
    xform = _in_utf8(xform)
    start = _Found(xform).root
    if start is None:
        raise problems.unparseable_xml("instance")
    end = _tag_end(xform, start)
    tag = xform[start:end]
    # All of them, with a prefix or without: which one a reader goes by is its own affair. What stands in other attributes' quotes is none.
    found = [match for match in _ATTRIBUTE.finditer(tag) if _VERSION.fullmatch(match[1])]
    if not found:
        return xform[:start] + tag.rstrip() + b" version=" + _quoted(make("")) + xform[end:]
    for match in reversed(found):
        tag = tag[: match.start(2)] + _quoted(make(_unquoted(match[2]))) + tag[match.end(2) :]
    return xform[:start] + tag + xform[end:]


def _quoted(text: str) -> bytes:
    """As an attribute's value that reads the same in whatever encoding the rest is."""
    return quoteattr(text).encode("ascii", "xmlcharrefreplace")


def _unquoted(value: bytes) -> str:
    try:
        return html.unescape(value[1:-1].decode())
    except UnicodeDecodeError:
        raise problems.unparseable_xml("not UTF-8") from None


def set_version(xform: bytes, version: str) -> bytes:
    """The XForm says that it is this version. Raises: unparseable_xml."""
    return _with_version(xform, lambda _old: version)


def add_version_suffix(xform: bytes, suffix: str) -> bytes:
    """The XForm's version ends with `suffix`. Raises: unparseable_xml."""
    return _with_version(xform, lambda old: old + suffix)


def with_public_key(xform: bytes, public_key: str) -> bytes:
    """Phones encrypt what they send (ODK encryption specification: base64RsaPublicKey of the submission element)."""
    xform = _in_utf8(xform)
    found = _Found(xform)
    attribute = b" base64RsaPublicKey=" + _quoted(public_key)
    if found.submission is not None:
        end = _tag_end(xform, found.submission)
        return xform[:end].rstrip() + attribute + xform[end:]
    if found.model_end is None or xform[found.model_end : found.model_end + 2] != b"</":
        raise problems.unparseable_xml("model")
    tag = f"<{found.model_prefix}submission".encode() + attribute + b"/>"
    return xform[: found.model_end] + tag + xform[found.model_end :]

"""An XForm's binds and template, read for judging submissions by them."""

from __future__ import annotations

import re

from lxml import etree

from server.forms.rules.check import Bind, FormRules
from server.forms.rules.instance import Path, Template
from server.forms.xform_reader import XFormReader

_MESSAGE = "{http://openrosa.org/javarosa}constraintMsg"
_ITEXT = re.compile(r"jr:itext\(\s*['\"](.+)['\"]\s*\)")


def read_rules(xform: bytes) -> FormRules:
    """Raises: unparseable_xml, form_invalid."""
    reader = XFormReader(xform)
    nodes, controls = reader.nodes(), reader.control_paths()
    binds: dict[Path, Bind] = {}
    for path, bind in reader.binds().items():
        relevant, required = (bind.get("relevant") or "").strip(), (bind.get("required") or "").strip()
        constraint = (bind.get("constraint") or "").strip()
        if path in nodes and (relevant or constraint or required not in {"", "false()", "false"}):
            messages = _messages(reader, bind)
            binds[reader.root_name, *path] = Bind(relevant, "" if required in {"false()", "false"} else required, constraint, messages, path in controls)
    return FormRules(_template(reader, nodes), binds)


def _messages(reader: XFormReader, bind: etree._Element) -> dict[str, str]:
    said = (bind.get(_MESSAGE) or "").strip()
    found = _ITEXT.match(said)
    if found:
        return reader.text(found[1])
    return {"default": said} if said else {}


def _template(reader: XFormReader, nodes: dict[Path, etree._Element]) -> Template:
    inside: dict[Path, list[Path]] = {}
    for path in nodes:
        inside.setdefault(path[:-1], []).append(path)
    kinds = {path: reader.kind(path, node) for path, node in nodes.items()}
    made: dict[Path, Template] = {}
    # The deepest first: a form's depth is bounded, its readers' stack need not follow it.
    for path in sorted(nodes, key=len, reverse=True):
        children = tuple(made[child] for child in inside.get(path, ()))
        made[path] = Template(path[-1], (reader.root_name, *path), kinds[path], kinds[path] == "repeat", children)
    return Template(reader.root_name, (reader.root_name,), "structure", False, tuple(made[child] for child in inside.get((), ())))

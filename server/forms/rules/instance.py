"""A submission laid over its form's template: every question has its node, also those that the phone left out."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from server.forms.rules.values import Node, Unknowable

MOST_NODES = 100_000
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A question or group of the form. `path` starts with the root's name; `repeats`: there may be many of it, or none."""

    name: str
    path: Path
    kind: str
    repeats: bool
    children: tuple[Template, ...]


def lay_over(template: Template, sent: etree._Element) -> Node:
    """The submission's nodes in the form's order. Raises: Unknowable (more nodes than `MOST_NODES`)."""
    return _Layer().lay(template, sent, None)


class _Layer:
    def __init__(self) -> None:
        self._count = 0

    def lay(self, template: Template, sent: etree._Element | None, parent: Node | None) -> Node:
        self._count += 1
        if self._count > MOST_NODES:
            raise Unknowable("too many nodes")
        text = "" if sent is None or template.children else "".join(part for part in (sent.text,) if part).strip()
        node = Node(template.name, template.path, parent, template.kind, text, sent is not None)
        by_name: dict[str, list[etree._Element]] = {}
        for element in sent if sent is not None else ():
            by_name.setdefault(etree.QName(element).localname, []).append(element)
        for child in template.children:
            found = by_name.get(child.name, [])
            if child.repeats:
                node.children += [self.lay(child, one, node) for one in found]
            else:
                node.children.append(self.lay(child, found[0] if found else None, node))
        return node

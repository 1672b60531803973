"""Reads an XForm's model and body. Nothing here recurses: the depth of what strangers send is theirs to choose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from server import problems
from server.access.sealed import is_sealed_name
from server.forms.fields import EntityDeclaration, Field, FormDefinition, Path

MOST_BYTES = 20_000_000
MOST_CHOICES = 5_000
_MOST_DEPTH = 100

_JR = "{http://openrosa.org/javarosa}"
_ENTITIES = "{http://www.opendatakit.org/xforms/entities}"
_ORX = "{http://openrosa.org/xforms}"
_CONTROLS = {"input", "select1", "select", "upload", "range", "rank", "trigger", "secret", "odk:rank"}
_KINDS = {
    "string": "string", "int": "int", "integer": "int", "long": "int", "decimal": "decimal", "double": "decimal",
    "float": "decimal", "date": "date", "time": "time", "dateTime": "dateTime", "geopoint": "geopoint",
    "geotrace": "geotrace", "geoshape": "geoshape", "binary": "binary", "select": "select", "select1": "select1",
    "rank": "select", "boolean": "boolean", "barcode": "barcode",
}  # fmt: skip
_BY_CONTROL = {"select1": "select1", "select": "select", "rank": "select", "upload": "binary"}
_MEDIA = {"images": "image", "audio": "audio", "video": "video", "file": "file", "file-csv": "file"}
_MEDIA_FORMS = {"image": "image", "big-image": "image", "audio": "audio", "video": "video"}

_JR_URL = re.compile(r"jr://(images|audio|video|file|file-csv)/([^\s\"'<>]+)")
_ITEXT = re.compile(r"jr:itext\(\s*['\"](.+)['\"]\s*\)")
_INSTANCE = re.compile(r"instance\(\s*['\"]([^'\"]+)['\"]\s*\)")
_SEARCH = re.compile(r"search\(\s*['\"]([^'\"]+)['\"]")


def _local(element: etree._Element) -> str:
    """The name without its namespace; '' for comments and processing instructions."""
    tag = element.tag
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def _children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    return (child for child in element if _local(child) == name)


def _refused(zh: str, en: str) -> problems.Problem:
    return problems.form_invalid([{"sheet": None, "row": None, "zh": zh, "en": en}])


def _parse(xform: bytes) -> etree._Element:
    if len(xform) > MOST_BYTES:
        raise problems.too_large(MOST_BYTES)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    try:
        root = etree.fromstring(xform, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise problems.unparseable_xml(str(error).split("\n", maxsplit=1)[0][:200]) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise problems.unparseable_xml("DOCTYPE")
    return root


class XFormReader:
    """One XForm's parts: model, first instance, binds, itext and body controls."""

    def __init__(self, xform: bytes) -> None:
        root = _parse(xform)
        self._html = root
        self._model = next((node for node in root.iter() if _local(node) == "model"), None)
        if self._model is None:
            raise _refused("这个文件里没有表单模型（model）。", "There is no model in this file; it is not an XForm.")
        self._instances = list(_children(self._model, "instance"))
        first = self._instances[0] if self._instances else None
        found = [child for child in first if _local(child)] if first is not None else []
        if not found:
            raise _refused("表单没有主实例（instance）。", "The form has no primary instance.")
        self._root = found[0]
        self.root_name = _local(self._root)
        self._languages, self._itext = self._read_itext()
        self._binds, self._bind_ids = self._read_binds()
        self._controls, self._repeats, self._labels = self._read_body()

    def definition(self) -> FormDefinition:
        """All of it. Raises: form_invalid."""
        root = self._root
        namespace = etree.QName(root).namespace or ""
        form_id = (root.get("id") or ("" if namespace == "http://www.w3.org/2002/xforms" else namespace)).strip()
        if not form_id:
            raise _refused("表单没有编号（form_id）。", "The form has no ID: the instance's root element needs an id.")
        title = next(("".join(node.itertext()).strip() for node in self._html.iter() if _local(node) == "title"), "")
        submission = next(_children(self._model, "submission"), None)
        nodes = self._walk()
        choices = self._internal_choices()
        fields = tuple(self._field(path, node, choices) for path, node in nodes.items())
        return FormDefinition(
            form_id=form_id,
            version=root.get(f"{_ORX}version") or root.get("version") or "",
            title=title,
            root_name=self.root_name,
            languages=self._languages,
            fields=fields,
            choices=choices,
            attachments=self._attachments(),
            entities=self._entities(nodes),
            public_key=submission.get("base64RsaPublicKey") if submission is not None else None,
            has_instance_id=("meta", "instanceID") in nodes,
            entities_version=self._model.get(f"{_ENTITIES}entities-version") or self._model.get("entities-version") or "",
        )

    def nodes(self) -> dict[Path, etree._Element]:
        """Path -> node of the primary instance, depth first. Raises: form_invalid (too deep)."""
        return self._walk()

    def binds(self) -> dict[Path, etree._Element]:
        """Path -> bind."""
        return self._binds

    def control_paths(self) -> set[Path]:
        """Paths of what a person is asked."""
        return set(self._controls)

    def kind(self, path: Path, node: etree._Element) -> str:
        """One of KINDS."""
        return self._kind(path, node)

    def text(self, itext_id: str) -> dict[str, str]:
        """A text by language."""
        return dict(self._itext.get(itext_id, {}))

    # -- the model

    def _read_itext(self) -> tuple[tuple[str, ...], dict[str, dict[str, str]]]:
        languages: list[str] = []
        texts: dict[str, dict[str, str]] = {}
        for itext in _children(self._model, "itext"):
            for translation in _children(itext, "translation"):
                language = translation.get("lang", "default")
                if language not in languages:
                    languages.append(language)
                for text in _children(translation, "text"):
                    plain = [value for value in _children(text, "value") if not value.get("form")]
                    if plain:
                        texts.setdefault(text.get("id", ""), {})[language] = _spoken(plain[0])
        return tuple(language for language in languages if language != "default"), texts

    def _read_binds(self) -> tuple[dict[Path, etree._Element], dict[str, Path]]:
        binds: dict[Path, etree._Element] = {}
        ids: dict[str, Path] = {}
        for bind in _children(self._model, "bind"):
            path = self._path(bind.get("nodeset") or bind.get("ref") or "", ())
            if path:
                binds.setdefault(path, bind)
                if bind.get("id"):
                    ids[bind.get("id")] = path
        return binds, ids

    def _path(self, reference: str, context: Path) -> Path:
        """Names below the root of an absolute reference, or of a relative one in `context`."""
        reference = re.sub(r"\[[^\]]*\]", "", reference.strip())
        if not reference:
            return context
        absolute = reference.startswith("/")
        names = [] if absolute else list(context)
        for step in reference.split("/"):
            if step == "..":
                names = names[:-1]
            elif step not in ("", "."):
                names.append(step if step.startswith("@") else step.rsplit(":", 1)[-1])
        return tuple(names[1:] if absolute else names)

    def _walk(self) -> dict[Path, etree._Element]:
        """Path -> node of the primary instance, depth first; the second copy of a repeat's template adds nothing."""
        nodes: dict[Path, etree._Element] = {}
        waiting: list[tuple[Path, etree._Element]] = [((), child) for child in reversed(self._root)]
        while waiting:
            above, node = waiting.pop()
            name = _local(node)
            if not name:
                continue
            path = (*above, name)
            if len(path) > _MOST_DEPTH:
                raise _refused("表单的分组嵌套过深。", "The form's groups are nested too deep.")
            nodes.setdefault(path, node)
            waiting.extend((path, child) for child in reversed(node))
        return nodes

    # -- the body

    def _read_body(self) -> tuple[dict[Path, etree._Element], set[Path], dict[Path, dict[str, str]]]:
        controls: dict[Path, etree._Element] = {}
        repeats: set[Path] = set()
        labels: dict[Path, dict[str, str]] = {}
        body = next((child for child in self._html if _local(child) == "body"), None)
        waiting: list[tuple[Path, etree._Element]] = [((), child) for child in reversed(body)] if body is not None else []
        while waiting:
            context, node = waiting.pop()
            name = _local(node)
            if name not in _CONTROLS and name not in {"group", "repeat"}:
                continue
            reference = node.get("nodeset") if name == "repeat" else node.get("ref") or node.get("nodeset")
            bound = self._bind_ids.get(node.get("bind", ""))
            path = bound if bound is not None else self._path(reference or "", context)
            label = next(_children(node, "label"), None)
            if label is not None and path != context:
                labels.setdefault(path, self._label(label))
            if name in _CONTROLS:
                controls.setdefault(path, node)
                continue
            if name == "repeat":
                repeats.add(path)
            waiting.extend((path, child) for child in reversed(node))
        return controls, repeats, labels

    def _label(self, label: etree._Element) -> dict[str, str]:
        found = _ITEXT.match((label.get("ref") or "").strip())
        if found:
            return dict(self._itext.get(found.group(1), {}))
        text = _spoken(label)
        return {"default": text} if text else {}

    def _field(self, path: Path, node: etree._Element, choices: dict[str, dict[str, dict[str, str]]]) -> Field:
        bind = self._binds.get(path)
        control = self._controls.get(path)
        kind, choice_list = self._kind(path, node), None
        if control is not None and kind in {"select1", "select"}:
            choice_list = self._choice_list(path, control, choices)
        required = (bind.get("required") or "").strip() if bind is not None else ""
        marked = bind is not None and any(
            name.rsplit("}", 1)[-1] == "sensitive" and value in {"true()", "true", "yes"} for name, value in bind.attrib.items()
        )
        return Field(
            path=path,
            kind=kind,
            labels=self._labels.get(path, {}),
            choice_list=choice_list,
            sensitive=marked or is_sealed_name(path[-1]),
            required=required not in {"", "false()", "false"},
            declared=self._declared(path, node),
        )

    def _declared(self, path: Path, node: etree._Element) -> str:
        """The type that ODK Central tells of the node: what the body repeats, else what a bind says, else whether it holds others."""
        if path in self._repeats:
            return "repeat"
        bind = self._binds.get(path)
        if bind is not None and bind.get("type"):
            return bind.get("type")[:60]
        holds = any(_local(child) for child in node) or path[-2:] == ("meta", "entity")
        return "structure" if holds else "unknown"

    def _kind(self, path: Path, node: etree._Element) -> str:
        if path in self._repeats or node.get(f"{_JR}template") is not None:
            return "repeat"
        if any(_local(child) for child in node):
            return "structure"
        control, bind = self._controls.get(path), self._binds.get(path)
        if control is None and bind is None and path in self._labels:
            return "structure"
        # pyxform binds selects as strings: the control knows better.
        by_control = _BY_CONTROL.get(_local(control)) if control is not None else None
        if by_control is not None:
            return by_control
        named = (bind.get("type") or "string").rsplit(":", 1)[-1] if bind is not None else "string"
        return _KINDS.get(named, "string")

    # -- choices

    def _internal_choices(self) -> dict[str, dict[str, dict[str, str]]]:
        lists: dict[str, dict[str, dict[str, str]]] = {}
        for instance in self._instances[1:]:
            if instance.get("src") or not instance.get("id"):
                continue
            found = lists.setdefault(instance.get("id"), {})
            for root in instance:
                for item in root:
                    if len(found) >= MOST_CHOICES:
                        break
                    self._add_choice(found, item)
        return lists

    def _add_choice(self, found: dict[str, dict[str, str]], item: etree._Element) -> None:
        parts = {_local(part): "".join(part.itertext()).strip() for part in item}
        value = parts.get("name") or parts.get("value")
        if value:
            in_itext = self._itext.get(parts.get("itextId", ""))
            found.setdefault(value, dict(in_itext) if in_itext else {"default": parts.get("label", value)})

    def _choice_list(self, path: Path, control: etree._Element, choices: dict[str, dict[str, dict[str, str]]]) -> str | None:
        for itemset in _children(control, "itemset"):
            found = _INSTANCE.search(itemset.get("nodeset") or "")
            return found.group(1) if found else None
        items = list(_children(control, "item"))
        if not items:
            return None
        inline = choices.setdefault("/".join(path), {})
        for item in items[:MOST_CHOICES]:
            value, label = next(_children(item, "value"), None), next(_children(item, "label"), None)
            text = (value.text or "").strip() if value is not None else ""
            if text:
                inline.setdefault(text, self._label(label) if label is not None else {"default": text})
        return "/".join(path)

    # -- files and entities

    def _attachments(self) -> tuple[tuple[str, str], ...]:
        found: dict[str, str] = {}
        for node in self._html.iter():
            name = _local(node)
            texts = [node.get("src") or ""] if name == "instance" else [node.text or "", node.get("src") or ""]
            if name in {"instance", "value", "label", "hint", "img", "audio", "video"}:
                form = _MEDIA_FORMS.get(node.get("form") or "")
                for text in texts:
                    for folder, file_name in _JR_URL.findall(text):
                        # Phones keep a form's files in one folder: a name with a path in it is no file of theirs.
                        if "/" not in file_name:
                            found.setdefault(file_name, form or _MEDIA[folder])
            searched = _SEARCH.search(node.get("appearance") or "") if name in _CONTROLS else None
            if searched:
                file_name = searched.group(1)
                found.setdefault(file_name if "." in file_name else f"{file_name}.csv", "file")
            if name == "input" and node.get("query"):
                found.setdefault("itemsets.csv", "file")
        return tuple(found.items())

    def _entities(self, nodes: dict[Path, etree._Element]) -> tuple[EntityDeclaration, ...]:
        places: dict[Path, etree._Element] = {}
        for path, node in nodes.items():
            if path[-2:] == ("meta", "entity"):
                if not (node.get("dataset") or "").strip():
                    raise problems.invalid_entity_form("Dataset name is missing.")
                places[path[:-2]] = node
        properties: dict[Path, dict[str, Path]] = {place: {} for place in places}
        # In the questions' order: so the list has its properties, and phones the columns of its CSV.
        for path, node in nodes.items():
            bind = self._binds.get(path)
            saved_to = bind.get(f"{_ENTITIES}saveto") if bind is not None else None
            # A group has no value.
            if not saved_to or len(node):
                continue
            # The nearest declaration around the field takes it.
            around = [path[:length] for length in range(len(path) - 1, -1, -1) if path[:length] in places]
            if not around:
                raise _refused(f"{saved_to} 没有所属的实体声明。", f"The property {saved_to} is saved to no entity.")
            if properties[around[0]].setdefault(saved_to, path) != path:
                raise problems.invalid_entity_form("Multiple Form Fields cannot be saved to a single property.")
        return tuple(
            EntityDeclaration(
                list_name=(node.get("dataset") or "").strip(),
                path=place,
                properties=properties[place],
                creates=self._declares(place, node, "create"),
                updates=self._declares(place, node, "update"),
            )
            for place, node in places.items()
        )

    def _declares(self, place: Path, node: etree._Element, action: str) -> bool:
        return node.get(action) is not None or (*place, "meta", "entity", f"@{action}") in self._binds


def _spoken(element: etree._Element) -> str:
    """The text, with … where an <output> shows an answer."""
    said = [element.text or ""]
    for child in element:
        said.append("…" if _local(child) == "output" else "".join(child.itertext()))
        said.append(child.tail or "")
    return " ".join("".join(said).split())

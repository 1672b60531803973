"""Forms as nobody should write them: a 4xx with a reason, or served as they are; on both databases alike."""

from __future__ import annotations

import pytest
from lxml import etree

from server.forms.xform_edits import set_version, with_public_key
from tests.actors.house import House
from tests.actors.program import Program, problem_of


def _xform(
    form_id: str = "x", *, root: str = "", title: str = "T", model: str = "", inside: str = "", declaration: str = '<?xml version="1.0"?>'
) -> str:
    return (
        f'{declaration}<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml" xmlns:orx="http://openrosa.org/xforms">'
        f'<h:head><h:title>{title}</h:title><model><instance><data id="{form_id}" {root}><meta><instanceID/></meta><a/>{inside}</data></instance>'
        f'<bind nodeset="/data/a" type="string"/>{model}</model></h:head><h:body/></h:html>'
    )


def _send(program: Program, xform: str | bytes) -> object:
    body = xform if isinstance(xform, bytes) else xform.encode()
    return program.post("/projects/1/forms", body, Content_Type="application/xml")


_LONG_MEDIUM = '<itext><translation lang="en"><text id="q"><value form="image">jr://images/{}.png</value></text></translation></itext>'


@pytest.mark.parametrize(
    ("xform", "code"),
    [
        (_xform("i" * 65), 400.13), (_xform(root=f'version="{"v" * 256}"'), 400.13), (_xform(title="t" * 1001), 400.13),
        (_xform(model=_LONG_MEDIUM.format("m" * 256)), 400.13), (_xform(inside="<g>" * 300 + "</g>" * 300), 400.1),
        (_xform(root='version="1" version="2"'), 400.1), ("<a>" * 100_000, 400.1), (b"\x00\xff\xfe", 400.1), ('{"a": 1}', 400.1),
        (_xform(declaration='<!DOCTYPE a [<!ENTITY x "y">]>'), 400.1), (_xform(form_id="a.xls"), 400.8),
    ],
)  # fmt: skip
def test_what_no_phone_or_table_could_hold_is_refused(house: House, xform: str | bytes, code: float) -> None:
    manager = Program.signed_in(house, "manager")
    assert problem_of(_send(manager, xform)) == (400, code)  # type: ignore[arg-type]
    assert manager.reads("/projects/1/forms") == []


@pytest.mark.parametrize(
    "xform",
    [
        _xform(root='version="é"', declaration='<?xml version="1.0" encoding="ISO-8859-1"?>').encode("latin-1"),
        _xform(root='version="1"', declaration='<?xml version="1.0" encoding="UTF-16"?>').encode("utf-16"),
        _xform(root="note=\"my version='9' here\" version='1'").encode(), _xform(root='version="1" orx:version="1"').encode(),
        _xform().encode(), b"\xef\xbb\xbf" + _xform(root='version="1"').encode(),
    ],
)  # fmt: skip
def test_in_any_encoding_a_form_gets_its_version_and_its_key(house: House, xform: bytes) -> None:
    manager = Program.signed_in(house, "manager")
    assert _send(manager, xform).status_code == 200  # type: ignore[attr-defined]
    assert manager.get("/projects/1/forms/x/draft.xml").data == xform, "byte for byte as it came"
    assert manager.post("/projects/1/forms/x/draft/publish?version=%E7%89%88%20%22%3C").status_code == 200
    assert manager.reads("/projects/1/forms/x")["version"] == '版 "<'
    assert b"my version='9' here" in manager.get("/projects/1/forms/x.xml").data or b"note" not in xform
    assert manager.post("/projects/1/key", {"passphrase": "yak butter tea"}).status_code == 200
    read = manager.reads("/projects/1/forms/x")
    assert read["version"].startswith('版 "<[encrypted:')
    assert read["keyId"] is not None


def test_the_key_stands_in_the_models_own_namespace() -> None:
    xform = (
        b'<html xmlns:f="http://www.w3.org/2002/xforms" xmlns="http://www.w3.org/1999/xhtml"><head><f:model><f:instance>'
        b'<data xmlns="" id="p"><meta><instanceID/></meta></data></f:instance></f:model></head></html>'
    )
    assert b'<f:submission base64RsaPublicKey="KEY"/></f:model>' in with_public_key(xform, "KEY")
    assert b'<data xmlns="" id="p" version="2">' in set_version(xform, "2")


_TREES = _xform(title="People & Trees &amp; &#x6811; &nbsp", inside="<b>1 &lt; 2 <![CDATA[a & b]]></b><!-- c & d -->", root='note="e&f"')


def test_a_bare_ampersand_is_text_as_in_central_and_what_is_served_is_well_formed(house: House) -> None:
    manager = Program.signed_in(house, "manager")
    made = _send(manager, _TREES)
    assert (made.status_code, made.json["name"]) == (200, "People & Trees & \u6811 &nbsp")  # type: ignore[attr-defined]
    served = manager.get("/projects/1/forms/x/draft.xml").data
    assert served == _TREES.replace("People &", "People &amp;").replace("&nbsp", "&amp;nbsp").replace("e&f", "e&amp;f").encode()
    assert etree.fromstring(served) is not None
    assert _send_draft(manager, _TREES.replace("People", "Folk")).status_code == 200  # type: ignore[attr-defined]
    assert manager.reads("/projects/1/forms/x/draft")["name"] == "Folk & Trees & \u6811 &nbsp"


@pytest.mark.parametrize(
    "xform",
    [
        _xform(title="A & <B"), _xform(title="A & B &unknown;"), _xform(title="A & B", inside="<b></c>"), _xform(title="A & &#0;"),
        _xform(title="A & B").encode("utf-16"), _xform(title="A & B", declaration='<!DOCTYPE a [<!ENTITY x "y">]>'), "<!--" * 1_000_000 + "&",
        "<![CDATA[&" * 1_000_000, "&" * 1_000_000,
    ],
)  # fmt: skip
def test_only_bare_ampersands_are_forgiven(house: House, xform: str | bytes) -> None:
    manager = Program.signed_in(house, "manager")
    answer = _send(manager, xform)
    assert problem_of(answer) == (400, 400.1)  # type: ignore[arg-type]
    assert manager.reads("/projects/1/forms") == []


def _send_draft(program: Program, xform: str) -> object:
    return program.post("/projects/1/forms/x/draft", xform.encode(), Content_Type="application/xml")

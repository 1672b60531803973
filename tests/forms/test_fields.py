"""What the server knows of a form, from whatever XForm it is given."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.forms.compile import compile_xlsform
from server.forms.fields import FormDefinition, read_form_definition
from server.problems import Problem
from tests.factories.xlsform import xlsform

HOUSEHOLD = """
| survey |
| | type | name | label::中文 (zh) | label::English (en) | save_to | required | choice_filter |
| | select_one_from_file divisions.csv | division | 村 | Village | households#division | yes | level = 'village' |
| | image | door | 门 | Door | | | |
| | begin group | home | 家 | Home | | | |
| | select_multiple fuels | fuel | 燃料 | Fuel | | | |
| | geopoint | place | 位置 | Place | | | |
| | end group | | | | | | |
| | begin repeat | members | 成员 | Members | | | |
| | text | full_name | 姓名 | Name | persons#full_name | yes | |
| | text | id_number | 身份证号 | ID number | | | |
| | integer | age | 年龄 | Age | | | |
| | end repeat | | | | | | |
| choices |
| | list_name | name | label::中文 (zh) | label::English (en) |
| | fuels | coal | 煤 | Coal |
| | fuels | dung | 牛粪 | Dung |
| settings |
| | form_id | form_title | version |
| | household | 入户 | 7 |
| entities |
| | list_name | label | entity_id | create_if | update_if |
| | households | ${division} | | | |
| | persons | ${full_name} | | | |
"""

BY_HAND = """<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
 xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms">
<h:head><h:title>By hand</h:title><model>
<instance><tree xmlns="http://example.org/tree" id="tree" orx:version="2"><kind/><height/>
<branch jr:template=""><leaf/></branch></tree></instance>
<bind nodeset="/tree/kind" type="select1" required="true()"/>
<bind nodeset="/tree/height" type="xsd:integer"/><bind id="leaf" nodeset="/tree/branch/leaf" type="binary"/>
<submission base64RsaPublicKey="KEY"/>
</model></h:head><h:body><select1 ref="/tree/kind"><label>Kind <output value="/tree/height"/> m</label>
<item><label>Birch</label><value>birch</value></item></select1>
<input ref="/tree/height"><label>Height</label></input>
<group ref="/tree/branch"><label>Branch</label><repeat nodeset="/tree/branch"><upload bind="leaf" mediatype="image/*">
<label>Leaf</label></upload></repeat></group></h:body></h:html>"""


@pytest.fixture(scope="module")
def household() -> FormDefinition:
    return read_form_definition(compile_xlsform(xlsform(HOUSEHOLD), validate=False).xform)


def field(definition: FormDefinition, path: str):
    return next(field for field in definition.fields if "/".join(field.path) == path)


def test_a_forms_name_version_and_languages_are_read(household):
    assert (household.form_id, household.version, household.title) == ("household", "7", "入户")
    assert household.languages == ("中文 (zh)", "English (en)")
    assert household.has_instance_id


def test_fields_come_depth_first_with_their_kinds(household):
    kinds = {"/".join(field.path): field.kind for field in household.fields}
    assert kinds["division"] == "select1"
    assert kinds["door"] == "binary"
    assert kinds["home"] == "structure"
    assert kinds["home/fuel"] == "select"
    assert kinds["home/place"] == "geopoint"
    assert kinds["members"] == "repeat"
    assert kinds["members/age"] == "int"
    paths = list(kinds)
    assert paths.index("home") < paths.index("home/fuel") < paths.index("home/place") < paths.index("members")


def test_labels_keep_their_languages(household):
    assert field(household, "members").labels == {"中文 (zh)": "成员", "English (en)": "Members"}
    assert household.choices == {"fuels": {"coal": {"中文 (zh)": "煤", "English (en)": "Coal"},
                                           "dung": {"中文 (zh)": "牛粪", "English (en)": "Dung"}}}  # fmt: skip
    assert field(household, "home/fuel").choice_list == "fuels"


def test_id_numbers_are_sensitive_and_required_questions_are_told(household):
    assert field(household, "members/id_number").sensitive
    assert not field(household, "members/age").sensitive
    assert field(household, "members/full_name").required
    assert not field(household, "members/age").required


def test_files_that_the_form_needs_are_found(household):
    assert household.attachments == (("divisions.csv", "file"),)


def test_each_declaration_takes_the_properties_of_its_own_part(household):
    by_list = {entity.list_name: entity for entity in household.entities}
    assert by_list["persons"].path == ("members",)
    assert by_list["persons"].properties == {"full_name": ("members", "full_name")}
    assert by_list["households"].path == ()
    assert by_list["households"].properties == {"division": ("division",)}
    assert by_list["households"].creates
    assert not by_list["households"].updates


def test_a_form_written_by_hand_is_read():
    definition = read_form_definition(BY_HAND.encode())
    assert (definition.form_id, definition.version, definition.root_name) == ("tree", "2", "tree")
    assert [(field.path, field.kind) for field in definition.fields] == [
        (("kind",), "select1"), (("height",), "int"), (("branch",), "repeat"), (("branch", "leaf"), "binary"),
    ]  # fmt: skip
    assert field(definition, "kind").labels == {"default": "Kind … m"}
    assert field(definition, "kind").required
    assert definition.choices == {"kind": {"birch": {"default": "Birch"}}}
    assert definition.public_key == "KEY"
    assert not definition.has_instance_id


@pytest.mark.parametrize("which", [HOUSEHOLD, None])
def test_a_definition_survives_the_way_through_json(which, household):
    definition = household if which else read_form_definition(BY_HAND.encode())
    assert FormDefinition.from_json(json.loads(json.dumps(definition.to_json()))) == definition


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<", b"<a/>", b"<h/>" * 3, "<a>é</a>".encode("latin-1"), b"<html><head><model/></head></html>",
        b"<html><model><instance/></model></html>", b"<html><model><instance><data/></instance></model></html>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<html><model><instance><d id='x'>" + b"<a>" * 150 + b"</a>" * 150 + b"</d></instance></model></html>",
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(content):
    with pytest.raises(Problem) as caught:
        read_form_definition(content)
    assert caught.value.status == 400


def test_a_hundred_thousand_nested_elements_end_at_once():
    started = time.monotonic()
    with pytest.raises(Problem):
        read_form_definition(b"<a>" * 100_000 + b"</a>" * 100_000)
    assert time.monotonic() - started < 2


@given(start=st.integers(0, len(BY_HAND)), length=st.integers(0, 60), instead=st.sampled_from(["", "<", "meta", "instance", "/", "..", "\0"]))
def test_a_damaged_form_is_read_or_refused_and_nothing_else(start, length, instead):
    damaged = (BY_HAND[:start] + instead + BY_HAND[start + length :]).encode()
    with suppress(Problem):
        definition = read_form_definition(damaged)
        assert FormDefinition.from_json(definition.to_json()) == definition


def test_programs_are_told_the_types_that_the_forms_author_wrote() -> None:
    form = read_form_definition(
        b'<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head><model><instance><data id="told">'
        b"<meta><instanceID/><audit/><entity dataset='d' create='1'/></meta><n/><one/><many/><free/><g><in/></g><r><x/></r></data></instance>"
        b'<bind nodeset="/data/meta/instanceID" type="string"/><bind nodeset="/data/meta/audit" type="binary"/><bind nodeset="/data/n" type="number"/>'
        b'<bind nodeset="/data/one" type="select1"/><bind nodeset="/data/many" type="string"/><bind nodeset="/data/g/in"/></model></h:head><h:body>'
        b'<select ref="/data/many"><label>m</label></select><group ref="/data/r"><repeat nodeset="/data/r"/></group></h:body></h:html>'
    )
    assert {"/".join(field.path): field.told_type for field in form.fields} == {
        "meta": "structure", "meta/instanceID": "string", "meta/audit": "binary", "meta/entity": "structure", "n": "number", "one": "select1",
        "many": "string", "free": "unknown", "g": "structure", "g/in": "unknown", "r": "repeat", "r/x": "unknown",
    }  # fmt: skip
    assert FormDefinition.from_json(form.to_json()) == form

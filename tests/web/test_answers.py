"""Answers under their questions' labels, in the reader's language."""

from __future__ import annotations

from server.access.sealed import masked
from server.forms.fields import Field, FormDefinition, read_form_definition
from server.submissions.queries import Answer, answers_by_label, label_in
from server.web.answers import places_of, shown_answers
from tests.factories.questionnaire import form_xml

FORM = """
| survey | | | | |
| | type | name | label::中文 (zh) | label::English (en) |
| | begin group | home | 住房 | Home |
| | select_multiple heat | heating | 取暖 | Heating |
| | end group | | | |
| | begin repeat | members | 成员 | Members |
| | integer | age | 年龄 | Age |
| | end repeat | | | |
| | geopoint | place | 位置 | Place |
| choices | | | | |
| | list_name | name | label::中文 (zh) | label::English (en) |
| | heat | coal | 煤 | Coal |
| | heat | dung | 牛粪 | Dung |
"""
ANSWERS = {
    "home": {"heating": "coal dung other"}, "members": [{"__id": "a", "age": 0}, {"__id": "b", "age": None}],
    "place": "36.9 100.9 3200 8", "added_later": "x", "meta": {"instanceID": "uuid:1"},
}  # fmt: skip


def _flat(answers: tuple[Answer, ...]) -> list[tuple[str | None, str]]:
    return [pair for answer in answers for pair in [(answer.label, answer.text), *_flat(answer.items)]]


def test_labels_choices_groups_and_repeats_in_the_readers_language() -> None:
    definition = read_form_definition(form_xml(FORM))
    assert _flat(answers_by_label(definition, ANSWERS, "zh")) == [
        ("住房", ""), ("取暖", "煤、牛粪、other"), ("成员", ""), ("年龄", "0"), ("成员", ""), ("年龄", ""), ("位置", "36.9 100.9 3200 8"), ("added_later", "x"),
    ]  # fmt: skip
    assert _flat(answers_by_label(definition, ANSWERS, "en"))[1] == ("Heating", "Coal, Dung, other")


def test_answers_of_another_shape_than_the_form_are_shown_all_the_same() -> None:
    definition = FormDefinition("f", "1", "F", "data", fields=(Field(("a",), "string", {}), Field(("r",), "repeat", {}), Field(("r", "x"), "int", {})))
    odd = {"a": {"deep": {"er": 1}}, "r": "no list", "z": [{"__id": "k", "v": 1}]}
    shown = answers_by_label(definition, odd, "zh")
    assert any("1" in text for _label, text in _flat(shown))


def test_a_label_is_found_in_whatever_way_a_form_names_its_languages() -> None:
    assert label_in({"English (en)": "Age", "中文 (zh)": "年龄"}, "zh") == "年龄"
    assert label_in({"zh": "年龄", "en": "Age"}, "en") == "Age"
    assert label_in({"default": "Alter", "French": "Âge"}, "zh") == "Alter"
    assert label_in({"French": "Âge"}, "zh") == "Âge"
    assert label_in({}, "zh") is None


def test_masking_leaves_first_six_and_last_four() -> None:
    assert masked("999999196001010012") == "999999********0012"
    assert masked("1234567890") == "**********"


def test_places_are_read_and_nonsense_is_no_place() -> None:
    definition = read_form_definition(form_xml(FORM))
    assert places_of(answers_by_label(definition, ANSWERS, "zh"), unmasked=False) == [{"label": "位置", "kind": "geopoint", "points": [[36.9, 100.9, 8.0]]}]
    for text in ("", "here", "95 100", "nan nan", "36.9", "inf 1"):
        answers = answers_by_label(definition, {"place": text}, "zh")
        assert places_of(answers, unmasked=False) == []
        assert shown_answers(answers, {}, unmasked=False)

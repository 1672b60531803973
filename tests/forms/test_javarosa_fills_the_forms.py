"""All of the county's forms on the engine inside ODK Collect: languages, villages, time to open, what is sensitive."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest

from server.forms.fields import read_form_definition
from tests.actors.javarosa import JavaRosa
from tests.factories.filled_forms import Opener
from tests.factories.phone_media import VILLAGE, phone_media
from tests.factories.shipped_forms import FORMS, compiled, xform

SENSITIVE = {
    "household_register": {"members/id_number"},
    "household_verification": {"members/id_number", "members/illness", "members/disability_type", "vehicles/vehicle_plate"},
    "wubao_visit": {"health/illness"},
    "orphan_visit": {"health/illness", "health/disability", "feelings/bullied", "feelings/wants", "safety/signs", "safety/danger_now", "safety/signs_what"},
    "disaster_report": {"dead_people/dead_id_number", "missing_people/missing_id_number"},
}


@pytest.mark.parametrize("form_id", FORMS)
def test_each_form_says_its_name_in_both_languages_and_warns_of_nothing(form_id: str) -> None:
    definition = read_form_definition(xform(form_id))
    assert compiled(form_id).warnings == ()
    assert definition.form_id == form_id
    assert re.fullmatch(r"\d{10}", definition.version)
    assert definition.languages == ("中文 (zh)", "English (en)")
    assert [field.name for field in definition.fields if field.labels and len(field.labels) != 2] == []
    assert ("division",) in [field.path for field in definition.fields]


@pytest.mark.parametrize("form_id", FORMS)
def test_what_is_sensitive_is_declared_in_the_form(form_id: str) -> None:
    definition = read_form_definition(xform(form_id))
    assert {"/".join(field.path) for field in definition.fields if field.sensitive} == SENSITIVE.get(form_id, set())


@pytest.mark.parametrize("form_id", FORMS)
def test_only_the_villages_of_the_chosen_township_are_offered(opened: Opener, form_id: str) -> None:
    form = opened(form_id)
    assert form.choices("division") == [f"63222320220{number}" for number in range(5)]
    form.fill({"township": "632223290000"})
    assert form.choices("division") == [f"63222329029{number}" for number in range(5)]


@pytest.mark.parametrize("form_id", FORMS)
def test_the_village_of_the_last_form_is_chosen_already(javarosa: JavaRosa, form_id: str) -> None:
    """Collect keeps what it last sent of a form; the next one begins with its village, which can be changed."""
    last = f"<data><township>{VILLAGE['township']}</township><division>{VILLAGE['division']}</division></data>"
    form = javarosa.open(xform(form_id), {**phone_media(form_id), "last-saved": last.encode()})
    assert {name: form.value(name) for name in VILLAGE} == VILLAGE
    form.fill({"division": "632223202201"})
    first = javarosa.open(xform(form_id), phone_media(form_id))
    assert {name: first.value(name) for name in VILLAGE} == {"township": "", "division": ""}


@pytest.mark.parametrize("form_id", FORMS)
def test_a_form_opens_in_under_a_second(javarosa: JavaRosa, form_id: str) -> None:
    """The second time: the first also starts the engine."""
    javarosa.open(xform(form_id), phone_media(form_id))
    assert javarosa.open(xform(form_id), phone_media(form_id)).milliseconds < 1000


@pytest.mark.parametrize("form_id", FORMS)
def test_photos_are_scaled_and_places_waited_for(form_id: str) -> None:
    text = xform(form_id).decode()
    photos = len(re.findall(r'mediatype="image/\*"', text))
    assert len(re.findall(r'orx:max-pixels="1600"', text)) == photos > 0
    assert text.count('accuracyThreshold="20"') == len(re.findall(r'type="geopoint"', text))


def test_the_catalogue_lists_every_form_once_with_what_staff_need_to_know() -> None:
    catalogue = tomllib.loads((files("xlsforms") / "catalogue.toml").read_text(encoding="utf-8"))["form"]
    assert [form["folder"] for form in catalogue] == list(FORMS)
    for form in catalogue:
        assert all(form[part]["zh"] and form[part]["en"] for part in ("title", "purpose", "who", "cadence"))

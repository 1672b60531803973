"""The catalogue: typed, checked, replaced by the county's own, and in agreement with the forms themselves."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from server.first_start import form_folders
from server.forms.catalogue import CatalogueForm
from server.forms.catalogue_file import county_catalogue, read_catalogue, shipped_catalogue
from server.forms.fields import FormDefinition, read_form_definition
from server.problems import Problem
from server.settings import Settings
from tests.factories.shipped_forms import FORMS, xform

TEXT = (files("xlsforms") / "catalogue.toml").read_text(encoding="utf-8")
BY_ID = {form.form_id: form for form in shipped_catalogue().forms}


def definition_of(form_id: str) -> FormDefinition:
    return read_form_definition(xform(form_id))


def test_it_names_each_form_once_and_the_first_start_publishes_them_in_its_order() -> None:
    assert tuple(BY_ID) == FORMS
    assert tuple(folder.name for folder in form_folders()) == FORMS
    shipped = {folder.name for folder in files("xlsforms").iterdir() if folder.joinpath("form.xlsx").is_file()}
    assert shipped == set(FORMS)


@pytest.mark.parametrize("form_id", FORMS)
def test_it_says_of_a_form_what_the_form_says_of_itself(form_id: str) -> None:
    told, definition = BY_ID[form_id], definition_of(form_id)
    lists = {"persons", "households", "disaster_events", "disaster_villages", "relief_batches"}
    assert set(told.reads) == {name.removesuffix(".csv") for name, _kind in definition.attachments} & lists
    assert set(told.writes) == {entity.list_name for entity in definition.entities}
    paths = {"/".join(field.path): field for field in definition.fields}
    assert told.division in paths
    assert set(told.sensitive) == {path for path, field in paths.items() if field.sensitive}
    assert {deadline.after for deadline in told.deadlines} <= set(paths)


def questions_of(form: CatalogueForm) -> set[str]:
    found: set[str] = set()
    if (visits := form.visits) is not None:
        said = [one for one in (visits.met, visits.died, visits.moved) if one is not None]
        found |= {visits.person, visits.day, *(one.question for one in said), *(one.on for one in said if one.on)}
    if (reports := form.reports) is not None:
        found |= {reports.event, reports.kind, reports.happened, reports.known, reports.arrived, reports.relief_started, reports.finished, reports.stable.question, *reports.figures}
    if form.takes is not None:
        found |= {form.takes.batch, form.takes.quantity}
    return found


@pytest.mark.parametrize("form_id", [form.form_id for form in BY_ID.values() if questions_of(form)])
def test_questions_and_answers_by_which_the_server_counts_are_in_the_form(form_id: str) -> None:
    told, definition = BY_ID[form_id], definition_of(form_id)
    fields = {"/".join(field.path): field for field in definition.fields}
    assert questions_of(told) <= set(fields)
    choices = definition.choices or {}
    said = [one for one in (told.visits.met, told.visits.died, told.visits.moved) if one is not None] if told.visits else [told.reports.stable] if told.reports else []
    for one in said:
        assert set(one.values) <= set(choices[fields[one.question].choice_list or ""])
    if told.reports is not None:
        assert {value for _kind, value in told.reports.kinds} == set(choices[fields[told.reports.kind].choice_list or ""])
        assert all(fields[path].kind in {"int", "decimal"} for path in told.reports.figures)


def test_every_category_of_the_register_that_is_visited_belongs_to_a_programme() -> None:
    definition = definition_of("household_register")
    claim = next(field for field in definition.fields if field.name == "claim")
    covered = {value for _form, visits in shipped_catalogue().programmes for name, values in visits.select if visits.list_name == "persons" and name == "category" for value in values}
    assert covered == set((definition.choices or {})[claim.choice_list or ""]) - {"none"}


def test_every_class_of_review_that_a_form_gives_has_its_cadence() -> None:
    visits = BY_ID["household_verification"].visits
    assert visits is not None and visits.cadence_by is not None
    for form_id in ("household_verification", "household_register"):
        definition = definition_of(form_id)
        [entity] = [one for one in definition.entities if one.list_name == visits.list_name]
        question = next(field for field in definition.fields if field.path == entity.properties[visits.cadence_by[0]])
        assert set((definition.choices or {})[question.choice_list or ""]) == set(dict(visits.cadence_by[1]))


def constants_of(form_id: str) -> dict[str, float]:
    """The form's top-level calculations that are a number."""
    found = re.findall(rb'<bind nodeset="/data/(\w+)"[^>]* calculate="([0-9.]+)"', xform(form_id))
    return {name.decode(): float(value) for name, value in found}


@pytest.mark.parametrize("form_id", FORMS)
def test_values_that_a_county_sets_otherwise_in_a_form_are_named(form_id: str) -> None:
    assert set(BY_ID[form_id].thresholds) == set(constants_of(form_id))


def test_days_that_the_server_counts_are_those_that_the_form_tells_the_officer() -> None:
    told = {(form.form_id, deadline.name): deadline.days for form in BY_ID.values() for deadline in form.deadlines}
    told["disaster_report", "verification"] = shipped_catalogue().clocks.verification_days
    assert len(told) == 3
    for (form_id, name), days in told.items():
        assert constants_of(form_id)[f"{name}_days"] == days, form_id


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('cadence = "quarter"\nperson', 'cadence = "fortnight"\nperson', r"\[\[form\]\] wubao_visit visits cadence: is one of month, quarter"),
        ("marks_label = true", "mark_label = true", r"\[\[form\]\] wubao_visit visits mark_label: nothing is known by this name"),
        ('person = "household_id"\n', "", r"\[\[form\]\] household_verification visits person: is missing"),
        ('folder = "orphan_visit"', 'folder = "wubao_visit"', r"\[\[form\]\] wubao_visit: is there twice"),
        ("late_entry_days = 15", 'late_entry_days = "15"', "visiting late_entry_days: a whole number is needed"),
        ("late_entry_days = 15", "late_entry_days = true", "visiting late_entry_days: a whole number is needed"),
        ("at_risk_days = 15", "at_risk_days = -1", "visiting at_risk_days: is 0 or more"),
        ('due_at = "08:00"', 'due_at = "eight"', "disasters due_at: is a time such as 08:00"),
        ("follow_up_hours = 24", "follow_up_hours = 0", "disasters: time between follow-ups is more than 0"),
        ("drought = 10", 'drought = "ten"', "disasters follow_up_days drought: a whole number"),
        ('thresholds = ["plan_months"', 'thresholds = [6, "plan_months"', "orphan_visit thresholds: a list of texts"),
        ('thresholds = ["plan_months"', 'threshold = ["plan_months"', "orphan_visit threshold: nothing is known by this name"),
        ("holidays = []", 'holidays = ["2026-10-01"]', "county holidays: a list of days"),
        ('month = "本月未访"', "", "visiting unvisited month: is missing"),
        ('title = { zh = "灾情报告", en = "Disaster report" }', 'title = "灾情报告"', r"disaster_report title: a table is needed"),
        ('writes = ["disaster_events", "disaster_villages"]\n', "", r"disaster_report: writes must name the list 'disaster_events'"),
        ("working_days = 20", "working_day = 20", "deadlines 1 days: is missing"),
        ("[county]", "[county", "catalogue.toml"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_form_and_key(before: str, after: str, told: str) -> None:
    assert before in TEXT
    with pytest.raises(Problem, match=told):
        read_catalogue(TEXT.replace(before, after, 1).encode())


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(Problem, match="catalogue"):
        read_catalogue(b"\xff\xfe")


def test_a_county_replaces_the_file_by_its_own_and_is_heard_at_once(tmp_path: Path) -> None:
    settings, own = Settings(data=tmp_path), tmp_path / "catalogue.toml"
    assert county_catalogue(settings) == shipped_catalogue()
    own.write_text(TEXT.replace("at_risk_days = 15", "at_risk_days = 20"), encoding="utf-8")
    assert county_catalogue(settings).visiting.at_risk_days == 20
    own.write_text(TEXT.replace("at_risk_days = 15", "at_risk_days = 7 "), encoding="utf-8")
    assert county_catalogue(settings).visiting.at_risk_days == 7
    own.unlink()
    assert county_catalogue(settings).visiting.at_risk_days == 15


def test_deadlines_in_working_days_know_weekends_holidays_and_weekends_that_are_worked() -> None:
    catalogue = read_catalogue(
        TEXT.replace("holidays = []", "holidays = [2026-10-01, 2026-10-02, 2026-10-05, 2026-10-06, 2026-10-07]", 1)
        .replace("moved_workdays = []", "moved_workdays = [2026-10-10]", 1).encode()
    )  # fmt: skip
    [verification] = next(form for form in catalogue.forms if form.form_id == "household_verification").deadlines
    assert (verification.days, verification.is_working_days) == (20, True)
    # Wednesday; then the holiday until Thursday the 8th.
    assert [catalogue.working_day(date(2026, 9, 30), count) for count in (0, 1, 3, 4)] == [date(2026, 9, 30), date(2026, 10, 8), date(2026, 10, 10), date(2026, 10, 12)]
    assert shipped_catalogue().due_day(verification, date(2026, 11, 2)) == date(2026, 11, 30)

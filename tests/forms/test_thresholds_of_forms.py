"""What another county sets otherwise stands in one row of a form, and everything in the form follows it."""

from __future__ import annotations

import io
from importlib.resources import files

import openpyxl

from server.forms.compile import compile_xlsform
from tests.actors.javarosa import JavaRosa, OpenForm
from tests.factories.filled_forms import Opener, child_seen, noticed, reported, verified, visited
from tests.factories.phone_media import SNOW, SYSTEM, VILLAGE, phone_media, village_of


def set_by_the_county(javarosa: JavaRosa, **values: str) -> Opener:
    """Opens a form whose rows of these names calculate these values."""

    def opened(form_id: str, **lists: str) -> OpenForm:
        workbook = openpyxl.load_workbook(io.BytesIO((files("xlsforms") / form_id / "form.xlsx").read_bytes()))
        survey = workbook["survey"]
        columns = {cell.value: cell.column for cell in survey[1]}
        rows = {survey.cell(row, columns["name"]).value: row for row in range(2, survey.max_row + 1)}
        for name, value in values.items():
            survey.cell(rows[name], columns["calculation"]).value = value
        edited = io.BytesIO()
        workbook.save(edited)
        media = {**phone_media(form_id), **{f"{name}.csv": text.encode() for name, text in lists.items()}}
        form = javarosa.open(compile_xlsform(edited.getvalue(), validate=False).xform, media)
        form.fill(VILLAGE)
        return form

    return opened


def test_the_line_and_the_formula_of_support(javarosa: JavaRosa) -> None:
    form = verified(set_by_the_county(javarosa, line_yuan="4000", support_from_lines="1", support_share="0.2", savings_limit_yuan="500"))
    assert (form.value("result/line"), form.value("result/calculated_finding"), form.value("assets/savings_over")) == ("4000", "does_not", "yes")
    form.fill({"transfers/has_children_apart": "yes"})
    form.fill({f"children_apart[1]/{name}": value for name, value in {
        "child_name": "王大", "support_basis": "formula", "child_members": "2", "child_income": "18000"}.items()})  # fmt: skip
    assert float(form.value("children_apart[1]/support_due")) == 2000


def test_the_price_of_caterpillar_fungus(javarosa: JavaRosa) -> None:
    form = verified(set_by_the_county(javarosa, fungus_price_yuan="45"))
    form.fill({"crops/fungus_roots": "10", "crops/fungus_costs": "0"})
    assert float(form.value("income/income_farm")) == 3450


def test_when_a_wubao_persons_stores_are_low_and_what_is_due(javarosa: JavaRosa) -> None:
    form = visited(set_by_the_county(javarosa, food_days_low="21", fuel_days_low="31", allowance_due_yuan="1000", reassessment_days="5"), 0)
    assert form.value("risk_calculated") == "high"
    form.fill({"living/food_days": "21"})
    assert form.value("risk_calculated") == "medium"
    assert form.answer("money/allowance_less_why", "") == "required"


def test_how_early_a_plan_for_18_is_asked_for(javarosa: JavaRosa) -> None:
    form = child_seen(set_by_the_county(javarosa, plan_months="200", allowance_due_yuan="2000"))
    assert form.relevant("plan_18")
    assert form.answer("money/allowance_less_why", "") == "required"


def test_by_how_much_a_disasters_figures_may_grow(javarosa: JavaRosa) -> None:
    villages = "name,label,event,division,status,last_affected," + SYSTEM + f"\n{village_of(SNOW)},雪灾,{SNOW},{VILLAGE['division']},open,12,2,,\n"
    for factor, jumped in (("9", "yes"), ("10", "no")):
        opened = set_by_the_county(javarosa, jump_factor=factor)
        form = reported(lambda form_id, opened=opened: opened(form_id, disaster_villages=villages), report_kind="follow_up", event=SNOW)
        assert form.value("jumped") == jumped


def test_how_long_a_notice_stands_and_how_many_must_come(javarosa: JavaRosa) -> None:
    form = noticed(set_by_the_county(javarosa, notice_days="5"))
    form.fill({"notice/notice_to": "2026-01-16"})
    form.refuses("notice/notice_to", "2026-01-15", "天数不足")
    form = set_by_the_county(javarosa, quorum_parts="1", quorum_of="2")("community_review")
    form.fill({"stage": "review", "meeting/called": "12", "meeting/present": "6"})
    form.refuses("meeting/present", "5", "应到人数")

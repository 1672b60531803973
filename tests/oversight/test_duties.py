"""The rules alone: whatever happens in whatever order, exactly one duty per person and period, and due dates that say the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.forms.catalogue import CADENCES
from server.forms.catalogue_file import shipped_catalogue
from server.oversight.duties import Person, Spell, State, Visit, duty_of, entered_on, next_due, visit_day
from server.oversight.periods import next_period, period_of, periods_within, read_span
from server.problems import Problem

VISITING = shipped_catalogue().visiting
BEGIN = date(2026, 1, 1)
DAYS = st.integers(0, 500).map(lambda number: BEGIN + timedelta(days=number))


@st.composite
def people(draw: st.DrawFn) -> Person:
    """Entered, handed over some times, perhaps gone, perhaps back."""
    days = sorted(draw(st.lists(DAYS, min_size=1, max_size=7)))
    spells = []
    for number, (start, end) in enumerate(zip(days, [*days[1:], None], strict=True)):
        if number == 0 or draw(st.booleans()) or end is not None:
            spells.append(Spell(start, end, f"63222320220{draw(st.integers(0, 3))}"))
    if draw(st.booleans()) and len(spells) > 1:
        spells.pop(draw(st.integers(0, len(spells) - 1)))  # away for a while
    if draw(st.booleans()):
        spells[-1] = Spell(spells[-1].start, spells[-1].start + timedelta(days=draw(st.integers(0, 200))), spells[-1].division)
    return Person("p", "张三", "632223202200", draw(st.sampled_from(CADENCES)), tuple(spells))


@st.composite
def visits(draw: st.DrawFn) -> list[Visit]:
    made = draw(st.lists(st.tuples(DAYS, st.booleans(), st.booleans()), max_size=12))
    return [Visit("p", day, False, is_met, None, is_reviewed, "手机") for day, is_met, is_reviewed in made]


@given(people(), visits(), DAYS)
def test_one_duty_per_period_in_one_state_and_one_place_however_visits_are_ordered(person: Person, made: list[Visit], today: date) -> None:
    period = period_of(person.cadence, BEGIN)
    while period.start <= today:
        duty = duty_of(person, made, period, VISITING, today)
        there = [day for spell in person.spells for day in (spell.start, spell.last) if day]
        was_there = any(spell.start <= min(period.end, today) and (spell.last is None or spell.last >= period.start) for spell in person.spells)
        assert (duty is not None) == was_there, there
        assert duty == duty_of(person, made[::-1], period, VISITING, today)
        if duty is not None:
            assert duty.division in {spell.division for spell in person.spells}
            assert duty.is_due == (duty.state in {State.VISITED, State.OPEN, State.AT_RISK, State.MISSED})
            assert (duty.visit is not None) == (duty.state is State.VISITED)
            if duty.state in {State.OPEN, State.AT_RISK}:
                assert period.start <= today <= period.end
        period = next_period(person.cadence, period)


@given(people(), visits(), DAYS)
def test_the_due_date_is_that_of_the_first_duty_after_the_last_visit(person: Person, made: list[Visit], today: date) -> None:
    last = person.spells[-1]
    if last.last is not None or last.start > today:
        return
    entered = entered_on(person.spells, last)
    counting = [visit.day for visit in made if visit.is_met and entered <= visit.day <= today]
    due = next_due(person.cadence, entered, max(counting, default=None), VISITING)
    period = period_of(person.cadence, entered)
    states = {}
    while period.start <= today:
        duty = duty_of(person, [visit for visit in made if visit.day >= entered], period, VISITING, today)
        states[period] = duty.state if duty else None
        period = next_period(person.cadence, period)
    # Nothing after the due date has been visited; its own period, once it has begun, is owed; today's duty is open unless it lies ahead.
    assert all(state is not State.VISITED for period, state in states.items() if period >= due)
    if due in states and not any(spell.last and spell.last >= due.start for spell in person.spells if spell.start < entered):
        assert states[due] in {State.OPEN, State.AT_RISK, State.MISSED}
    assert all(period >= due for period, state in states.items() if state in {State.OPEN, State.AT_RISK})
    if due > period_of(person.cadence, today):
        assert states.get(period_of(person.cadence, today)) in {State.VISITED, State.LATER, None}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("2026Q4", "2026-10-01", "2026-12-31"), ("2026-02", "2026-02-01", "2026-02-28"), ("2026H1", "2026-01-01", "2026-06-30"), ("2024", "2024-01-01", "2024-12-31"),
     ("2026q1", "2026-01-01", "2026-03-31")],
)  # fmt: skip
def test_periods_are_named_as_people_name_them(text: str, start: str, end: str) -> None:
    found = read_span(text)
    assert (str(found.start), str(found.end), found.name) == (start, end, text.upper())


@pytest.mark.parametrize("text", ["", "2026Q5", "26Q1", "2026-13", "1999", "2026Q1 2026Q2", "２０２６"])
def test_what_is_no_period_is_told(text: str) -> None:
    with pytest.raises(Problem, match="2026Q4"):
        read_span(text)


def test_a_quarter_has_three_months_and_lies_in_one_year() -> None:
    quarter = read_span("2026Q4")
    assert [[one.name for one in periods_within(cadence, quarter)] for cadence in CADENCES] == [
        ["2026-10", "2026-11", "2026-12"], ["2026Q4"], ["2026H2"], ["2026"],
    ]  # fmt: skip


def test_the_phones_day_is_believed_between_publication_and_receipt() -> None:
    # 01:30 of the 26th in China.
    received, published = datetime(2026, 11, 25, 17, 30, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    assert visit_day(date(2026, 11, 26), received, published) == (date(2026, 11, 26), False)
    assert visit_day(date(2026, 11, 27), received, published) == (date(2026, 11, 26), True)
    assert visit_day(date(2026, 11, 19), received, published) == (date(2026, 11, 26), True)
    assert visit_day(None, received, None) == (date(2026, 11, 26), True)

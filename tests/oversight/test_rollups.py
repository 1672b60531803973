"""Whatever the order and delay of village reports: an area's figures are the sum of its villages' latest accepted ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from server.forms.catalogue_file import shipped_catalogue
from server.oversight.reports import Event, read_reports
from server.oversight.rollups import rollup
from server.transactions import transaction
from sync.load import load_batch
from sync.sources import Batch, SubmissionState
from sync.tables import CentralTables
from tests.sync.central_tables import a_form, a_submission

FORM, REPORTS = shipped_catalogue().disaster_form  # type: ignore[misc]
FIGURES = ("people/affected", "loss/loss_total")
NAMED = replace(REPORTS, figures=FIGURES)
TABLE = a_form(
    ("report_kind", "select1"), ("event_id", "string"), ("end", "dateTime"), ("people", "structure"), ("people/affected", "int"), ("loss", "structure"),
    ("loss/loss_total", "decimal"), form_id=FORM.form_id,
)  # fmt: skip
BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
VILLAGES = ("632223202200", "632223202201", "632223290290")


@dataclass(frozen=True)
class Sent:
    """A report through its life: `states` are what the server held of it, one after the other."""

    village: str
    kind: str
    finished: int
    received: int
    states: tuple[tuple[int, int, str, bool], ...]  # affected, hundredths of loss, review state, withdrawn


REVIEWS = ["received", "received", "received", "edited", "approved", "approved", "hasIssues", "rejected"]
SENT = st.builds(
    lambda village, kind, finished, delay, states: Sent(village, kind, finished, finished + delay, states),
    st.sampled_from(VILLAGES), st.sampled_from(["initial", "follow_up", "follow_up", "follow_up", "zero", "verification"]),
    # A phone's clock may run ahead of the server's; without signal a report comes long after.
    st.integers(0, 60), st.integers(-10, 90),
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 99_999), st.sampled_from(REVIEWS), st.sampled_from([False, False, False, True])),
             min_size=1, max_size=3).map(tuple),
)  # fmt: skip


def state_of(sent: Sent, number: int, event: str, key: str) -> SubmissionState:
    affected, loss, review, withdrawn = sent.states[number]
    answers: dict[str, Any] = {"report_kind": sent.kind, "event_id": event, "end": (BEGIN + timedelta(minutes=sent.finished)).isoformat()}
    if sent.kind != "zero":
        answers |= {"people": {"affected": affected}, "loss": {"loss_total": f"{loss / 100:.2f}"}}
    return a_submission(
        TABLE, key, answers, division=sent.village, review_state=review, received_at=BEGIN + timedelta(minutes=sent.received),
        deleted_at=BEGIN if withdrawn else None,
    )  # fmt: skip


def expected(sent: Mapping[str, Sent]) -> dict[str, tuple[Decimal, Decimal]]:
    """By village: worked out from the last states alone, in the plainest way."""
    found = {}
    for village in VILLAGES:
        standing = [
            (one.kind == "verification", min(one.finished, one.received), one.received, key, one.states[-1]) for key, one in sent.items()
            if one.village == village and one.kind != "zero" and one.states[-1][2] in {"received", "edited", "approved"} and not one.states[-1][3]
        ]  # fmt: skip
        if standing:
            affected, loss = max(standing)[4][:2]
            found[village] = (Decimal(affected), Decimal(loss) / 100)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SENT, max_size=14), st.randoms(use_true_random=False))
def test_totals_are_the_sums_of_the_latest_accepted_reports_corrections_and_withdrawals_included(target: Engine, made: list[Sent], chance: Any) -> None:
    event, sent = str(uuid.uuid4()), {f"uuid:{uuid.uuid4()}": one for one in made}
    # Each report's states come one after the other; among the reports there is no order, and a batch holds any number.
    arrivals = [key for key, one in sent.items() for _state in one.states]
    chance.shuffle(arrivals)
    come = dict.fromkeys(sent, 0)
    while arrivals or not sent:
        batch: dict[str, SubmissionState] = {}
        for key in arrivals[: chance.randint(1, 4)]:
            batch[key] = state_of(sent[key], come[key], event, key)
            come[key] += 1
            arrivals.pop(0)
        with transaction(target, write=True) as session:
            load_batch(session.connection(), CentralTables(session.connection()), Batch(1, 1, 1, [TABLE], [], list(batch.values())))
        if not sent:
            break
    known = Event(event, "雪灾", "snow", "open", False, BEGIN)
    with transaction(target) as central:
        reports = read_reports(central, 1, FORM.form_id, NAMED, known)
        in_township = read_reports(central, 1, FORM.form_id, NAMED, known, division="632223202")
    chance.shuffle(reports)
    rows = {row.code: tuple(row.figures[name] for name in FIGURES) for row in rollup(reports, FIGURES)}
    villages = expected(sent)
    assert {code: row for code, row in rows.items() if len(code) == 12} == villages
    for area in ("632223", "632223202", "632223290"):
        within = [row for code, row in villages.items() if code.startswith(area)]
        assert rows.get(area) == (tuple(map(sum, zip(*within, strict=True))) if within else None)
    assert {row.code: tuple(row.figures.values()) for row in rollup(in_township, FIGURES, division="632223202")} == {
        code: row for code, row in rows.items() if code.startswith("632223202")
    }


def test_a_village_of_which_all_was_sent_back_has_no_figures_and_says_so_nowhere_else(target: Engine) -> None:
    event = str(uuid.uuid4())
    first = Sent(VILLAGES[0], "initial", 1, 2, ((5, 100, "hasIssues", False),))
    with transaction(target, write=True) as session:
        load_batch(session.connection(), CentralTables(session.connection()), Batch(1, 1, 1, [TABLE], [], [state_of(first, 0, event, "uuid:1")]))
    with transaction(target) as central:
        [report] = read_reports(central, 1, FORM.form_id, NAMED, Event(event, "雪灾", "snow", "open", False, BEGIN))
    assert (report.is_accepted, rollup([report], FIGURES)) == (False, [])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_verification_stands_also_against_a_follow_up_that_was_finished_later(target: Engine, order: tuple[int, ...]) -> None:
    event = str(uuid.uuid4())
    sent = [Sent(VILLAGES[0], kind, minute, minute + 5, ((affected, 0, "received", False),)) for kind, minute, affected in
            (("initial", 1, 10), ("verification", 50, 8), ("follow_up", 90, 30))]  # fmt: skip
    for number in order:
        with transaction(target, write=True) as session:
            state = state_of(sent[number], 0, event, f"uuid:{event}{number}")
            load_batch(session.connection(), CentralTables(session.connection()), Batch(1, 1, 1, [TABLE], [], [state]))
    with transaction(target) as central:
        reports = read_reports(central, 1, FORM.form_id, NAMED, Event(event, "雪灾", "snow", "open", False, BEGIN))
    assert [row.figures["people/affected"] for row in rollup(reports, FIGURES)] == [8, 8, 8]

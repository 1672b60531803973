"""The OpenAPI document, its page, and requests made from it that no operation may fail at."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.actors.house import House
from tests.actors.program import Program
from tests.factories.questionnaire import a_visit, visit_form


def test_the_document_has_every_operation_with_a_sentence(house: House) -> None:
    document = Program(house).reads("/openapi.json")
    assert document["openapi"] == "3.1.0"
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in house.app.url_map.iter_rules() if rule.rule.startswith("/v1/")}
    assert set(document["paths"]) == routes
    views = house.app.view_functions
    silent = [name for name, view in views.items() if name.split(".")[0] in {"rest", "odata"} and not (view.__doc__ or "").strip()]
    assert silent == [], "a view's docstring is what the document says of it"


def test_the_page_asks_no_other_host(house: House) -> None:
    page = Program(house).get("/docs")
    assert page.status_code == 200
    assert "http://" not in page.text.replace("http://localhost", "") and "https://" not in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "/v1/projects/{project_id}/forms/{form_id}/submissions" in page.text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_made_from_the_document_makes_an_operation_fail(house: House) -> None:
    house.publish(visit_form())
    house.new_phone().send(a_visit("uuid:first", door="a.jpg"), {"a.jpg": b"\xff\xd8"})
    admin = Program.signed_in(house)
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", house.app)
    failed: list[tuple[str, str, int]] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path.startswith("/v1/sessions") and operation.method == "delete":
            continue  # it would end the test's own session

        @settings(max_examples=6, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy())
        def sends(case: schemathesis.Case) -> None:
            answer = case.call(headers=admin.headers)
            if answer.status_code >= 500 and answer.status_code != 501:
                failed.append((case.method, case.path, answer.status_code))

        sends()
    assert failed == []

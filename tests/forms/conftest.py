"""The phone's engine, a form open on it, and a village that sends what it fills in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actors.house import House
from tests.actors.javarosa import JavaRosa, OpenForm
from tests.actors.village import Village
from tests.factories.filled_forms import Opener
from tests.factories.phone_media import VILLAGE, phone_media
from tests.factories.shipped_forms import xform


@pytest.fixture(scope="session")
def javarosa() -> Iterator[JavaRosa]:
    with JavaRosa() as engine:
        yield engine


@pytest.fixture
def opened(javarosa: JavaRosa) -> Opener:
    """A form on the phone, its village chosen. `lists`: other rows of an entity list, persons="..."."""

    def open_form(form_id: str, **lists: str) -> OpenForm:
        form = javarosa.open(xform(form_id), {**phone_media(form_id), **{f"{name}.csv": rows.encode() for name, rows in lists.items()}})
        form.fill(VILLAGE)
        return form

    return open_form


@pytest.fixture
def village(house: House, javarosa: JavaRosa) -> Village:
    return Village(house, javarosa)

"""relief_stock and relief_distribution on the phone: goods out of the store, hand-overs at the door."""

from __future__ import annotations

import pytest

from tests.actors.javarosa import Refused
from tests.actors.village import Village
from tests.factories.filled_forms import NEW_EVENT, PHOTO, Opener, handed_out, registered, reported, stocked
from tests.factories.phone_media import TENTS, VILLAGE


def test_goods_go_out_to_a_village_as_a_batch_and_are_handed_over(village: Village) -> None:
    """A disaster, ten tents for its village, two of them to a household: each from the list that the one before made."""
    village.publish("relief_stock", "relief_distribution", "disaster_report", "household_register")
    village.sends(registered(village.opened))
    village.sends(reported(village.opened, **NEW_EVENT))
    event = village.entities()["示例雪灾"]["uuid"]
    village.sends(stocked(village.opened, event))
    [(label, batch)] = [(label, row) for label, row in village.entities().items() if "item" in row]
    assert label.startswith("帐篷 10 ")
    assert batch["of_division"] == VILLAGE["division"]
    assert {name: batch[name] for name in ("event", "item", "unit", "quantity", "rule")} == {
        "event": event, "item": "tent", "unit": "piece", "quantity": "10", "rule": "loss"}  # fmt: skip

    form = handed_out(village.opened, batch=batch["uuid"], household=village.entities()["王二 塔列村 9 号"]["uuid"])
    assert (form.value("still_there"), form.value("receiver_name")) == ("10", "王二")
    village.sends(form)
    tables = village.central()
    [out] = tables["relief_stock"]
    [given] = tables["relief_distribution"]
    assert (out["movement"], float(out["quantity"]), out["to_village"]) == ("out", 10.0, VILLAGE["division"])
    assert (given["batch"], float(given["quantity"]), given["received_by"], given["item"]) == (batch["uuid"], 2.0, "self", "tent")


def test_what_comes_in_makes_no_batch(village: Village) -> None:
    form = village.opened("relief_stock")
    form.fill({"store": "县救灾仓库", "movement": "in", "item": "cash", "unit": "yuan", "quantity": "100000", "source": "省级调拨",
               "condition": "good", "photo": PHOTO, "signature": "s.png"})  # fmt: skip
    assert not form.relevant("event")
    village.sends(form)
    assert village.entities() == {}


def test_money_is_counted_in_yuan_and_goods_are_not(opened: Opener) -> None:
    form = stocked(opened)
    form.refuses("unit", "yuan", "元")
    form.refuses("quantity", "0", "大于 0")
    form.fill({"movement": "count", "quantity": "0"})
    form.fill({"condition": "damaged"})
    assert form.answer("damage", "") == "required"


def test_a_hand_over_shows_what_is_left_and_more_takes_a_reason(opened: Opener) -> None:
    form = handed_out(opened, "4")
    assert form.value("still_there") == "4"
    assert not form.relevant("too_much")
    assert form.finalise()
    form = handed_out(opened, "5")
    assert form.relevant("too_much")
    with pytest.raises(Refused, match="too_much_why"):
        form.finalise()
    form.fill({"too_much_why": "另有两顶从邻村调来"})
    assert form.finalise()


def test_who_receives_for_another_or_is_related_is_named(opened: Opener) -> None:
    form = handed_out(opened)
    assert not form.relevant("received_by_name")
    form.fill({"received_by": "other", "related": "yes"})
    assert form.answer("received_by_name", "") == form.answer("related_who", "") == "required"


def test_only_batches_of_the_village_are_offered(opened: Opener) -> None:
    form = opened("relief_distribution")
    assert form.choices("batch") == [TENTS]
    form.fill({"township": "632223290000", "division": "632223290290"})
    assert form.choices("batch") == []

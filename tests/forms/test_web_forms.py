"""The county's forms in ODK Web Forms, on a screen of a phone: drawn whole, and their formulas at work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.actors.web_forms import WebForm, web_form
from tests.factories.filled_forms import GOOD_ID
from tests.factories.phone_media import phone_media
from tests.factories.shipped_forms import FORMS, xform

IN_THE_VILLAGE = {"乡镇": "青海湖乡", "村（社区）": "塔列村"}


def register(form: WebForm) -> None:
    form.chooses({"住户是否已在名册中": "新住户", "身份证件": "看到证件"})
    form.writes({"身份证号": GOOD_ID})
    form.sees("年龄：")
    form.chooses({"属于哪类探访对象": "孤儿"})
    form.sees("须未满 18 周岁。请核对")


def verification(form: WebForm) -> None:
    form.chooses({"住户是否在名册中": "在名册中", "核查事由": "新申请"})
    form.chooses({"住户": "王一 塔列村 1 号"} if form.question("住户").get_by_role("combobox").count() else {})
    form.picks_today("受理日期")
    form.sees_not("受理日期不能晚于今天")
    form.chooses({"身份证件": "看到证件"})
    form.writes({"身份证号": GOOD_ID[:-1] + "3"})
    form.sees("校验码正确")
    form.writes({"身份证号": GOOD_ID})
    form.sees("年龄：")
    form.writes({"羊存栏": "30", "羊出栏": "10"})
    form.writes({"羊平均售价": "800"})
    form.sees("种养净收入合计：8000")
    form.writes({"养老金": "500", "草原生态补奖": "200", "其他补贴": "0"})
    form.sees("转移收入合计：700")


def wubao(form: WebForm) -> None:
    form.chooses({"探访对象": "张三", "是否见到本人": "已去世"})
    form.sees("张三，出生 1950-01-01")
    form.picks_today("去世日期")
    form.sees_not("日期不能晚于今天")
    form.chooses({"是否见到本人": "见到本人"})
    form.chooses(dict.fromkeys(("能自己吃饭", "能自己穿衣", "能自己上下床", "能自己如厕", "能在室内行走", "能自己洗澡"), "否"))
    form.sees("按六项能力：全护理")
    form.sees("将启动复评（10 个工作日内）")
    form.sees("按回答计算的风险：高")


def orphan(form: WebForm) -> None:
    form.chooses({"探访儿童": "李四", "是否见到孩子": "见到"})
    form.sees("监护人 李五")
    form.chooses({"监护人与孩子的关系": "祖父母、外祖父母"})
    assert form.question("监护人姓名").get_by_role("textbox").input_value() == "李五"
    form.chooses({"有无以下迹象": "不明伤痕"})
    form.sees("提交后县里会立即收到警示")
    form.writes({"身高": "201"})
    form.sees("身高应在 40 至 200 厘米之间")


def disaster(form: WebForm) -> None:
    form.chooses({"报告类别": "初报", "灾害事件是否已在名单中": "新的灾害", "灾种": "滑坡、崩塌、泥石流"})
    form.chooses({"具体灾种": "泥石流"})
    form.writes({"受灾人口": "10", "因灾死亡": "2"})
    form.sees("死亡人员")
    form.writes({"因灾死亡": "11"})
    form.sees("不能超过受灾人口")
    form.chooses({"报告类别": "零报告"})
    form.sees_not("受灾人口")


def review(form: WebForm) -> None:
    form.chooses({"被评议的住户": "王一 塔列村 1 号", "这次填写什么": "民主评议"})
    form.picks_today("开会日期")
    form.writes({"应到人数": "12", "实到人数": "7"})
    form.sees("应达到三分之二")
    form.writes({"实到人数": "8"})
    form.sees_not("应达到三分之二。人数不足")


def distribution(form: WebForm) -> None:
    form.chooses({"发放批次": "帐篷 10", "领取户": "王一 塔列村 1 号"})
    form.sees("剩余 4")
    form.writes({"发放数量": "5"})
    form.sees("超过本批剩余数量")


def stock(form: WebForm) -> None:
    form.chooses({"入库、出库还是盘点": "出库", "品种": "帐篷", "计量单位": "元"})
    form.sees("物资的单位不能是元")
    form.chooses({"是否发往某次灾害的受灾村": "是"})
    form.chooses({"灾害事件": "11·24 雪灾"})


WORK: dict[str, Callable[[WebForm], None]] = {
    "household_register": register, "household_verification": verification, "wubao_visit": wubao, "orphan_visit": orphan,
    "disaster_report": disaster, "community_review": review, "relief_distribution": distribution, "relief_stock": stock,
}  # fmt: skip


@pytest.mark.parametrize("form_id", FORMS)
def test_a_form_is_drawn_whole_and_its_rules_work(form_id: str) -> None:
    with web_form(xform(form_id), phone_media(form_id)) as form:
        assert form.failure() == ""
        assert form.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "no scrolling sideways"
        form.chooses(IN_THE_VILLAGE)
        WORK[form_id](form)

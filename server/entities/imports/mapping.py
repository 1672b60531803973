"""Which column becomes what: proposed from the file's header, checked when a person says otherwise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from server import problems
from server.column_letters import column_letter
from server.entities.imports.property_kinds import PropertyKind

# What a column can be besides a property: the entity's own id, as entities.csv has it.
ID = "__id"
_IGNORED = re.compile(r"[\s*＊:：_\-]|[(（\[【].*?[)）\]】]")
_PATTERN = re.compile(r"\{([^{}]*)\}")
_MOST_PATTERN = 500
# As registers of civil affairs head their columns.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "division": ("行政区划", "行政区划代码", "区划代码", "区划", "村代码", "所属村", "村社区", "所在村", "村"),
    "name": ("姓名", "名字", "人员姓名"), "head_name": ("户主", "户主姓名", "户主名字"),
    "id_number": ("身份证号", "身份证号码", "公民身份号码", "公民身份证号", "身份证", "证件号码", "户主身份证号"),
    "id_masked": ("身份证号掩码",), "phone": ("电话", "联系电话", "手机", "手机号", "手机号码", "电话号码"),
    "address": ("住址", "地址", "家庭住址", "家庭地址", "详细地址"), "geometry": ("坐标", "位置", "经纬度", "定位"),
    "members": ("人口", "家庭人口", "人口数", "家庭成员数", "保障人口"), "category": ("类别", "救助类别", "对象类别", "人员类别"),
    "birth_date": ("出生日期", "出生年月日", "生日"), "sex": ("性别",), "status": ("状态", "人员状态"), "guardian": ("监护人", "监护人姓名"),
    "support": ("供养方式", "供养类型"), "self_care": ("自理能力", "生活自理能力"), "risk": ("风险等级", "风险"),
    "bank_account": ("银行账号", "银行卡号", "账号"), "last_visit": ("上次探访", "最近探访日期"), "next_due": ("下次到期", "下次探访"),
    "last_verified": ("上次核查", "核查日期"), "verified_income_pc": ("人均收入", "核定人均收入"),
    ID: ("__id", "entityid", "编号uuid"),
}  # fmt: skip
_LABELS = ("label", "名称", "姓名", "户主姓名", "户主", "人员姓名", "name", "headname")
_KEYS = ("id_number", "id_no", "idcard", "id_card")


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """`columns`: property (or ID) by the column's number; `label`: a column's number, or a text with {column name}s in it.

    `key`: the property, or ID, whose value says that a row is an entity that is there already; None: each row is a new one.
    """

    columns: dict[int, str] = field(default_factory=dict)
    label: int | str | None = None
    key: str | None = None
    skip_errors: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "columns": {str(number): name for number, name in self.columns.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ImportSettings:
        """What `to_json` wrote."""
        return cls({int(number): name for number, name in stored["columns"].items()}, stored["label"], stored["key"], stored["skip_errors"])


def plain(text: str) -> str:
    """A heading as it is compared: without spaces, marks and what stands in brackets, in small letters of one width."""
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text)).lower()


def propose(columns: Sequence[str], kinds: Mapping[str, PropertyKind]) -> ImportSettings:
    """By equal name, by the label that the list's forms give, by what such columns are usually called; a column is never proposed twice."""
    known = [*kinds, ID]
    headings = [plain(name) for name in columns]
    chosen: dict[int, str] = {}
    for names_of in (_own_name, _form_labels, _synonyms):
        for name in known:
            wanted = {plain(one) for one in names_of(name, kinds)} - {""}
            at = next((number for number, heading in enumerate(headings) if heading in wanted and number not in chosen), None)
            if at is not None and name not in chosen.values():
                chosen[at] = name
    label = next((headings.index(plain(one)) for one in _LABELS if plain(one) in headings), None)
    if label is None:
        label = next((number for number, name in chosen.items() if name in {"name", "head_name"}), 0)
    key = ID if ID in chosen.values() else next((name for name in chosen.values() if name in _KEYS), None)
    return ImportSettings(chosen, label, key)


def _own_name(name: str, _kinds: Mapping[str, PropertyKind]) -> list[str]:
    return [name]


def _form_labels(name: str, kinds: Mapping[str, PropertyKind]) -> list[str]:
    return kinds[name].labels if name in kinds else []


def _synonyms(name: str, _kinds: Mapping[str, PropertyKind]) -> list[str]:
    return list(_SYNONYMS.get(name, ()))


def find_column(columns: Sequence[str], text: str) -> int | None:
    """The column with this heading, else the one that spreadsheet programs call so (A, B, ...)."""
    wanted = text.strip()
    if wanted in columns:
        return list(columns).index(wanted)
    return next((number for number in range(len(columns)) if column_letter(number + 1) == wanted.upper()), None)


def read_label(columns: Sequence[str], text: str | None) -> int | str | None:
    """A column's number for its name, a pattern as it is. Raises: import_settings_wrong."""
    if not text or "{" in text:
        return text or None
    number = find_column(columns, text)
    if number is None:
        raise problems.import_settings_wrong([no_such_column(text)])
    return number


def no_such_column(text: str) -> dict[str, Any]:
    """What is wrong with a column's name."""
    return {"zh": f"文件中没有“{text[:100]}”这一列。", "en": f"The file has no column “{text[:100]}”."}


def check_settings(settings: ImportSettings, columns: Sequence[str], properties: Sequence[str]) -> None:
    """Raises: import_settings_wrong, with everything that is wrong."""
    errors = [{"zh": zh, "en": en} for zh, en in _faults(settings, columns, properties)]
    if errors:
        raise problems.import_settings_wrong(errors)


def _faults(settings: ImportSettings, columns: Sequence[str], properties: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    names = list(settings.columns.values())
    found += [(f"文件中没有第 {n + 1} 列。", f"The file has no column {n + 1}.") for n in settings.columns if not 0 <= n < len(columns)]
    found += [
        (f"登记表没有属性 {name[:100]}。", f"The list has no property {name[:100]}.") for name in names if name not in properties and name != ID
    ]
    found += [
        (f"有几列都对应到属性 {name}，只能选一列。", f"Several columns are mapped to the property {name}; choose one.")
        for name in dict.fromkeys(names) if names.count(name) > 1
    ]  # fmt: skip
    if settings.key is not None and settings.key not in names:
        found.append((f"用来匹配的 {settings.key[:100]} 没有对应的列。", f"No column is mapped to the key {settings.key[:100]}."))
    if ID in names and settings.key != ID:
        found.append(("对应到编号（__id）的列只能用来匹配。", "A column mapped to __id can only be the key."))
    label = settings.label
    if isinstance(label, str):
        wrong = [one for one in _PATTERN.findall(label) if find_column(columns, one) is None]
        found += [(no_such_column(one)["zh"], no_such_column(one)["en"]) for one in wrong]
        if len(label) > _MOST_PATTERN or not _PATTERN.search(label):
            found.append(("名称的写法应含有 {列名}。", "The label's pattern needs a {column} in it."))
    elif label is not None and not 0 <= label < len(columns):
        found.append((f"文件中没有第 {label + 1} 列。", f"The file has no column {label + 1}."))
    elif label is None and settings.key is None:
        found.append(("请选择哪一列是名称。", "Say which column is the label."))
    return found


def label_parts(settings: ImportSettings, columns: Sequence[str]) -> list[str | int]:
    """The label as texts and columns' numbers in a row; [] where it is not said."""
    if settings.label is None or isinstance(settings.label, int):
        return [] if settings.label is None else [settings.label]
    pieces: list[str | int] = []
    for index, piece in enumerate(_PATTERN.split(settings.label)):
        number = find_column(columns, piece) if index % 2 else None
        pieces.append(piece if number is None else number)
    return [piece for piece in pieces if piece != ""]

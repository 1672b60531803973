"""5xx: ours."""

from __future__ import annotations

from server.problems.problem import Problem


def unexpected(request_id: str) -> Problem:
    return Problem(
        "500.1",
        f"服务器出了意外，数据没有改动。请稍后再试；如仍不行，请把编号 {request_id} 告诉管理员。",
        f"Something unexpected happened and nothing was changed. Try again later, or tell the administrator {request_id}.",
        {"requestId": request_id},
    )


def busy() -> Problem:
    return Problem(
        "503.1",
        "服务器正忙，数据没有收下。请稍后再发。",
        "The server is busy and did not take the data. Send it again later.",
    )


def schema_is_newer(found: str) -> Problem:
    return Problem(
        "500.71",
        f"数据库由更新版本的 minqing 建立（{found}）。请升级本程序后再启动，数据没有改动。",
        f"The database was made by a newer minqing ({found}). Upgrade this program; nothing was changed.",
        {"revision": found},
    )

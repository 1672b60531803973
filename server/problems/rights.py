"""401, 403, 429: who are you, and may you."""

from __future__ import annotations

from server.problems.problem import Problem


def authentication_failed() -> Problem:
    return Problem(
        "401.2",
        "登录信息不正确或已失效。请检查用户名和密码，或请管理员重新发二维码。",
        "Could not authenticate with the provided credentials.",
    )


def insufficient_rights() -> Problem:
    return Problem(
        "403.1",
        "您没有进行此操作的权限。如需要，请联系管理员。",
        "The authentication you provided does not have rights to perform that action.",
    )


def too_many_tries(minutes: int) -> Problem:
    return Problem(
        "429.7",
        f"登录尝试次数过多。请在 {minutes} 分钟后再试。",
        f"Too many tries to sign in. Try again in {minutes} minutes.",
        {"minutes": minutes},
    )


def https_only() -> Problem:
    return Problem(
        "401.3",
        "这种登录方式只能通过 https 使用。请改用 https 地址。",
        "This way of signing in is only available over HTTPS.",
    )

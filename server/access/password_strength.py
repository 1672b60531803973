"""Which passwords are refused, and the sentence why."""

from __future__ import annotations

from server import problems

MIN_PASSWORD, MAX_PASSWORD = 10, 72
_LEAST_SCORE = 2  # of 0 to 4: 10^6 to 10^8 guesses

# zxcvbn's warnings by their beginnings.
_CHINESE = {
    "Straight rows": "键盘上连续的按键很容易被猜到",
    "Short keyboard": "短的键盘走位很容易被猜到",
    "Repeats like": "重复的字符很容易被猜到",
    "Sequences like": "连续的字母或数字很容易被猜到",
    "Recent years": "年份很容易被猜到",
    "Dates are": "日期很容易被猜到",
    "This is a top": "这是最常用的密码之一",
    "This is a very common": "这是很常用的密码",
    "This is similar": "这与常用的密码相似",
    "A word by itself": "单独一个词很容易被猜到",
    "Names and surnames": "姓名很容易被猜到",
    "Common names": "常见姓名很容易被猜到",
}


def check_password_strength(password: str, email: str) -> None:
    """Raises: password_too_short, password_too_long, password_too_weak with a sentence why."""
    if len(password) < MIN_PASSWORD:
        raise problems.password_too_short()
    if len(password.encode("utf-8", "replace")) > MAX_PASSWORD:
        raise problems.password_too_long()
    from zxcvbn import zxcvbn  # half a second and 10 MB of word lists: only where a password is set

    name = email.partition("@")[0].lower()
    if len(name) > 3 and len(password.lower().replace(name, "")) < MIN_PASSWORD - 2:
        raise problems.password_too_weak("密码不能只是登录名加几个字符", "It is little more than the sign-in name", [])
    found = zxcvbn(password, user_inputs=[email, name])
    if found["score"] < _LEAST_SCORE:
        warning = found["feedback"]["warning"].rstrip(".")
        chinese = next((text for start, text in _CHINESE.items() if warning.startswith(start)), "太容易被猜到")
        raise problems.password_too_weak(chinese, warning, found["feedback"]["suggestions"])

"""Mail to an account's holder: the link with which they choose a password. Without a mail server set, none is sent and the log says so."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from server.settings import Settings

log = logging.getLogger(__name__)
_SECONDS = 10


def send_password_link(settings: Settings, to: str, address: str) -> bool:
    """Whether a mail with this address (a whole URL) left for `to`; what goes wrong is logged and never told to who asked."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.mail_from, to, "民情：设置密码 / Minqing: choose a password"
    message.set_content(
        f"请在 24 小时内打开以下链接设置密码：\n{address}\n如果不是您本人申请，请忽略此邮件。\n\n"
        f"Open this link within 24 hours to choose a password:\n{address}\nIf you did not ask for it, do nothing.\n"
    )
    return _send(settings.smtp_url, message)


def _send(smtp_url: str, message: EmailMessage) -> bool:
    if not smtp_url:
        log.warning("no mail sent: MINQING_SMTP_URL is not set")
        return False
    server = urlsplit(smtp_url)
    try:
        with _connected(server.scheme, server.hostname or "", server.port) as connection:
            if server.username:
                connection.login(unquote(server.username), unquote(server.password or ""))
            connection.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        log.warning("no mail sent: %s", type(error).__name__)
        return False
    return True


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_SECONDS, context=ssl.create_default_context())
    connection = smtplib.SMTP(host, port or 25, timeout=_SECONDS)
    if scheme == "smtp+starttls":
        connection.starttls(context=ssl.create_default_context())
    return connection

"""E-mail over SMTP.

``smtps://`` is TLS from the start. ``smtp://`` with a password must change to TLS (STARTTLS), except on this
machine; without one it does where the server offers it. A certificate that a password or ``smtps`` relies on
is checked; a mail without either goes as servers send to each other: encrypted where possible (RFC 7435).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from functools import partial
from urllib.parse import urlsplit

from costctl.budgets.addresses import fault, is_here
from costctl.budgets.channels.deadline import NO_ANSWER, within
from costctl.budgets.channels.sent import Sent
from costctl.budgets.channels.settings import Settings
from costctl.budgets.channels.words import subject, text
from costctl.budgets.message import Message

MOST_BYTES = 256 * 1024

_PORTS = {"smtp": 25, "smtps": 465}


class _RefusedError(Exception):
    """What cannot be sent as the settings ask for it; the text is a status."""


def send(settings: Settings, message: Message, deadline: float) -> Sent:
    if wrong := fault(settings.text("url"), tuple(_PORTS)):
        return Sent(False, wrong, final=True)
    try:
        mail = compose(message, settings.text("from"), settings.list("to"))
    except (ValueError, IndexError):  # of the standard library's parser of addresses
        return Sent(False, "an address of the mail is none", final=True)
    return within(deadline, partial(_attempt, settings, mail, deadline))


def compose(message: Message, sender: str, receivers: list[str]) -> EmailMessage:
    """The mail; its Message-ID is the message's own at every attempt, so that a mail program shows a repeat
    once. Raises ValueError for an address that is none, above all one with a line break."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(receivers)
    mail["Subject"] = subject(message)
    mail["Date"] = formatdate(localtime=False)
    mail["Message-ID"] = f"<{message.msg_id}@costctl>"
    mail["Auto-Submitted"] = "auto-generated"  # no out-of-office answers (RFC 3834)
    mail.set_content(text(message, MOST_BYTES) + "\n")
    return mail


def _attempt(settings: Settings, mail: EmailMessage, deadline: float) -> Sent:
    try:
        return _delivered(settings, mail, deadline)
    except _RefusedError as error:
        return Sent(False, str(error), final=True)
    except smtplib.SMTPRecipientsRefused as error:
        # Of all that they said the mildest: a refusal that may pass is worth another try.
        return _refused(min((code for code, _ in error.recipients.values()), default=550), "at RCPT")
    except smtplib.SMTPAuthenticationError as error:
        return _refused(error.smtp_code, "at AUTH")
    except smtplib.SMTPSenderRefused as error:
        return _refused(error.smtp_code, "at MAIL")
    except smtplib.SMTPDataError as error:
        return _refused(error.smtp_code, "at DATA")
    except smtplib.SMTPNotSupportedError:
        return Sent(False, "the mail server lacks what the settings need", final=True)
    except smtplib.SMTPServerDisconnected as error:
        # The library's word for a server that said nothing in time, too.
        return NO_ANSWER if isinstance(error.__context__, TimeoutError) else Sent(False, "connection lost")
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, "")
    except ssl.SSLCertVerificationError:
        return Sent(False, "the certificate is not trusted", final=True)
    except ssl.SSLError:
        return Sent(False, "no TLS connection")
    except TimeoutError:
        return NO_ANSWER
    except ConnectionRefusedError:
        return Sent(False, "connection refused")
    except socket.gaierror:
        return Sent(False, "the host is not known")
    except OSError:
        return Sent(False, "connection lost")


def _delivered(settings: Settings, mail: EmailMessage, deadline: float) -> Sent:
    url = settings.text("url")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    username, password = settings.text("username"), settings.text("password")
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=deadline, context=ssl.create_default_context()
        )
    else:
        server = smtplib.SMTP(host, port, timeout=deadline)
    try:
        server.ehlo_or_helo_if_needed()
        if parts.scheme == "smtp":
            _encrypt(server, trusted=bool(password) and not is_here(url))
        if password:
            server.login(username, password)
        refused = server.send_message(mail)
        server.putcmd("quit")  # its answer changes nothing: the mail is taken
    finally:
        server.close()
    if not refused:
        return Sent(True, "SMTP 250")
    # Those who took it must not get it again and again; that others did not is said.
    code = max(code for code, _ in refused.values())
    return Sent(True, f"SMTP 250, but {len(refused)} of the receivers refused with {code}", incomplete=True)


def _encrypt(server: smtplib.SMTP, *, trusted: bool) -> None:
    if not server.has_extn("starttls"):
        if trusted:
            raise _RefusedError("the mail server offers no TLS, and a password must not go without")
        return
    context = ssl.create_default_context()
    if not trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    server.starttls(context=context)
    server.ehlo()


def _refused(code: int, when: str) -> Sent:
    return Sent(False, f"SMTP {code} {when}".rstrip(), final=500 <= code < 600)

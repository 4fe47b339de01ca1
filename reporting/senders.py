"""The four ways out of the house: mail, webhook, folder, bucket. Each sends one thing once, or raises."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import shutil
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from data.errors import ConfigError, SourceError

__all__ = ["Mail", "bucket_options", "copy_to_bucket", "copy_to_folder", "post_message", "send_mail"]

SIGNATURE = "X-Merchcast-Signature"


@dataclass(frozen=True)
class Mail:
    """One mail: who, what, and the files that go with it."""

    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str
    files: tuple[Path, ...]


def send_mail(mail: Mail, *, url: str, timeout: float) -> None:
    """Send a mail through ``smtp://user:password@host:port`` (STARTTLS where offered) or ``smtps://``.

    Raises:
        ConfigError: the URL is no SMTP address.
        smtplib.SMTPException, OSError: the server refused or did not answer.
    """
    address = urlsplit(url)
    if address.scheme not in ("smtp", "smtps") or not address.hostname:
        raise ConfigError(
            "the mail connection: expected smtp://user:password@host:587 or smtps://..., found another URL"
        )
    user, password = unquote(address.username or ""), unquote(address.password or "")
    message = _message(mail, sender=mail.sender or user)
    context = ssl.create_default_context()
    if address.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(address.hostname, address.port or 465, timeout=timeout, context=context)
    else:
        server = smtplib.SMTP(address.hostname, address.port or 587, timeout=timeout)
    with server:
        server.ehlo()
        if address.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif address.scheme == "smtp" and password:
            raise ConfigError(
                "the mail server offers no encryption: the password is not sent in the open; use smtps://"
            )
        if password:
            server.login(user, password)
        server.send_message(message)


def post_message(body: bytes, *, url: str, timeout: float, key: str = "") -> None:
    """Post JSON to an address; with a key, the body's HMAC-SHA256 stands in the header beside it.

    Raises:
        SourceError: the answer is no success. The address is not named: it may hold a secret.
    """
    import httpx  # here: the pages are made without it

    headers = {"Content-Type": "application/json; charset=utf-8"}
    if key:
        headers[SIGNATURE] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=timeout, follow_redirects=False)
    except httpx.HTTPError as error:
        raise SourceError(f"the webhook did not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise SourceError(f"the webhook answered {answer.status_code} {answer.reason_phrase}")


def copy_to_folder(files: Sequence[Path], *, folder: Path, run: str) -> None:
    """Copy files into ``folder/run``, each by one rename, so that nobody reads half a report."""
    target = folder / run
    target.mkdir(parents=True, exist_ok=True)
    for file in files:
        draft = target / f".{file.name}.part"
        shutil.copyfile(file, draft)
        draft.replace(target / file.name)


def copy_to_bucket(files: Sequence[Path], *, url: str, run: str, connection: str) -> None:
    """Copy files to ``url/run`` in an S3-compatible bucket.

    Raises:
        ConfigError: the extra ``s3`` is not installed, or the connection cannot be read.
    """
    try:
        import fsspec  # type: ignore[import-untyped]

        bucket = fsspec.filesystem("s3", **bucket_options(connection), skip_instance_cache=True)
    except ImportError as error:
        raise ConfigError("delivery to a bucket needs s3fs: install merchcast with its extra `s3`") from error
    root = url.removeprefix("s3://").rstrip("/")
    for file in files:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        bucket.put_file(str(file), f"{root}/{run}/{file.name}", ContentType=kind)


def bucket_options(connection: str) -> dict[str, object]:
    """Return fsspec's options of a bucket's connection.

    ``https://key:secret@host:port?region=r`` names the endpoint itself; Airflow's
    ``aws://key:secret@/?endpoint_url=...&region_name=r`` has it in the query. Without a key the machine's own
    credentials are used.

    >>> bucket_options("https://k:s%2F1@minio:9000?region=cn-north-1")["endpoint_url"]
    'https://minio:9000'
    """
    address = urlsplit(connection)
    query = {name: values[-1] for name, values in parse_qs(address.query).items()}
    if address.scheme not in ("http", "https", "aws", "s3"):
        raise ConfigError(
            "the bucket's connection: expected https://key:secret@endpoint or aws://key:secret@/?endpoint_url="
        )
    options: dict[str, object] = {}
    if address.scheme in ("http", "https"):
        port = f":{address.port}" if address.port else ""
        options["endpoint_url"] = f"{address.scheme}://{address.hostname}{port}"
    elif "endpoint_url" in query:
        options["endpoint_url"] = query["endpoint_url"]
    if address.username:
        options["key"], options["secret"] = unquote(address.username), unquote(address.password or "")
    region = query.get("region") or query.get("region_name")
    if region:
        options["client_kwargs"] = {"region_name": region}
    return options


def _message(mail: Mail, *, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = mail.subject, sender, ", ".join(mail.to)
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    for file in mail.files:
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        main, _, sub = kind.partition("/")
        message.add_attachment(file.read_bytes(), maintype=main, subtype=sub, filename=file.name)
    return message

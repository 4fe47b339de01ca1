"""Where the night's report is sent (key ``reporting.delivery`` in merchcast.yml). Secrets stand behind connections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["BucketDelivery", "DeliveryConfig", "FolderDelivery", "MailDelivery", "WebhookDelivery"]

FileName = Annotated[str, StringConstraints(pattern=r"^[a-z]+(\.(en|zh))?\.(html|xlsx)$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]
MAIN_FILES = ("restock.html", "restock.xlsx")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MailDelivery(_Frozen):
    """A mail with the five numbers, the report attached."""

    connection: str = Field(description="Name in `connections`: smtp://user:password@host:587, smtps://, or Airflow's.")
    to: tuple[Address, ...] = Field(min_length=1, description="Who gets it.")
    sender: Address | None = Field(default=None, description="From address; default: the connection's user.")
    attach: tuple[FileName, ...] = Field(default=MAIN_FILES, description="Reports that are attached.")
    most_megabytes: float = Field(
        default=15.0, gt=0, description="Attachments above this together are left out, and the mail says so [MB]."
    )


class WebhookDelivery(_Frozen):
    """A JSON message to an address, such as a chat's robot."""

    connection: str = Field(description="Name in `connections`; its URL is the address.")
    style: Literal["json", "slack", "wecom", "dingtalk", "feishu"] = Field(
        default="json", description="Shape of the message: our own fields, or the text of a chat's robot."
    )
    secret: str | None = Field(
        default=None, description="Name in `connections` of a key; the body's HMAC-SHA256 is sent beside it."
    )


class FolderDelivery(_Frozen):
    """A copy in a folder, one sub-folder a run."""

    path: str = Field(min_length=1, description="Folder, relative to the home.")
    files: tuple[FileName, ...] = Field(default=MAIN_FILES, description="Reports that are copied.")


class BucketDelivery(_Frozen):
    """A copy in an S3-compatible bucket, one prefix a run (needs the extra `s3`)."""

    connection: str = Field(
        description="Name in `connections`: https://key:secret@endpoint?region=..., or Airflow's AWS connection."
    )
    url: Annotated[str, StringConstraints(pattern=r"^s3://[^/]+(/.*)?$")] = Field(description="s3://bucket/prefix")
    files: tuple[FileName, ...] = Field(default=MAIN_FILES, description="Reports that are copied.")


class DeliveryConfig(_Frozen):
    """Every way that is named here is used; a failure of one never touches the others, nor what is published."""

    mail: MailDelivery | None = Field(default=None, description="Mail with the five numbers and the report.")
    webhook: WebhookDelivery | None = Field(default=None, description="JSON message.")
    folder: FolderDelivery | None = Field(default=None, description="Copy in a folder.")
    bucket: BucketDelivery | None = Field(default=None, description="Copy in a bucket.")
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="Longest wait for one answer [s].")
    attempts: int = Field(default=3, ge=1, le=10, description="Tries of one way before it is given up.")

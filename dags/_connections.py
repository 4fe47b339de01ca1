"""Airflow's own store of connections, for sources and deliveries that name one. Never imported by a room."""

from __future__ import annotations

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException


def connection_uri(connection: str) -> str | None:
    """Return the URI of a connection of Airflow's store; None where it has none of that id."""
    try:
        return str(Connection.get(connection).get_uri())
    except AirflowNotFoundException:
        return None

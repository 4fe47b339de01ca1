"""``stg_signal_vintages``: what each signal was known to be at the close of every day, corrections included."""

from __future__ import annotations

from datetime import date

import duckdb

from data.sql.staging import local_day

__all__ = ["stage_signal_vintages"]

_KEY = "date, source, region, element_type, element, metric"


def stage_signal_vintages(connection: duckdb.DuckDBPyConnection, *, run_date: date, zone: str) -> None:
    """Create ``stg_signal_vintages``: every version of a signal that was known by D, with the day it was first known.

    A version is known on the day of its ``available_at`` (not before the day it is about), else on that day plus the
    source's delay; one that landed after the home's first run not before the run that took it in. Of versions of one
    day the latest counts; one that says the same as the one before is dropped.

    Args:
        connection: with the temporary table ``visible``.
        run_date: D.
        zone: the shop's IANA timezone.
    """
    given = local_day("r.available_at", zone)
    connection.execute(
        f"""
        create or replace table stg_signal_vintages as
        with versions as (
            select r.{_KEY.replace(", ", ", r.")}, r.value, r.available_at, v.version, r.row_number,
                   case when r.available_at is not null then greatest(r.date, {given})
                        else greatest(r.date + v.delay_days, case when f.in_first_run then r.date
                                                                  else v.landed_run_date end) end as known_date
            from raw_signals r join visible v on v.delivery_id = r.delivery_id and v.table_name = 'signals'
            join (select delivery_id, bool_or(in_first_run) as in_first_run from sightings group by all) f
              on f.delivery_id = r.delivery_id
        ), days as (
            select * from versions where known_date <= date '{run_date}'
            qualify row_number() over (
                partition by {_KEY}, known_date
                order by available_at desc nulls last, version desc, row_number desc) = 1
        )
        select {_KEY}, known_date, value, available_at from days
        qualify value is distinct from lag(value) over (partition by {_KEY} order by known_date)
        order by {_KEY}, known_date
        """
    )

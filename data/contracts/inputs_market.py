"""Input tables: prices, signals, visits and everything else that the world says."""

from __future__ import annotations

from data.contracts.input_columns import D, N, S, T, input_table, location_column, price_column, sku_column
from data.contracts.model import Mode, Table, column

__all__ = ["MARKET"]

MARKET: tuple[Table, ...] = (
    input_table(
        "prices",
        Mode.UPSERT,
        "sku location_id channel from_date",
        [
            sku_column(),
            location_column(),
            column("channel", S, "", "channel; none: *"),
            column("from_date", D, "", "first day in force", required=True),
            price_column("price", "regular selling price in force", required=True),
        ],
        "Price history. Absent: products.list_price, else the median price paid on the last day it sold.",
        business_date="from_date",
    ),
    input_table(
        "planned_prices",
        Mode.UPSERT,
        "sku location_id from_date",
        [
            sku_column(),
            location_column(),
            column("from_date", D, "", "first day in force", required=True),
            price_column("price", "price already decided; holds until the next from_date", required=True),
        ],
        "Prices already decided for the future.",
        known_in_advance=True,
    ),
    input_table(
        "signals",
        Mode.UPSERT,
        "date source region element_type element metric",
        [
            column("date", D, "", "day the signal describes", required=True),
            column("source", S, "", "where it was measured", required=True),
            column("region", S, "", "region; none: *"),
            column("element_type", S, "", "ip, character, colour, collar ...", required=True),
            column("element", S, "", "which one", required=True),
            column("metric", S, "", "searches, mentions, likes, saves, resale_price", required=True),
            column("value", N, "", "the figure", required=True),
            column("available_at", T, "", "instant it was known"),
        ],
        "Social trend signals by design element.",
        business_date="date",
        known_at="available_at",
    ),
    input_table(
        "element_aliases",
        Mode.SNAPSHOT,
        "alias",
        [
            column("as_of_date", D, "", "day the snapshot describes"),
            column("alias", S, "", "as written by a source", required=True),
            column("element_type", S, "", "type of the element", required=True),
            column("element", S, "", "the element meant", required=True),
        ],
        "Other names of elements.",
    ),
    input_table(
        "site_traffic",
        Mode.UPSERT,
        "date sku location_id channel",
        [
            column("date", D, "", "day", required=True),
            sku_column(),
            location_column(),
            column("channel", S, "", "channel; none: *"),
            column("page_views", N, "views", "views of the product page", minimum=0),
            column("add_to_cart", N, "units", "put into carts", minimum=0),
            column("dwell_seconds", N, "s", "mean time on the page", minimum=0),
            column("live_interactions", N, "", "chat messages in live streams", minimum=0),
        ],
        "What visitors did on the shop's own pages.",
        business_date="date",
    ),
    input_table(
        "competitor_prices",
        Mode.UPSERT,
        "date sku competitor",
        [
            column("date", D, "", "day seen", required=True),
            sku_column(),
            column("competitor", S, "", "who", required=True),
            price_column("price", "their price", required=True),
        ],
        "Prices of others.",
        business_date="date",
    ),
    input_table(
        "events",
        Mode.UPSERT,
        "name starts_date region ip",
        [
            column("name", S, "", "event", required=True),
            column("starts_date", D, "", "first day", required=True),
            column("ends_date", D, "", "last day", required=True),
            column("kind", S, "", "holiday, sale, convention, season ..."),
            column("region", S, "", "region; none: *"),
            column("ip", S, "", "IP concerned; none: *"),
        ],
        "Calendar of events, known in advance.",
        known_in_advance=True,
    ),
    input_table(
        "weather",
        Mode.UPSERT,
        "date region",
        [
            column("date", D, "", "day; after the run date: a forecast", required=True),
            column("region", S, "", "region; none: *"),
            column("temperature_mean", N, "degC", "mean temperature", minimum=-80, maximum=60),
            column("precipitation", N, "mm", "precipitation", minimum=0, maximum=2000),
        ],
        "Weather by region; rows after the run date are forecasts.",
        known_in_advance=True,
    ),
    input_table(
        "fx_rates",
        Mode.UPSERT,
        "date currency",
        [
            column("date", D, "", "day", required=True),
            column("currency", S, "", "ISO 4217 code", required=True),
            column("rate", N, "", "shop.currency per unit", required=True, minimum=0),
        ],
        "Exchange rates.",
        business_date="date",
    ),
)

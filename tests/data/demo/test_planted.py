"""What is planted is there, in sane numbers, and looks as it should."""

from __future__ import annotations

import numpy as np
import polars as pl

from data.contracts import TABLES
from data.demo.bookings import campaign_sample


def lines_of(home, truth: str) -> pl.DataFrame:
    lines = home.clean("order_lines").with_columns(
        pl.col("ordered_at").str.to_datetime(), pl.col("quantity").cast(pl.Int64)
    )
    marked = home.truth(truth)
    keep = [c for c in marked.columns if c not in {"sku", "location_id", "ordered_at", "quantity"}]
    return lines.join(marked.select(keep), on="order_line_id")


def test_volume_is_that_of_a_real_shop(full):
    summary = full.summary
    assert 1_900 <= summary.skus <= 2_100
    assert 900_000 <= summary.order_lines <= 1_500_000
    assert full.clean("locations").height == 3
    daily = full.truth("daily")
    assert (daily["ds"].max() - daily["ds"].min()).days == 727
    assert set(summary.rows) == {t.name for t in TABLES.values() if t.kind == "input"} - {"period_sales"}


def test_the_tail_is_long(full):
    units = (
        full.truth("daily").group_by("sku").agg(pl.col("sold_qty").sum()).sort("sold_qty", descending=True)["sold_qty"]
    )
    total = units.sum()
    assert units.head(len(units) // 10).sum() > 0.4 * total
    months = 24
    assert (units < 5 * months).sum() > 0.2 * len(units)  # a few a month, or fewer
    assert units[0] < 0.05 * total


def test_stock_runs_out_often_but_not_always(full):
    daily = full.truth("daily").filter(pl.col("expected_demand") > 0)
    assert 0.01 < daily["is_censored"].mean() < 0.08
    assert 0.03 < (daily["end_qty"] == 0).mean() < 0.25
    assert 0.04 < daily["lost_qty"].sum() / daily["true_demand"].sum() < 0.2


def test_hyped_launches_sell_out_within_hours(full):
    lines = full.clean("order_lines").filter(pl.col("location_id") == "web")
    products = full.clean("products").unique("sku", keep="last").select("sku", "launch_date")
    first = lines.join(products, on="sku").filter(pl.col("ordered_at").str.slice(0, 10) == pl.col("launch_date"))
    evening = first.group_by("sku").agg(pl.len(), (pl.col("ordered_at").str.slice(11, 2) >= "20").mean().alias("late"))
    drops = evening.filter((pl.col("len") > 30) & (pl.col("late") == 1.0))
    assert len(drops) >= 15


def test_new_and_ending_items(full):
    products = full.clean("products").unique("sku", keep="last")
    day = full.summary.run_date
    assert products.filter(pl.col("launch_date").is_between(pl.lit("2026-06-07"), pl.lit(day))).height >= 40
    assert products.filter(pl.col("end_of_sale_date") < day).height >= 100
    assert products.filter(pl.col("end_of_sale_date") > day).height >= 30
    assert products["replaces_sku"].drop_nulls().n_unique() >= 5


def test_few_buyers_place_many_orders_within_an_hour(full):
    mine = lines_of(full, "brushing").filter(pl.col("kind") == "few_buyers")
    by = mine.group_by("incident").agg(
        pl.len(),
        pl.col("buyer_ref").n_unique(),
        pl.col("ordered_at").dt.truncate("1h").n_unique().alias("hours"),
        pl.col("sku").n_unique(),
    )
    assert len(by) == 26
    assert (by["hours"] == 1).all()
    assert (by["sku"] == 1).all()
    assert by["len"].min() >= 30
    assert (by["len"] / by["buyer_ref"]).min() >= 3


def test_rings_are_fresh_accounts_at_even_intervals(full):
    mine = lines_of(full, "brushing").filter(pl.col("kind") == "ring").sort("incident", "ordered_at")
    by = mine.group_by("incident").agg(pl.len(), pl.col("buyer_ref").n_unique(), pl.col("quantity").max())
    assert (by["len"] == by["buyer_ref"]).all()
    assert (by["quantity"] == 1).all()
    counts = full.clean("order_lines").group_by("buyer_ref").len()
    assert (mine.join(counts, on="buyer_ref")["len"] == 1).all()
    gap = mine.with_columns(gap=pl.col("ordered_at").diff().over("incident").dt.total_seconds())
    spread = gap.group_by("incident").agg((pl.col("gap").std() / pl.col("gap").mean()).alias("cv"))
    assert spread["cv"].max() < 0.3  # people's orders come with a coefficient of variation near one


def test_night_bursts_are_at_night_and_on_one_sku(full):
    mine = lines_of(full, "brushing").filter(pl.col("kind") == "night_burst")
    assert mine["ordered_at"].dt.hour().is_between(1, 4).all()
    assert (mine.group_by("incident").agg(pl.col("sku").n_unique())["sku"] == 1).all()
    counts = full.clean("order_lines").group_by("buyer_ref").len()
    known = (mine.join(counts, on="buyer_ref")["len"] > 1).mean()
    assert 0.15 < known < 0.5


def test_fake_orders_never_come_back_and_take_no_stock(written):
    fake = written.truth("brushing")
    assert fake["order_line_id"].is_unique().all()
    assert set(fake["kind"]) == {"few_buyers", "ring", "night_burst"}
    assert written.clean("returns").join(fake, on="order_line_id", how="semi").is_empty()


def test_viral_spikes_have_real_buyers_spread_over_the_day(full):
    mine = lines_of(full, "viral")
    first = mine.filter(pl.col("ordered_at").dt.date() == pl.col("starts_date"))
    by = first.group_by("spike_id").agg(
        pl.len(), pl.col("ordered_at").dt.hour().n_unique().alias("hours"), pl.col("buyer_ref").n_unique()
    )
    assert len(by) == 16
    assert by["len"].min() >= 60
    assert by["hours"].min() >= 10
    assert (by["buyer_ref"] / by["len"]).min() > 0.9
    counts = full.clean("order_lines").group_by("buyer_ref").len()
    known = mine.join(counts, on="buyer_ref").group_by("spike_id").agg((pl.col("len") > 3).mean())
    assert known["len"].min() > 0.3


def test_viral_spikes_are_talked_about(full):
    searches = full.clean("signals").filter((pl.col("metric") == "searches") & (pl.col("element_type") == "character"))
    searches = searches.with_columns(pl.col("value").cast(pl.Float64), pl.col("date").str.to_date())
    bursts = full.truth("trend_bursts").filter(pl.col("kind") == "viral")
    ratios = []
    for element, peak in bursts.select("element", "peak_date").rows():
        mine = searches.filter(pl.col("element") == element).group_by("date").agg(pl.col("value").sum()).sort("date")
        offset = (pl.col("date") - peak).dt.total_days()
        at, before = (
            mine.filter(offset.is_between(0, 2))["value"].mean(),
            mine.filter(offset.is_between(-14, -6))["value"].mean(),
        )
        ratios.append(at / before)
    assert np.median(ratios) > 1.8


def test_bursts_move_sales_after_their_lag_and_false_spikes_do_not(small_world):
    world = small_world
    bursts = world.talk.bursts
    assert set(bursts["kind"]) == {"slow", "sudden", "season", "viral", "one_day_spike", "source_doubling"}
    true = bursts.filter(pl.col("kind").is_in(["slow", "sudden", "season"]))
    assert (true["sales_lag_days"].is_between(7, 21)).all()
    assert (bursts.filter(~pl.col("is_true_burst"))["sales_peak"] == 1.0).all()


def test_bursts_are_of_every_kind_and_some_are_alive(full):
    bursts = full.truth("trend_bursts")
    counts = dict(bursts.group_by("kind").len().rows())
    assert counts["slow"] >= 20 <= counts["sudden"]
    assert counts["one_day_spike"] >= 20
    assert counts["source_doubling"] >= 5
    assert counts["season"] >= 25
    day = pl.lit(full.summary.run_date).str.to_date()
    fresh = bursts.filter(
        pl.col("kind").is_in(["slow", "sudden"]) & (day - pl.col("starts_date")).dt.total_days().is_between(0, 30)
    )
    assert len(fresh) >= 5
    unsold = set(bursts["element"]) - set(full.clean("products")["ip"].drop_nulls()) - {None}
    assert "mirror_whale" in unsold


def test_sales_answer_interest_with_the_planted_lag(full):
    """Signals lead: the correlation of a week's searches with sales is highest near the planted lag."""
    searches = full.clean("signals").filter(
        (pl.col("metric") == "searches") & (pl.col("element_type") == "ip") & (pl.col("region") == "east")
    )
    heat = searches.group_by(pl.col("element").alias("ip"), pl.col("date").str.to_date().alias("ds")).agg(
        pl.col("value").cast(pl.Float64).sum().log1p().alias("heat")
    )
    ip = full.clean("products").unique("sku", keep="last").select("sku", "ip")
    daily = full.truth("daily").join(ip, on="sku").filter(pl.col("ip").is_not_null() & (pl.col("location_id") == "web"))
    sales = daily.group_by("ip", "ds").agg(pl.col("true_demand").sum())
    all_sales = daily.group_by("ds").agg(pl.col("true_demand").sum().alias("all"))
    sales = sales.join(all_sales, on="ds").with_columns(share=((pl.col("true_demand") + 0.5) / pl.col("all")).log())
    by_lag = {}
    for lag in (-14, 0, 14, 28, 42):
        shifted = heat.with_columns(pl.col("ds") + pl.duration(days=lag))
        both = sales.join(shifted, on=["ip", "ds"]).with_columns(
            pl.col("share", "heat") - pl.col("share", "heat").mean().over("ip")
        )
        by_lag[lag] = both.select(pl.corr("share", "heat")).item()
    assert max(by_lag, key=by_lag.get) == 14, by_lag


def test_prices_vary_enough_to_learn_from(full):
    prices = full.clean("prices").group_by("sku", "location_id").agg(pl.col("price").n_unique())
    assert prices["price"].median() >= 3
    elasticities = full.truth("elasticities")
    assert elasticities["elasticity"].is_between(-4.0, -0.4).all()
    assert elasticities.group_by("product_type").agg(pl.col("elasticity").mean())["elasticity"].max() < -1.0


def test_demand_answers_price_as_planted(small_world):
    """Demand moves with the price to the power of the elasticity; promotions add their lift."""
    found, styles = small_world.prices, small_world.shop.styles
    ratio = found.paid / styles["price"].to_numpy()[:, None, None]
    by_price = ratio ** styles["elasticity"].to_numpy()[:, None, None]
    extra = found.demand_lift / by_price
    quiet = found.promotion < 0
    np.testing.assert_allclose(extra[:, 0, :][quiet], 1.0, rtol=1e-5)
    np.testing.assert_allclose(extra[:, 1, :], 1.0, rtol=1e-5)
    lift = found.promotions["lift"].to_numpy()[found.promotion[~quiet]]
    np.testing.assert_allclose(extra[:, 0, :][~quiet], lift, rtol=1e-5)
    assert (found.paid[:, 0, :][~quiet] < found.regular[:, 0, :][~quiet]).all()


def test_planted_pairs_sell_beyond_their_parts(full):
    pairs = full.truth("planted_pairs")
    assert set(pairs["kind"]) == {"ip_x_product_type", "colour_x_motif"}
    assert pairs.select("kind", "first", "second").is_duplicated().sum() == 0
    products = full.clean("products").unique("sku", keep="last")
    for kind, first, second, _ in pairs.rows():
        a, b = kind.split("_x_")
        b_column = pl.col("attributes").str.json_path_match("$.motif") if b == "motif" else pl.col(b)
        assert products.filter((pl.col(a) == first) & (b_column == second)).height >= 1


def test_extended_sizes_of_costumes_are_short_and_of_clothing_not(full):
    products = full.clean("products").unique("sku", keep="last").select("sku", "category", "size_group")
    daily = full.truth("daily").filter(pl.col("expected_demand") > 0).join(products, on="sku")
    out = (
        daily.filter(pl.col("size_group").is_not_null())
        .group_by("category", "size_group")
        .agg((pl.col("end_qty") == 0).mean())
    )
    share = {(c, g): s for c, g, s in out.rows()}
    assert share["costume", "extended"] > 1.3 * share["costume", "standard"]
    assert full.truth("size_gaps").filter("is_planted")["category"].to_list() == ["costume"]


def test_cold_snaps_raise_down_jackets(full):
    snaps = full.truth("cold_snaps")
    assert len(snaps) >= 5
    products = full.clean("products").unique("sku", keep="last").filter(pl.col("product_type") == "down_jacket")
    daily = full.truth("daily").join(products, on="sku", how="semi").filter(pl.col("location_id") == "web")
    by_day = daily.group_by("ds").agg(pl.col("expected_demand").sum()).sort("ds")
    winter = by_day.filter(pl.col("ds").dt.month().is_in([12, 1]))["expected_demand"].mean()
    summer = by_day.filter(pl.col("ds").dt.month().is_in([6, 7]))["expected_demand"].mean()
    assert winter > 2 * summer


def test_festivals_show(full):
    web = full.truth("daily").filter(pl.col("location_id") == "web").group_by("ds").agg(pl.col("true_demand").sum())
    by_day = {str(d): u for d, u in web.rows()}
    usual = np.median(list(by_day.values()))
    assert by_day["2025-11-11"] > 2.5 * usual
    assert by_day["2026-06-18"] > 2 * usual
    assert by_day["2026-02-18"] < 0.9 * usual


def test_preorder_campaigns_past_and_open(full):
    campaigns = full.clean("preorder_campaigns")
    day = full.summary.run_date
    last = campaigns.group_by("campaign_id").agg(pl.col("closes_at").max(), pl.col("opens_at").min())
    is_open = last.filter((pl.col("closes_at") > f"{day} 23:59:59") & (pl.col("opens_at") < day))
    assert 7 <= len(is_open) <= 12
    assert len(last) >= 38
    assert set(full.truth("preorder_finals")["fate"]) == {"fulfilled", "cancelled", "in_production", "waiting", "open"}
    booked = full.clean("preorders")
    assert booked["preorder_id"].is_unique().all()
    assert 0.03 < booked["cancelled_at"].is_not_null().mean() < 0.15
    assert (booked["quantity"].cast(pl.Int64) >= 1).all()


def test_campaigns_move_legally(full):
    order = ["open", "threshold_met", "closed", "committed", "in_production", "received", "allocated", "shipped"]
    for _, moves in full.clean("campaign_events").sort("at").group_by("campaign_id", maintain_order=True):
        states = moves["state"].to_list()
        if states[-1] == "cancelled":
            assert states == ["open", "closed", "cancelled"]
        else:
            assert [s for s in order if s in states] == states
        assert moves["at"].is_unique().all()


def test_shipments_of_preorders_are_lines_and_no_more_than_claimed(full):
    shipped = full.clean("order_lines").filter(pl.col("preorder_id").is_not_null())
    booked = full.clean("preorders")
    both = shipped.join(booked, on="preorder_id", suffix="_booked")
    assert len(both) == len(shipped) > 3_000
    assert (both["quantity"].cast(pl.Int64) <= both["quantity_booked"].cast(pl.Int64)).all()
    assert both["cancelled_at"].null_count() == len(both)
    assert both["preorder_id"].is_unique().all()
    finals = full.truth("preorder_finals").filter(pl.col("fate") == "fulfilled")
    share = both["quantity"].cast(pl.Int64).sum() / finals["final_firm_qty"].sum()
    assert 0.9 < share < 1.0  # some batches were short


def test_many_independent_campaigns_for_judging_intervals():
    sample = campaign_sample(1000, seed=3, volume=40)
    assert sample["campaign"].n_unique() == 1000
    assert (sample["day"] < sample["length_days"]).all()
    assert 0.03 < sample["cancel_day"].is_not_null().mean() < 0.12
    early = sample.filter(pl.col("day") < 0.1 * pl.col("length_days")).height / len(sample)
    assert 0.2 < early < 0.5  # the opening rush

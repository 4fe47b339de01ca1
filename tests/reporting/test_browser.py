"""The pages in a real headless Chromium: no error, no request, and everything a planner does with them."""

from __future__ import annotations

from itertools import pairwise

import pytest

pytestmark = pytest.mark.browser

ROWS = "section.group tr[data-i]"


def visible(page, selector):
    return page.locator(selector).evaluate_all("rows => rows.filter(r => r.offsetParent !== null).length")


def wait_for(page, condition):
    """Wait until something holds; Playwright's own wait_for_function needs eval, which the pages forbid."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came to hold")


@pytest.mark.parametrize("name", ["restock", "prices", "accuracy", "trends", "quality"])
@pytest.mark.parametrize("ending", ["html", "en.html"])
def test_every_page_opens_without_an_error_or_a_request(open_page, report_folder, name, ending):
    page = open_page(report_folder / f"{name}.{ending}")
    assert page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_sorting_orders_by_the_figures_and_says_so(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    head = page.locator("#lines-order thead th", has_text="Order value [CNY]")
    value = "#lines-order tbody tr td:nth-child({})".format(head.evaluate("h => h.cellIndex + 1"))

    def figures():
        return [float(v) for v in page.locator(value).evaluate_all("cells => cells.map(c => c.dataset.v)")]

    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert figures() == sorted(figures(), reverse=True)
    head.locator("button").press("Enter")  # by keyboard
    assert head.get_attribute("aria-sort") == "ascending"
    assert figures() == sorted(figures())
    assert page.locator("#lines-order th[aria-sort=ascending]").count() == 1


def test_search_finds_a_title_with_markup_in_it(open_page, report_folder, shop):
    page = open_page(report_folder / "restock.en.html")
    page.fill("#search", "<script>alert(1)")
    wait_for(page, lambda: page.locator("#found").inner_text().startswith("1 of"))
    assert page.locator("#list tbody tr[data-i]").count() == 1
    assert page.locator("#list tbody tr small").first.inner_text() == "<script>alert(1)</script>"
    assert visible(page, ROWS) <= 1


def test_filters_narrow_groups_and_list_alike(open_page, report_folder, run_tables):
    page = open_page(report_folder / "restock.en.html")
    page.select_option('select[data-filter="action"]', label="Review")
    wanted = int((run_tables.frame("restock_plan")["action"] == "review").sum())
    assert page.locator("#found").inner_text() == f"{wanted} of 300 lines"
    assert page.locator("#list tbody tr[data-i]").count() == wanted
    assert visible(page, ROWS) == wanted
    assert page.locator("section.group:not(.empty)").count() == 1


def test_unfolding_shows_chart_sentence_and_a_sum_that_is_the_order(open_page, report_folder, run_tables):
    page = open_page(report_folder / "restock.en.html")
    row = page.locator("#lines-order tbody tr[data-i]").first
    sku = row.locator("button.unfold").inner_text()
    row.locator("button.unfold").press("Enter")
    panel = page.locator("#lines-order tr.detail .panel")
    panel.wait_for()
    qty = int(run_tables.frame("restock_plan").set_index("sku").loc[sku, "order_qty"])
    assert panel.locator(".why").inner_text().endswith(f"order {qty:,}.")
    terms = [
        int(t.replace("−", "-").replace(",", ""))
        for t in panel.locator(".waterfall tbody tr:not(.total) td:nth-child(2)").all_inner_texts()
    ]
    assert sum(terms) == qty
    assert panel.locator("svg.fan path.band80").count() == 1
    assert panel.locator("svg.fan").get_attribute("aria-label").startswith(f"Demand and forecast of {sku}")
    assert row.locator("button.unfold").get_attribute("aria-expanded") == "true"
    row.locator("button.unfold").click()
    assert page.locator("tr.detail").count() == 0


def test_the_sentence_in_the_page_is_the_one_that_python_writes(open_page, report_folder, run_tables, shop):
    from reporting.arithmetic import in_words
    from reporting.catalogue import load_catalogue
    from reporting.plan_lines import records

    lines = {line["sku"]: line for line in records(run_tables.frame("restock_plan"))}
    for language, ending in (("zh", "html"), ("en", "en.html")):
        page = open_page(report_folder / f"restock.{ending}")
        for button in page.locator("#lines-expedite button.unfold, #lines-review button.unfold").all()[:8]:
            button.click()
            panel = page.locator("tr.detail .panel")
            panel.wait_for()
            wanted = in_words(lines[button.inner_text()], words=load_catalogue(language), today=shop.run_date)
            assert panel.locator(".why").inner_text() == wanted
            button.click()


def test_a_stocked_out_line_shows_its_shaded_days(open_page, report_folder, run_tables):
    plan = run_tables.frame("restock_plan")
    empty = plan[(plan["on_hand"] <= 0) & (plan["demand_mean"] > 3)].iloc[0]["sku"]
    page = open_page(report_folder / "restock.en.html", f"#sku={empty}")
    page.locator("tr.detail .panel").wait_for()
    assert page.locator("tr.detail rect.stockout").count() == 8
    assert page.locator("tr.detail .legend .key-stockout").count() == 1


def test_a_link_leads_to_its_sku_whatever_its_name(open_page, report_folder, run_tables):
    plan = run_tables.frame("restock_plan")
    quiet = plan[plan["action"] == "none"].iloc[-1]["sku"]
    page = open_page(report_folder / "restock.html", f"#sku={quiet}")
    page.locator("tr.detail .panel").wait_for()
    assert page.locator("tr.detail h3").inner_text().startswith(quiet)
    assert page.evaluate("document.activeElement.textContent") == quiet
    page.evaluate("location.hash = '#sku=NO-SUCH'")
    wait_for(page, lambda: "NO-SUCH" in page.locator("#found").inner_text())


def test_columns_can_be_shown_and_hidden(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    head = page.locator("#lines-order th.g-terms").first
    assert not head.is_visible()
    page.check('input[data-columns="terms"]')
    assert head.is_visible()
    page.uncheck('input[data-columns="terms"]')
    assert not head.is_visible()


def test_the_list_turns_pages_and_sorts_over_all_lines(open_page, report_folder, run_tables):
    page = open_page(report_folder / "restock.en.html")
    assert page.locator("#list tbody tr[data-i]").count() == 100
    page.locator("#list thead th", has_text="On hand").locator("button").click()
    first = page.locator("#list tbody tr[data-i] th").first.inner_text().split("\n")[0]
    plan = run_tables.frame("restock_plan").set_index("sku")
    assert plan.loc[first, "on_hand"] == plan["on_hand"].max()
    page.get_by_label("Last page").click()
    assert "page 3 of 3" in page.locator("#pager").inner_text()
    wait_for(page, lambda: page.locator("#list svg.spark").count() == 100)


def test_find_narrows_a_table_of_another_page(open_page, report_folder):
    page = open_page(report_folder / "prices.en.html")
    rows = page.locator("#prices tbody tr")
    everything = rows.count()
    page.fill('input[data-find="prices"]', "conflict")
    assert 0 < visible(page, "#prices tbody tr") < everything


def test_languages_lead_to_each_other(open_page, report_folder):
    page = open_page(report_folder / "restock.html")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("a.language").get_attribute("href") == "restock.en.html"


def test_a_number_shows_the_lines_behind_it(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    for name in ("lines_to_order", "skus_at_risk"):
        kpi = page.locator(f'[data-kpi="{name}"]')
        kpi.locator("button.show").click()
        found = page.locator("#found").inner_text()
        lines = int(found.split(" of ")[0].replace(",", ""))
        said = kpi.get_attribute("data-v") if name == "lines_to_order" else kpi.locator(".note").inner_text()
        assert f"{lines}" in said
        assert page.locator("select[data-filter]").evaluate_all("all => all.filter(s => s.value !== '').length") == 1


def test_why_an_item_is_not_replenished_is_found_by_the_same_search(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    page.fill("#search", "old-003")
    wait_for(page, lambda: "1 more are not replenished" in page.locator("#found").inner_text())
    assert page.locator("#idle tbody tr").count() == 1
    assert page.locator("#idle tbody tr").is_visible()
    assert page.locator("#idle tbody tr td").nth(1).inner_text() == "dormant"
    page.fill("#search", "")
    wait_for(page, lambda: page.locator("#idle tbody tr").count() == 12)


def test_a_change_leads_to_its_line(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    page.evaluate("document.querySelector('#changed details').open = true")
    link = page.locator("#changes tbody th a").first
    sku = link.inner_text()
    link.click()
    panel = page.locator("tr.detail .panel")
    panel.wait_for()
    assert panel.locator("h3").inner_text().startswith(sku)
    assert panel.locator(".trust").inner_text().startswith("Confidence ")


def test_what_must_be_committed_this_week_stands_above_the_batches(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    first = page.locator(".due li").first.inner_text()
    assert first.startswith("CAMP-2")
    assert "24 Nov, Tuesday, in 2 days" in first
    assert "produce 1 SKUs · 650 units" in first


@pytest.mark.parametrize("width", [390, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hangs_over_and_all_text_can_be_read(open_page, report_folder, width, scheme):
    name = "restock.en.html" if scheme == "light" else "restock.html"
    page = open_page(report_folder / name, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.locator("button.unfold").first.click()
    page.locator("tr.detail .panel").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(CONTRAST) == []


def test_every_control_has_a_name_and_headings_do_not_skip(open_page, report_folder):
    for name in ("restock.en.html", "quality.html", "prices.en.html"):
        page = open_page(report_folder / name)
        nameless = page.evaluate(
            "Array.from(document.querySelectorAll('input, select, button, a')).filter(e => !(e.textContent.trim() "
            "|| e.getAttribute('aria-label') || (e.labels && e.labels.length))).length"
        )
        assert nameless == 0
        levels = page.evaluate("Array.from(document.querySelectorAll('h1,h2,h3,h4')).map(h => Number(h.tagName[1]))")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))
        ids = page.locator("[id]").evaluate_all("all => all.map(e => e.id)")
        assert len(ids) == len(set(ids))


def test_it_prints(open_page, report_folder):
    page = open_page(report_folder / "restock.en.html")
    pdf = page.pdf(format="A4", landscape=True)
    assert pdf.startswith(b"%PDF")
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert page.locator("#lines-order").is_visible()


def test_above_the_limit_the_last_group_still_unfolds(open_page, shop, tmp_path):
    from reporting.step import write_reports

    config = shop.config.model_copy(update={"detail_limit": 60, "group_limit": 5})
    write_reports(
        tmp_path, tables=shop.make_run(600, exceptions=0.8), facts=shop.facts(), main_language="en", config=config
    )
    page = open_page(tmp_path / "restock.html")
    page.locator("section.group button.unfold").last.click()
    page.locator("tr.detail .panel .why").wait_for()
    assert page.locator("#list button.unfold").count() < 100


def test_of_five_thousand_lines_only_a_page_is_drawn_and_search_finds_any(open_page, shop, tmp_path):
    from reporting.step import write_reports

    config = shop.config.model_copy(update={"excel_max_rows": 100})
    tables = shop.make_run(5_000)
    write_reports(tmp_path, tables=tables, facts=shop.facts(), main_language="en", config=config)
    page = open_page(tmp_path / "restock.html")
    page.locator("#list tbody tr[data-i]").first.wait_for()
    assert page.locator("#list tbody tr[data-i]").count() <= 500
    last = tables.frames["restock_plan"].sort_values("rank").iloc[-1]["sku"]
    page.locator("#search").fill(last)
    page.locator("#list tbody tr[data-i]", has_text=last).first.wait_for()


# Text whose contrast against its own ground is below WCAG AA (4.5, or 3 for large text).
CONTRAST = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map(x => linear(x / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0.99) return c;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const bad = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement;
    if (!n.textContent.trim() || !e.offsetParent || e.closest("svg, script, button:disabled, .skip")) continue;
    const s = getComputedStyle(e), a = light(parse(s.color)), b = light(ground(e)), size = parseFloat(s.fontSize);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const wanted = size >= 24 || (size >= 18.7 && s.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < wanted) bad.add(e.className + " " + ratio.toFixed(2) + " " + n.textContent.slice(0, 30));
  }
  return Array.from(bad).slice(0, 10);
}"""

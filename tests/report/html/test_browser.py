"""The page in a real browser: it sorts, filters and toggles, and neither complains nor asks the network."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.report.rows import entries, written
from zoo.report.html.page import html_page
from zoo.run.results import results

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that keeps a log of its console and of its requests."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--window-size=1200,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    from selenium.webdriver.chrome.service import Service

    started = webdriver.Chrome(service=Service(driver), options=options)
    yield started
    started.quit()


@pytest.fixture
def page(browser, tmp_path):
    """The page of two variants and a baseline, freshly loaded."""
    naive = [("naive", 0, None, {"tags": ["baseline", "deterministic"]})]
    folder = written(tmp_path / "one", [*entries("lstm", 0.5, 0), *entries("bilstm", 0.2, 10), *naive])
    path = tmp_path / "report.html"
    path.write_text(html_page(results(folder)), encoding="utf-8")
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(path.as_uri())
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def names(page):
    rows = "[...document.querySelectorAll('#table-1 tbody tr')]"
    script = f"return {rows}.filter(row => !row.hidden).map(row => row.cells[0].textContent)"
    return page.execute_script(script)


def click(page, column):
    button = page.find_elements("css selector", "#table-1 thead button")[column]
    page.execute_script("arguments[0].click()", button)


def test_a_click_on_a_header_sorts_up_down_and_back(page):
    original = names(page)
    click(page, 1)  # rmse
    assert names(page) == ["lstm", "bilstm", "naive (b)"]
    header = page.find_elements("css selector", "#table-1 thead th")[1]
    assert header.get_attribute("aria-sort") == "ascending"
    click(page, 1)
    assert names(page) == ["naive (b)", "bilstm", "lstm"]
    click(page, 1)
    assert names(page) == original


def test_headers_can_be_reached_and_pressed_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    button = page.find_elements("css selector", "#table-1 thead button")[0]
    button.send_keys(Keys.ENTER)
    assert names(page) == ["bilstm", "lstm", "naive (b)"]


def test_the_search_field_filters_rows(page):
    page.find_element("css selector", "input[data-table='table-1']").send_keys("BI")
    assert names(page) == ["bilstm"]


def test_a_series_can_be_toggled_in_the_legend(page):
    from selenium.webdriver.support.ui import WebDriverWait

    find = """
        const titles = [...document.querySelectorAll('h3')];
        const title = titles.find(heading => heading.textContent.startsWith('Forecasts of'));
        return title.nextElementSibling.nextElementSibling;
    """
    place = page.execute_script(find)
    page.execute_script("arguments[0].scrollIntoView()", place)
    WebDriverWait(page, 20).until(lambda _: place.get_attribute("data-drawn") == "yes")
    shown = "return arguments[0]._fullData.filter(t => t.visible === true).map(t => t.name)"
    assert page.execute_script(shown, place) == ["actual", "lstm"]
    toggle = """
        const item = [...arguments[0].querySelectorAll('.legend .traces')].find(t => t.textContent === 'bilstm');
        const target = item.querySelector('.legendtoggle');
        for (const kind of ['mousedown', 'mouseup']) target.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
    """
    page.execute_script(toggle, place)
    WebDriverWait(page, 20).until(lambda _: "bilstm" in page.execute_script(shown, place))


def test_every_figure_is_drawn_without_complaint_and_without_the_network(page):
    from selenium.webdriver.support.ui import WebDriverWait

    for place in page.find_elements("css selector", ".plot"):
        page.execute_script("arguments[0].scrollIntoView()", place)
        WebDriverWait(page, 20).until(lambda _, place=place: place.get_attribute("data-drawn") == "yes")
    assert page.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    requested = [
        event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []


def channels(colour):
    """Red, green, blue and opacity of a colour of CSS, each from 0 to 1."""
    if colour.startswith("#"):
        return [*(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)), 1.0]
    parts = [float(part) for part in re.findall(r"[\d.]+", colour)]
    return [*(part / 255 for part in parts[:3]), parts[3] if len(parts) == 4 else 1.0]


def contrast(colour, paper, opacity=1.0):
    """How much a colour stands out from the paper that it lies on, from 1 to 21 (WCAG 2.1)."""
    *front, own = channels(colour)
    back = channels(paper)[:3]
    seen = [opacity * own * a + (1 - opacity * own) * b for a, b in zip(front, back, strict=True)]
    bright = []
    for each in (seen, back):
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in each]
        bright.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(bright) + 0.05) / (min(bright) + 0.05)


TEXTS = ("body", "h2", ".verdict", ".faint", "tr.baseline td", "tr.winner td", "th button", "dt", "pre", "label")
INKS = """
    const [font, label] = [arguments[0]._fullLayout.font, arguments[0].layout.hoverlabel];
    return [font.color, label.font.color, label.bgcolor];
"""
LOOKS = """
    return arguments[0]._fullData.filter(trace => trace.visible === true).flatMap(trace => [
      ...(trace.mode.includes('lines') && trace.line.width ? [[trace.line.color, trace.opacity]] : []),
      ...(trace.mode.includes('markers') ? [[trace.marker.color, trace.marker.opacity]] : []),
    ]);
"""


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark", "dark, then light"])
def test_text_and_figures_stand_out_in_the_light_and_in_the_dark(page, scheme, width):
    from selenium.webdriver.support.ui import WebDriverWait

    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme_of(scheme.split(",")[0])]})
    page.refresh()
    places = page.find_elements("css selector", ".plot")
    for place in places:
        page.execute_script("arguments[0].scrollIntoView()", place)
        WebDriverWait(page, 20).until(lambda _, place=place: place.get_attribute("data-drawn") == "yes")
    if scheme == "dark, then light":  # as a system that changes in the evening, the other way round
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme_of("light")]})
        ink = "return arguments[0]._fullLayout.font.color"
        WebDriverWait(page, 20).until(lambda _: page.execute_script(ink, places[-1]) == "#1a1a1a")
    style = "return getComputedStyle(arguments[0])[arguments[1]]"
    paper = page.execute_script(style, page.find_element("css selector", "body"), "backgroundColor")
    assert (sum(channels(paper)[:3]) < 1) == (scheme == "dark")
    for name in TEXTS:
        text = page.find_element("css selector", name)
        own = page.execute_script(style, text, "backgroundColor")
        below = own if channels(own)[3] else paper
        assert contrast(page.execute_script(style, text, "color"), below) >= 4.5, name
    for place in places:
        ink, label, box = page.execute_script(INKS, place)
        assert contrast(ink, paper) >= 4.5 and contrast(label, box) >= 4.5
        for colour, opacity in page.execute_script(LOOKS, place):
            assert contrast(colour, paper, opacity) >= 1.6, (place.get_attribute("aria-label"), colour, opacity)


def scheme_of(name):
    return {"name": "prefers-color-scheme", "value": name}


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_but_tables_scrolls_sideways(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.refresh()
    widths = page.execute_script("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert widths[0] <= widths[1]


def test_the_table_of_a_committed_run_is_whole_in_a_window_of_1280_pixels(browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html_page(results(Path(__file__).parents[3] / "results" / "narma")), encoding="utf-8")
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())
    table = "document.querySelector('#table-1').parentElement"
    widths = browser.execute_script(f"return [{table}.scrollWidth, {table}.clientWidth]")
    order = browser.execute_script(
        "return [...document.querySelectorAll('.verdict, .plot, table')].map(e => e.className.split(' ')[0])"
    )
    winner = browser.execute_script("return document.querySelector('tr.winner').cells[0].textContent")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert widths[0] <= widths[1]
    assert order[:3] == ["verdict", "plot", ""] and winner == "hybrid-lstm"

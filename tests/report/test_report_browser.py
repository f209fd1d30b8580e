"""The report's page in a browser: Chromium without a window, driven through its own driver."""

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from comparisons import day
from conftest import IN_CI
from outcomes import NAMES, NASTY, a_day, many, of_frame, several, unnamed, untrusted
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from sim.report.gallery import gallery
from sim.report.report import write_report
from sim.results.outcome import Outcome

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 3, "mobile": True}
LEGIBLE = 4.5
"""Least contrast of text and what is behind it (WCAG 2.1, success criterion 1.4.3)."""
CONTRASTS = Path(__file__).with_name("contrast.js").read_text("utf-8")

# One worker starts the browser for all of these.
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        missing = "there is no chromium, or no chromedriver: on Debian, apt-get install chromium chromium-driver"
        if IN_CI:
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


@pytest.fixture
def show(browser: webdriver.Chrome, tmp_path: Path):
    """Write an outcome's report and open its page; afterwards the console must have been silent."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})

    def opened(outcome: Outcome) -> webdriver.Chrome:
        write_report(outcome, tmp_path, draw=unnamed if outcome.title == NASTY else gallery)
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    yield opened
    assert browser.get_log("browser") == []


def names(table: WebElement) -> list[str]:
    return [name.text for name in table.find_elements(By.CSS_SELECTOR, "tbody th bdi")]


def first_table(page: webdriver.Chrome) -> WebElement:
    return page.find_element(By.CSS_SELECTOR, "table.sortable")


def emulate(page: webdriver.Chrome, **features: str) -> None:
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items() if name != "media"]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": features.get("media", ""), "features": named})


# Sorting


def test_a_column_sorts_both_ways_and_what_has_no_value_is_last(show) -> None:
    frame = day()
    frame.loc[2, "wasted_gb_s"] = np.nan
    page = show(Outcome([of_frame(frame)]))
    table = first_table(page)
    head = table.find_elements(By.CSS_SELECTOR, "thead th")[5]
    expected = frame.sort_values("wasted_gb_s")["policy"].tolist()
    present, missing = expected[:-1], expected[-1:]
    button = head.find_element(By.TAG_NAME, "button")
    for wanted, state in ((present + missing, "ascending"), (present[::-1] + missing, "descending")):
        button.click()
        assert names(table) == wanted
        assert head.get_attribute("aria-sort") == state


def test_sorting_is_by_value_and_not_by_what_is_shown(show) -> None:
    frame = day()
    frame["latency_p99_s"] = [0.30001, 0.30003, 0.30002, 0.2, 10_000.0, 9.0, np.inf]
    page = show(Outcome([of_frame(frame)]))
    table = first_table(page)
    table.find_elements(By.CSS_SELECTOR, "thead th button")[4].click()
    assert names(table) == frame.sort_values("latency_p99_s")["policy"].tolist()


def test_only_the_last_column_pressed_says_that_it_is_sorted(show) -> None:
    table = first_table(show(a_day()))
    buttons = table.find_elements(By.CSS_SELECTOR, "thead th button")
    buttons[1].click()
    buttons[0].click()
    assert len(table.find_elements(By.CSS_SELECTOR, "[aria-sort]")) == 1
    numbers_in_names = ["fixed_1m", "fixed_2m", "fixed_10m", "fixed_60m"]
    assert names(table) == ["clairvoyant", *numbers_in_names, "keep_forever", "no_keep_alive"]


def test_the_keyboard_sorts_too(show) -> None:
    page = show(a_day())
    table = first_table(page)
    page.execute_script("arguments[0].focus()", table.find_elements(By.CSS_SELECTOR, "thead th button")[1])
    for key, state in ((Keys.ENTER, "ascending"), (Keys.SPACE, "descending")):
        page.switch_to.active_element.send_keys(key)
        assert table.find_elements(By.CSS_SELECTOR, "thead th")[1].get_attribute("aria-sort") == state


def test_every_table_of_every_kind_sorts_without_a_word(show) -> None:
    page = show(several())
    for details in page.find_elements(By.TAG_NAME, "summary"):
        page.execute_script("arguments[0].click()", details)
    buttons = page.find_elements(By.CSS_SELECTOR, "thead th button")
    assert len(buttons) > 40
    for button in buttons:
        page.execute_script("arguments[0].click()", button)


# Names


def test_names_are_text_and_run_nothing(show) -> None:
    page = show(untrusted())
    assert page.title.startswith(NASTY)
    shown = page.find_element(By.TAG_NAME, "body").get_attribute("textContent")
    assert all(name.replace("\u202e", "\ufffd") in shown for name in NAMES)
    assert page.find_elements(By.CSS_SELECTOR, "[onerror]") == []
    assert len(page.find_elements(By.TAG_NAME, "script")) == 1


def test_a_script_that_somebody_adds_is_refused(show, browser: webdriver.Chrome) -> None:
    page = show(a_day())
    page.execute_script(
        "const added = document.createElement('script');"
        "added.textContent = 'window.ran = 1';"
        "document.body.append(added);"
    )
    assert page.execute_script("return window.ran") is None
    [refused] = browser.get_log("browser")
    assert "Content Security Policy" in refused["message"]


# Links and pictures


@pytest.mark.parametrize("make", [a_day, several, untrusted, lambda: many(20)])
def test_links_lead_to_something_and_pictures_show(show, make) -> None:
    page = show(make())
    for link in page.find_elements(By.CSS_SELECTOR, "a[href]"):
        target = link.get_attribute("href").partition("#")[2]
        assert page.find_elements(By.ID, target), target
    pictures = page.find_elements(By.TAG_NAME, "img")
    assert pictures
    for picture in pictures:
        assert page.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", picture)


def test_a_link_of_the_contents_goes_there(show) -> None:
    page = show(several())
    page.find_element(By.CSS_SELECTOR, "nav a[href='#v2']").click()
    top = page.execute_script("return document.getElementById('v2').getBoundingClientRect().top")
    assert 0 <= top < 100


# How it looks


@pytest.mark.parametrize("make", [a_day, several, untrusted, lambda: many(20)])
def test_a_phone_shows_it_without_scrolling_sideways(show, make) -> None:
    page = show(make())
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    page.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.execute_script("return document.documentElement.scrollWidth") == PHONE["width"]


def test_the_policies_stay_in_sight_when_a_phone_scrolls_the_table(show) -> None:
    page = show(a_day())
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    table = first_table(page)
    name = table.find_element(By.CSS_SELECTOR, "tbody th")
    before = name.rect["x"]
    page.execute_script("arguments[0].closest('.scroll').scrollLeft = 200", table)
    assert page.execute_script("return arguments[0].closest('.scroll').scrollLeft", table) == 200
    assert page.execute_script("return arguments[0].getBoundingClientRect().x", name) == pytest.approx(before, abs=1)
    assert name.rect["width"] < PHONE["width"] / 2


@pytest.mark.parametrize(
    "features", [{"prefers_color_scheme": "light"}, {"prefers_color_scheme": "dark"}, {"media": "print"}]
)
def test_all_text_is_legible(show, features: dict[str, str]) -> None:
    page = show(untrusted())
    first_table(page).find_elements(By.CSS_SELECTOR, "thead th button")[0].click()
    emulate(page, **features)
    page.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = page.execute_script(CONTRASTS)
    assert len(found) > 100
    assert [each for each in found if each["contrast"] < LEGIBLE] == []


def test_dark_is_dark_and_figures_stay_on_white(show) -> None:
    page = show(a_day())
    emulate(page, prefers_color_scheme="dark")
    assert sum(rgb(page, "body")) < 100
    assert rgb(page, ".card") == [255, 255, 255]


def rgb(page: webdriver.Chrome, selector: str) -> list[int]:
    element = page.find_element(By.CSS_SELECTOR, selector)
    return [int(part) for part in re.findall(r"\d+", element.value_of_css_property("background-color"))[:3]]


def test_on_paper_there_is_nothing_to_press(show) -> None:
    page = show(a_day())
    emulate(page, media="print")
    for selector in ("nav", ".skip", "details"):
        assert not page.find_element(By.CSS_SELECTOR, selector).is_displayed()
    arrow = "return getComputedStyle(document.querySelector('th button'), '::after').content"
    assert page.execute_script(arrow) == "none"
    assert base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"]).startswith(b"%PDF")


def test_without_its_script_the_table_is_complete_and_promises_nothing(show) -> None:
    page = show(a_day())
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.refresh()
        assert len(names(first_table(page))) == 7
        assert page.find_elements(By.CSS_SELECTOR, "th button") == []
    finally:
        page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

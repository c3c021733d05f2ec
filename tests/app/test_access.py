"""Everybody can use every screen: no axe violation, nothing too small to press, nothing cut off; in
light, dark and right to left."""

from typing import Any

import pytest
from playwright.sync_api import Page
from tests.app.conftest import OpenPage
from tests.app.gallery import Cast, shots, stage, state_of, visit
from tests.app.people import People

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_CHECK = """async (rules) => {
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  const about = (one) => `${one.id} ${one.nodes.map((n) => n.target.join(" ")).slice(0, 3)}`;
  const small = [...document.querySelectorAll("a, button, input, select, textarea, summary")]
    .filter((one) => one.checkVisibility({ opacityProperty: true }))
    .filter((one) => !one.closest(".unseen, .skip"))
    .filter((one) => !(one.tagName === "A" && one.closest("p, li > span, dd")))
    .map((one) => (one.closest("label") ?? one).getBoundingClientRect())
    .filter(({ width, height }) => width > 0 && (width < 43.5 || height < 43.5))
    .map(({ width, height, x, y }) => `${width} by ${height} at ${x}, ${y}`);
  const wide = document.documentElement.scrollWidth > innerWidth;
  return [...violations.map(about), ...small, ...(wide ? ["wider than the screen"] : [])];
}"""  # a link within a sentence may be as small as its words (WCAG 2.2, 2.5.8)
# The themes differ in colours and nothing else.
_COLOURS = """async () => {
  const rules = { type: "rule", values: ["color-contrast", "link-in-text-block"] };
  const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
  return violations.map((one) => `${one.id} ${one.nodes[0].target.join(" ")}`);
}"""
_PARTS = 3  # so that several workers can share them
_IN_THEME = "(theme) => document.documentElement.dataset.theme === theme"


@pytest.fixture(scope="module")
def cast(people: People) -> Cast:
    return stage(people)


def _whole(page: Page) -> None:
    """A window as high as the screen's content, so that nothing is covered by what sticks."""
    height = page.evaluate("() => document.documentElement.scrollHeight")
    page.set_viewport_size({"width": 390, "height": max(844, height + 200)})


def check(page: Page, axe_script: str) -> list[str]:
    """What is wrong with the screen that is shown, in the light theme; and then in the dark one."""
    _whole(page)
    page.evaluate(f"{axe_script}; 0")
    found: list[str] = page.evaluate(_CHECK, _RULES)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(_IN_THEME, arg="dark")
    found += [f"dark: {one}" for one in page.evaluate(_COLOURS)]
    page.emulate_media(color_scheme="light")
    page.wait_for_function(_IN_THEME, arg="light")
    page.set_viewport_size({"width": 390, "height": 844})
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", ["en-SG", "ar-AE"])
@pytest.mark.parametrize("part", range(_PARTS))
def test_every_screen_can_be_used_by_everybody(
    open_page: OpenPage, cast: Cast, axe_script: str, language: str, part: int
) -> None:
    pages: dict[str, Page] = {}
    wrong: dict[str, Any] = {}
    for shot in shots(cast)[part::_PARTS]:
        if shot.who not in pages:
            pages[shot.who] = open_page(state_of(cast, shot), language=language)
        page = pages[shot.who]
        visit(page, shot)
        assert page.evaluate("document.dir") == ("rtl" if language.startswith("ar") else "ltr")
        found = check(page, axe_script)
        if found:
            wrong[shot.name] = found
    assert wrong == {}


def test_words_twice_as_large_still_fit(open_page: OpenPage, cast: Cast) -> None:
    page = open_page(cast.main.state)
    wide = []
    for shot in shots(cast):
        if shot.who != "main" or shot.act is not None:
            continue
        visit(page, shot)
        page.evaluate("() => (document.documentElement.style.fontSize = '200%')")
        if page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
            wide.append(shot.name)
    assert wide == []

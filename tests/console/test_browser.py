"""The browser phone in a real browser, with the real server and the demo's agent behind it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from tests.console.house import open_house
from tests.servers import chromium

QUESTION = "What does the yearly check cost?"
PATIENCE = 20_000  # milliseconds


@asynccontextmanager
async def opened(base: str, width: int = 1280, height: int = 800) -> AsyncIterator[Page]:
    """A page of Chromium; an error in its script, or a breach of the content policy, fails the test."""
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        await page.goto(f"{base}/phone")
        yield page
        await browser.close()
    assert faults == []


async def heard(page: Page, words: str) -> None:
    await expect(page.locator("#talk .agent .heard", has_text=words)).to_be_visible(timeout=PATIENCE)


async def test_a_call_with_a_question_a_barge_in_and_its_record(tmp_path: Path) -> None:
    async with open_house(tmp_path) as base, opened(base) as page:
        await page.get_by_role("button", name="Call", exact=True).click()
        await heard(page, "AI assistant")
        await heard(page, "How can I help you today?")

        await page.get_by_label("What you say").fill(QUESTION)
        await page.keyboard.press("Enter")
        await expect(page.locator("#talk .caller", has_text=QUESTION)).to_be_visible()
        await heard(page, "forty-nine dollars")
        await page.get_by_label("What you say").fill("Thank you")
        await page.keyboard.press("Enter")
        await expect(page.locator("#talk .agent s")).to_contain_text("call-out charge")

        opening, first = (page.locator("#turns > li", has_text=name) for name in ("Opening", "Turn 1"))
        await expect(opening).to_contain_text("disclosure played in full")
        for gate in ("context", "conversation", "handoff", "never say", "model"):
            await expect(first.locator(f"[data-gate='{gate}'] dd").first).not_to_be_empty()
        await expect(first.locator("[data-gate='conversation']")).to_contain_text("the caller cut in")
        await expect(first).to_contain_text(re.compile(r"first token \d+"))

        await heard(page, "You're welcome")
        await page.get_by_role("button", name="Hang up").click()
        await page.get_by_role("link", name="See the record").click()
        await expect(page.locator(".three")).to_contain_text("the caller hung up")
        await expect(page.locator(".bubble", has_text=QUESTION)).to_be_visible()
        await expect(page.locator(".bubble s").first).to_contain_text("charge")


async def test_on_a_small_screen_everything_is_in_reach_of_the_keyboard(tmp_path: Path) -> None:
    async with open_house(tmp_path) as base, opened(base, 360, 640) as page:
        await page.get_by_role("button", name="Call", exact=True).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("What you say")).to_be_focused()
        await page.get_by_role("button", name="Keypad").press("Enter")
        await page.get_by_role("button", name="7", exact=True).press("Enter")
        await expect(page.locator("#talk .keyed")).to_have_text("7")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for name in ("Send", "Hang up", "Keypad"):
            await expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
        await page.get_by_role("button", name="Hang up").press("Enter")
        await expect(page.get_by_role("button", name="Call again")).to_be_focused()
        await page.keyboard.press("Enter")
        await heard(page, "AI assistant")

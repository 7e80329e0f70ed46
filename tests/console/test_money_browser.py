"""Money in a real Chromium: what is open over a table can be reached."""

import pytest
from playwright.async_api import expect

from tests.console.test_browser import Opens, browser, opens
from tests.console.visitor import Visitor

__all__ = ["browser", "opens"]

pytestmark = pytest.mark.browser

BANK = "/invoices/bank"
# Is the middle of an element what is seen there, or has something that scrolls cut it off?
IS_SEEN = """(element) => {
  const { left, top, width, height } = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


@pytest.mark.parametrize("width", [1440, 390])
async def test_a_menu_in_the_last_row_of_a_table_is_not_cut_off(opens: Opens, visitor: Visitor, width: int) -> None:
    await visitor.sends(BANK, booked_on="2026-03-01", amount="12.00", currency="EUR", payer="Tugs", expect=303)
    page = await opens(BANK, viewport={"width": width, "height": 900})
    await page.get_by_text("Book otherwise", exact=True).click()
    field = page.get_by_label("Customer to whose credit the rest stays")
    await expect(field).to_be_visible()
    assert await field.evaluate(IS_SEEN)

"""A small Python project with a planted bug, for the demo: standard library only, tests included."""

from __future__ import annotations

from pathlib import Path

README = """\
# corner-shop

Prices for a small shop. Orders of 100.00 or more get ten percent off.

Run the tests: `python3 -m unittest -q`
"""

PRICES = """\
\"\"\"What an order costs, in cents.\"\"\"

DISCOUNT_FROM = 10_000
DISCOUNT_PERCENT = 10


def subtotal(lines):
    return sum(quantity * price for _, quantity, price in lines)


def discount(cents):
    if cents > DISCOUNT_FROM:
        return cents * DISCOUNT_PERCENT // 100
    return 0


def total(lines):
    cents = subtotal(lines)
    return cents - discount(cents)
"""

RECEIPT = """\
\"\"\"The receipt a customer takes home.\"\"\"

from shop.prices import discount, subtotal, total


def receipt(lines):
    rows = []
    for name, quantity, price in lines:
        rows.append(f"{quantity} x {name}: {quantity * price // 100}.{quantity * price % 100:02d}")
    rows.append(f"discount: {discount(subtotal(lines)) // 100}.{discount(subtotal(lines)) % 100:02d}")
    rows.append(f"total: {total(lines) // 100}.{total(lines) % 100:02d}")
    return "\\n".join(rows)
"""

INVOICE = """\
\"\"\"The invoice a company pays.\"\"\"

from shop.prices import total


def invoice(company, lines):
    return f"{company} owes {total(lines) // 100}.{total(lines) % 100:02d}"
"""

TEST_PRICES = """\
import unittest

from shop.invoice import invoice
from shop.prices import total
from shop.receipt import receipt


class PricesTest(unittest.TestCase):
    def test_small_order(self):
        self.assertEqual(total([("apple", 3, 50)]), 150)

    def test_discount_starts_at_exactly_one_hundred(self):
        self.assertEqual(total([("crate", 1, 10_000)]), 9_000)

    def test_receipt(self):
        self.assertEqual(receipt([("apple", 3, 50)]).splitlines()[-1], "total: 1.50")

    def test_invoice(self):
        self.assertEqual(invoice("Acme", [("apple", 3, 50)]), "Acme owes 1.50")


if __name__ == "__main__":
    unittest.main()
"""

FILES = {
    "README.md": README,
    "shop/__init__.py": "",
    "shop/prices.py": PRICES,
    "shop/receipt.py": RECEIPT,
    "shop/invoice.py": INVOICE,
    "tests/__init__.py": "",
    "tests/test_prices.py": TEST_PRICES,
}
"""Every file of the project: relative path to content."""

MONEY = """\
\"\"\"How the shop writes an amount of money.\"\"\"


def money(cents):
    return f"{cents // 100}.{cents % 100:02d}"
"""
"""The file the job adds, which both refactored files use."""


def create(folder: Path) -> None:
    """Write the project into `folder`, which is made if it is not there."""
    for name, content in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8", newline="\n")

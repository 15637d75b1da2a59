"""What the demo does: find a bug in the sample project, fix it, refactor, and check, with all seven tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pybridge.demo.sample_project import MONEY

TEST_COMMAND = "python3 -m unittest -q"

PATCH = """\
*** Begin Patch
*** Update File: shop/receipt.py
@@
-from shop.prices import discount, subtotal, total
+from shop.money import money
+from shop.prices import discount, subtotal, total
@@ def receipt(lines):
-        rows.append(f"{quantity} x {name}: {quantity * price // 100}.{quantity * price % 100:02d}")
-    rows.append(f"discount: {discount(subtotal(lines)) // 100}.{discount(subtotal(lines)) % 100:02d}")
-    rows.append(f"total: {total(lines) // 100}.{total(lines) % 100:02d}")
+        rows.append(f"{quantity} x {name}: {money(quantity * price)}")
+    rows.append(f"discount: {money(discount(subtotal(lines)))}")
+    rows.append(f"total: {money(total(lines))}")
*** Update File: shop/invoice.py
@@
-from shop.prices import total
+from shop.money import money
+from shop.prices import total
@@ def invoice(company, lines):
-    return f"{company} owes {total(lines) // 100}.{total(lines) % 100:02d}"
+    return f"{company} owes {money(total(lines))}"
*** End Patch
"""


@dataclass(frozen=True)
class Step:
    """One tool call of the job and what must come back.

    Args:
        why: what a person would say before doing it.
        tool: name of the tool.
        arguments: its arguments.
        contains: text the result must contain.
        fails: the call must end as an error (a command with a non-zero exit).
        lines: how many lines of the result are worth showing.
    """

    why: str
    tool: str
    arguments: Mapping[str, Any]
    contains: str
    fails: bool = False
    lines: int = 14


@dataclass(frozen=True)
class Outcome:
    """What one step gave.

    Args:
        output: the text the model reads: the result, or the error's message.
        failed: it was an error.
        seconds: from call to answer.
    """

    output: str
    failed: bool
    seconds: float


def job(workdir: str) -> list[Step]:
    """The steps, in order.

    Args:
        workdir: remote absolute path of the sample project.
    """
    return [
        Step("What is in the project?", "glob", {"pattern": "**/*.py"}, f"{workdir}/shop/prices.py"),
        Step(
            "Do its tests pass?",
            "bash",
            {"command": TEST_COMMAND, "description": "Run the tests"},
            "test_discount_starts_at_exactly_one_hundred",
            fails=True,
        ),
        Step("One fails: where is the discount decided?", "grep", {"pattern": "DISCOUNT_FROM"}, "shop/prices.py"),
        Step("Read that file.", "read", {"filePath": f"{workdir}/shop/prices.py"}, "12:     if cents > DISCOUNT_FROM:"),
        Step(
            "There is the bug: an order of exactly 100.00 gets no discount. Fix it.",
            "edit",
            {
                "filePath": f"{workdir}/shop/prices.py",
                "oldString": "if cents > DISCOUNT_FROM:",
                "newString": "if cents >= DISCOUNT_FROM:",
            },
            "Edit applied successfully.",
        ),
        Step(
            "Two files format money by hand: add one helper.",
            "write",
            {"filePath": f"{workdir}/shop/money.py", "content": MONEY},
            "Wrote file successfully.",
        ),
        Step("Let both files use it, in one patch.", "apply_patch", {"patchText": PATCH}, "shop/receipt.py"),
        Step("Do the tests pass now?", "bash", {"command": TEST_COMMAND, "description": "Run the tests"}, "OK"),
        Step(
            "What changed?",
            "bash",
            {
                "command": "diff -ruN -x __pycache__ ../before . || test $? -eq 1",
                "description": "Show the difference",
            },
            "+    if cents >= DISCOUNT_FROM:",
            lines=60,
        ),
    ]


def complaint(step: Step, outcome: Outcome) -> str | None:
    """What is wrong with an outcome, in one sentence, or None."""
    if outcome.failed and not step.fails:
        return "the call ended as an error"
    if step.fails and not outcome.failed:
        return "the call should have ended as an error (the tests must fail here), and did not"
    if step.contains not in outcome.output:
        return f"the result does not contain {step.contains!r}"
    return None

"""How many failures a run may have before it stops."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.errors import BadRequest, DsocrError

MIN_PAGES_FOR_SHARE = 100
"""A share is compared once so many pages and failed documents are done."""


class TooManyErrors(DsocrError):
    """More pages failed than --max-errors allows."""

    code = "too_many_errors"


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """The most failures: a number, or a share of what was done."""

    number: int | None = None
    share: float | None = None

    def check(self, failed: int, done: int) -> None:
        """Raises `TooManyErrors`. `done` includes the failures."""
        over = self.number is not None and failed > self.number
        if self.share is not None and done >= MIN_PAGES_FOR_SHARE:
            over = failed > self.share * done
        if over:
            raise TooManyErrors(
                f"{failed} of {done} pages failed, more than --max-errors allows. Find the reason "
                "with dsocr batch status --failures; running it again continues."
            )


def parse_budget(text: str) -> ErrorBudget:
    """Of a number such as `20` or a share such as `5%`. Raises `BadRequest`."""
    digits = text.removesuffix("%")
    if not digits.isdecimal() or (text != digits and int(digits) > 100):
        raise BadRequest(f"{text!r} is neither a number such as 20 nor a share such as 5%.")
    return ErrorBudget(int(digits)) if text == digits else ErrorBudget(share=int(digits) / 100)

"""The cells of a grid of rules: fields without a rule between them are one cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.geometry import Rect
from dsocr.engines.ppocr.networks.table_model import Cell

_MIN_DRAWN = 0.6  # of a field's side

Field = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True, slots=True)
class RuledGrid:
    """Masks of the rules across and down, and the places of rules, in pixels of the masks."""

    across: NDArray[np.uint8]
    down: NDArray[np.uint8]
    xs: Sequence[int]
    ys: Sequence[int]
    tolerance: int
    """How far a rule may be from its place."""

    def cells(self) -> list[Cell] | None:
        """The cells by row and column; None if one is not rectangular."""
        cells = []
        for members in self._joined_fields():
            cell = self._cell(members)
            if cell is None:
                return None
            cells.append(cell)
        return sorted(cells, key=lambda cell: (cell.row, cell.column))

    def _joined_fields(self) -> list[list[Field]]:
        """The fields in groups without rules between them (union-find)."""
        num_rows, num_columns = len(self.ys) - 1, len(self.xs) - 1
        owner = {(r, c): (r, c) for r in range(num_rows) for c in range(num_columns)}

        def root(field: Field) -> Field:
            while owner[field] != field:
                field = owner[field]
            return field

        for r, c in list(owner):
            if c + 1 < num_columns and not self._has_rule_right(r, c):
                owner[root((r, c + 1))] = root((r, c))
            if r + 1 < num_rows and not self._has_rule_below(r, c):
                owner[root((r + 1, c))] = root((r, c))
        groups: dict[Field, list[Field]] = {}
        for field in owner:
            groups.setdefault(root(field), []).append(field)
        return list(groups.values())

    def _has_rule_right(self, row: int, column: int) -> bool:
        x = self.xs[column + 1]
        near = slice(max(0, x - self.tolerance), x + self.tolerance + 1)
        side = self.down[self.ys[row] : self.ys[row + 1], near]
        return bool(side.any(axis=1).mean() >= _MIN_DRAWN)

    def _has_rule_below(self, row: int, column: int) -> bool:
        y = self.ys[row + 1]
        near = slice(max(0, y - self.tolerance), y + self.tolerance + 1)
        side = self.across[near, self.xs[column] : self.xs[column + 1]]
        return bool(side.any(axis=0).mean() >= _MIN_DRAWN)

    def _cell(self, fields: Sequence[Field]) -> Cell | None:
        """The cell that the fields make up; None if it is not rectangular."""
        rows, columns = [row for row, _ in fields], [column for _, column in fields]
        top, left = min(rows), min(columns)
        rowspan, colspan = max(rows) - top + 1, max(columns) - left + 1
        if rowspan * colspan != len(fields):
            return None
        rect = Rect(self.xs[left], self.ys[top], self.xs[left + colspan], self.ys[top + rowspan])
        return Cell(top, left, rowspan, colspan, rect)

"""The two networks that find a page's structure, each loaded when it is first used."""

from __future__ import annotations

from functools import cached_property

from dsocr.engines.ppocr.networks.layout import LayoutModel
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.table_model import TableModel


class StructureModels:
    """Regions of a page, and cells of a table."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    @cached_property
    def layout(self) -> LayoutModel:
        return LayoutModel(self._networks)

    @cached_property
    def table(self) -> TableModel:
        return TableModel(self._networks)

"""Foreign contracts: the HTTP APIs of other products, answered by this service.

A contract is one module (or package) with a `router`. It parses its own request, reads through
`contracts.reading`, and writes the result in its own shape, errors included (`@error_shape`). Its
row in `CONTRACTS` names it for the setting `DEEPSEEK_OCR_CONTRACTS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from dsocr.config import BadSetting

ALL, NONE = "all", "none"


@dataclass(frozen=True, slots=True)
class Contract:
    """One foreign API."""

    name: str
    module: str
    """In this package; has `router`."""
    prefix: str
    """Of its paths, for people."""
    default: bool = True
    """Whether `all` includes it."""


CONTRACTS: tuple[Contract, ...] = (
    Contract("openai", "openai", "/v1/chat/completions, /v1/responses, /v1/models"),
    Contract("mistral", "mistral", "/v1/ocr, /v1/files"),
    Contract("tika", "tika", "/tika, /rmeta"),
    Contract("openwebui", "openwebui", "/process"),
    Contract("docling", "docling", "/v1/convert, /v1/chunk, /v1/status, /v1/result"),
    Contract("azure", "azure", "/documentintelligence"),
    Contract("mineru", "mineru", "/file_parse, /tasks"),
    Contract("liteparse", "liteparse", "/ocr"),
    Contract("marker", "marker", "/marker/upload, /api/v1/marker"),
    Contract("paddleocr", "paddleocr", "/layout-parsing"),
    Contract("mcp", "mcp", "/mcp"),
)


def enabled_contracts(names: Sequence[str]) -> tuple[Contract, ...]:
    """The contracts of the setting: `all`, `none`, or names. Raises `BadSetting`."""
    wanted = {name.lower() for name in names}
    known = {contract.name for contract in CONTRACTS}
    unknown = wanted - known - {ALL, NONE}
    if unknown:
        choices = ", ".join((ALL, NONE, *sorted(known)))
        raise BadSetting(
            f"DEEPSEEK_OCR_CONTRACTS: there is no contract {min(unknown)!r}; choose of {choices}"
        )
    return tuple(
        contract
        for contract in CONTRACTS
        if contract.name in wanted or (ALL in wanted and contract.default)
    )


def contract_routers(names: Sequence[str]) -> list[APIRouter]:
    """The routers of the enabled contracts; the modules of others are not imported."""
    return [
        importlib.import_module(f"{__name__}.{contract.module}").router
        for contract in enabled_contracts(names)
    ]

"""Which foreign contracts a service answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.config import BadSetting
from dsocr.server.contracts import CONTRACTS, contract_routers, enabled_contracts
from tests.server.conftest import Client


def test_all_contracts_are_on_by_default() -> None:
    assert enabled_contracts(("all",)) == tuple(row for row in CONTRACTS if row.default)


def test_contracts_are_chosen_by_name() -> None:
    assert [row.name for row in enabled_contracts(("OpenAI",))] == ["openai"]


def test_each_contract_has_routes() -> None:
    assert all(router.routes for router in contract_routers([row.name for row in CONTRACTS]))


def test_unknown_contract_is_a_setting_that_is_refused() -> None:
    with pytest.raises(BadSetting, match="DEEPSEEK_OCR_CONTRACTS: .*'opnai'"):
        enabled_contracts(("all", "opnai"))


def test_contract_that_is_off_has_no_routes(client: Client) -> None:
    with client(contracts=("none",)) as http:
        assert http.get("/v1/models").status_code == 404


def test_each_contract_has_a_heading_and_a_row_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text()
    for row in CONTRACTS:
        assert f"| [`{row.name}`](#{row.name}) |" in page
        assert f"## {row.name}\n" in page.lower()

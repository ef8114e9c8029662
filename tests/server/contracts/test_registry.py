"""Which foreign contracts a service answers."""

from __future__ import annotations

import pytest

from dsocr.config import BadSetting
from dsocr.server.contracts import CONTRACTS, contract_routers, enabled_contracts
from tests.server.conftest import Client


def test_all_contracts_are_on_by_default() -> None:
    assert enabled_contracts(("all",)) == tuple(row for row in CONTRACTS if row.default)


def test_contracts_are_chosen_by_name() -> None:
    assert [row.name for row in enabled_contracts(("Tika",))] == ["tika"]


def test_each_contract_has_routes() -> None:
    assert all(router.routes for router in contract_routers([row.name for row in CONTRACTS]))


def test_unknown_contract_is_a_setting_that_is_refused() -> None:
    with pytest.raises(BadSetting, match="DEEPSEEK_OCR_CONTRACTS: .*'tikka'"):
        enabled_contracts(("all", "tikka"))


def test_contract_that_is_off_has_no_routes(client: Client) -> None:
    with client(contracts=("none",)) as http:
        assert http.get("/tika").status_code == 404

from dsocr.engines.ppocr.blocks.drafts import paragraph_text


def test_a_bullet_makes_an_item_and_a_factor_in_a_row_of_prices_does_not() -> None:
    assert paragraph_text("\u2022 bread *fresh*", can_be_item=True) == "- bread \\*fresh\\*"
    assert paragraph_text("* 33.02 66.04", can_be_item=False) == "\\* 33.02 66.04"

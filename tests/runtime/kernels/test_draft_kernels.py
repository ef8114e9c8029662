"""Steps with drafts on the device: the drafts of the host, laid out, attended to and accepted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from dsocr.runtime.kernels.decode_attention import DecodeSequences, Split
from dsocr.runtime.kernels.drafts.acceptance import accept_drafts, accept_drafts_fused
from dsocr.runtime.kernels.drafts.attention import draft_attention, draft_attention_fused
from dsocr.runtime.kernels.drafts.layout import DraftRows, lay_out_drafts, lay_out_drafts_fused
from dsocr.runtime.kernels.drafts.proposals import propose_drafts, propose_drafts_fused
from dsocr.runtime.kernels.drafts.tables import (
    CAPACITY,
    COUNT,
    FAILURES,
    MAX_DRAFT,
    MOST,
    NEXT,
    NUM_REFERENCE,
    SIZE,
    WAIT,
    DraftTables,
    make_draft_tables,
)
from dsocr.runtime.kernels.sampling import END as END_FLAG
from dsocr.runtime.kernels.sampling import (
    LENGTH,
    LIMIT,
    NUM_FIELDS,
    PROMPT,
    TokenHistories,
    sample_tokens,
    sample_tokens_fused,
)
from dsocr.runtime.text.draft_lookup import END, DraftLookup, Grammar

GRAMMAR = Grammar(
    *(90, 91, {92: (90, 93), 91: (94,)}),
    starts=frozenset({94, 95}),
    numbers=frozenset({7, 8}),
    separator=(96, 97),
    box_close=(98, 91),
)
WORDS = [*range(12), 90, 91, 92, 94, 95]
PROMPT_TOKENS, MAX_TOKENS, MAX_REFERENCE, BLOCK = 5, 2200, 1500, 4


@dataclass
class Pages:
    """Tables of some pages, and a way to write to them."""

    histories: TokenHistories
    tables: DraftTables

    @property
    def rows(self) -> Tensor:
        count = len(self.tables.state)
        return torch.tensor([*range(count), -1], dtype=torch.int32, device=self.tables.state.device)

    def write(self, slot: int, *tokens: int) -> None:
        params = self.histories.params[slot]
        for token in tokens:
            self.histories.tokens[slot, params[LENGTH]] = token
            params[LENGTH] += 1

    def draft(self, slot: int) -> list[int]:
        return self.tables.drafts[slot, : int(self.tables.state[slot, COUNT])].tolist()


def make_pages(device: torch.device, references: list[list[int]]) -> Pages:
    count = len(references)
    params = torch.zeros(count, NUM_FIELDS, dtype=torch.int32)
    params[:, LENGTH] = params[:, PROMPT] = PROMPT_TOKENS
    params[:, LIMIT] = MAX_TOKENS
    tokens = torch.full((count, MAX_TOKENS), 7, dtype=torch.int32)
    exempt = torch.tensor([2], dtype=torch.int32)
    histories = TokenHistories(tokens.to(device), params.to(device), exempt.to(device), end=1)
    tables = make_draft_tables(count, GRAMMAR, device, max_reference=MAX_REFERENCE)
    for slot, known in enumerate(references):
        tables.references[slot, : len(known)] = torch.tensor(known, dtype=torch.int32)
        tables.state[slot, NUM_REFERENCE] = len(known)
    tables.state[:, NEXT], tables.state[:, CAPACITY] = END, MAX_TOKENS
    tables.state[:, SIZE] = tables.state[:, MOST] = MAX_DRAFT
    return Pages(histories, tables)


Propose = Callable[[TokenHistories, DraftTables, Tensor], Tensor]


@pytest.mark.parametrize("propose", [propose_drafts, propose_drafts_fused], ids=["plain", "fused"])
@pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
def test_the_device_looks_up_the_drafts_of_the_host(
    device: torch.device, propose: Propose, long: bool
) -> None:
    """Pages of few words, so that much matches; the long ones need several iterations."""
    rng = random.Random(int(long))
    texts = [
        [rng.choices(WORDS, k=rng.choice([9, 30, 600 if long else 40])) for _ in range(2)]
        for _ in range(4)
    ]
    pages = make_pages(device, [[token for text in two for token in (*text, END)] for two in texts])
    lookups = [DraftLookup(two, grammar=GRAMMAR) for two in texts]
    beginning = rng.choices(WORDS, k=1100 if long else 1)
    written = [[*beginning] for _ in texts]
    for _ in range(4 if long else 8):
        for slot, tokens in enumerate(written):
            pages.write(slot, *tokens)
            for token in tokens:
                lookups[slot].push(token)

        counts = propose(pages.histories, pages.tables, pages.rows)

        expected = [lookup.propose(MAX_DRAFT) for lookup in lookups]
        assert [pages.draft(slot) for slot in range(len(texts))] == expected
        assert counts.tolist() == [*map(len, expected), 0]
        written = [
            [*draft[: rng.randrange(8)], rng.choice(WORDS)] if rng.random() < 0.7 else [3]
            for draft in expected
        ]


@pytest.mark.parametrize("propose", [propose_drafts, propose_drafts_fused], ids=["plain", "fused"])
def test_a_page_waits_after_drafts_that_were_wrong(device: torch.device, propose: Propose) -> None:
    pages = make_pages(device, [[4, 5, 6, 7, END]] * 2)
    pages.tables.state[0, WAIT] = 1
    pages.tables.state[1, MOST] = 0
    for slot in (0, 1):
        pages.write(slot, 4, 5)
    first = propose(pages.histories, pages.tables, pages.rows)
    second = propose(pages.histories, pages.tables, pages.rows)
    assert first.tolist() == [0, 0, 0] and second.tolist() == [2, 0, 0]


LayOut = Callable[..., DraftRows]


def with_drafts(device: torch.device, lengths: list[int]) -> Pages:
    """Pages with drafts of these lengths, whose tokens count from 100 times their number."""
    pages = make_pages(device, [[] for _ in lengths])
    for slot, length in enumerate(lengths):
        first = 100 * (slot + 1)
        pages.write(slot, *range(first, first + 3 + slot))
        draft = torch.arange(MAX_DRAFT + 1, dtype=torch.int32) + first + 50
        pages.tables.drafts[slot] = draft.to(device)
        pages.tables.state[slot, COUNT] = length
    return pages


def block_tables(device: torch.device, count: int, width: int = 8) -> Tensor:
    shuffled = torch.randperm(count * width, generator=torch.Generator().manual_seed(3))
    return shuffled.view(count, width).int().to(device)


@pytest.mark.parametrize("lay_out", [lay_out_drafts, lay_out_drafts_fused], ids=["plain", "fused"])
@pytest.mark.parametrize(
    ("space", "expected"), [(20, [3, 0, 5, 9]), (9, [3, 0, 3, 3]), (2, [0, 0, 0, 0])]
)
def test_drafts_share_the_space_of_a_step(
    device: torch.device, lay_out: LayOut, space: int, expected: list[int]
) -> None:
    pages = with_drafts(device, [3, 0, 5, 9])
    blocks = block_tables(device, 4)

    layout = lay_out(
        *(pages.histories, pages.tables, blocks, pages.rows), num_drafts=space, block_size=BLOCK
    )

    assert layout.counts.tolist() == [*expected, -1]
    at = 5
    for slot, count in enumerate(expected):
        assert layout.starts[slot] == at
        length = int(pages.histories.params[slot, LENGTH])
        first = 100 * (slot + 1)
        tokens = [first + 2 + slot, *range(first + 50, first + 50 + count)]
        indices = [slot, *range(at, at + count)]
        positions = [*range(length - 1, length + count)]
        assert layout.tokens[indices].tolist() == tokens
        assert layout.positions[indices].tolist() == positions
        assert layout.owners[indices].tolist() == [slot] * (1 + count)
        assert layout.slots[indices].tolist() == [
            int(blocks[slot, one // BLOCK]) * BLOCK + one % BLOCK for one in positions
        ]
        assert pages.histories.tokens[slot, length : length + count].tolist() == tokens[1:]
        at += count
    padding = [4, *range(at, 5 + space)]
    assert set(layout.owners[padding].tolist()) == set(layout.slots[padding].tolist()) == {-1}


@pytest.mark.parametrize("lay_out", [lay_out_drafts, lay_out_drafts_fused], ids=["plain", "fused"])
def test_a_draft_ends_with_the_blocks_and_a_page_at_its_limit_has_no_token(
    device: torch.device, lay_out: LayOut
) -> None:
    pages = with_drafts(device, [9, 9, 9])
    length = PROMPT_TOKENS + 3
    pages.tables.state[0, CAPACITY] = length + 4
    pages.histories.params[1, LIMIT] = pages.histories.params[1, LENGTH]
    blocks = block_tables(device, 3)

    layout = lay_out(
        *(pages.histories, pages.tables, blocks, pages.rows), num_drafts=30, block_size=BLOCK
    )

    assert layout.counts.tolist() == [4, -1, 9, -1]
    assert layout.owners[:4].tolist() == [0, -1, 2, -1]


def laid_out(pages: Pages, *, num_drafts: int = 24) -> tuple[DraftRows, Tensor]:
    blocks = block_tables(pages.tables.state.device, len(pages.tables.state))
    tables = pages.histories, pages.tables, blocks, pages.rows
    return lay_out_drafts(*tables, num_drafts=num_drafts, block_size=BLOCK), blocks


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("window", [None, 4])
def test_attention_of_drafts_is_causal(
    device: torch.device, draw: Any, splits: int, window: int | None
) -> None:
    pages = with_drafts(device, [3, 0, 5, 9])
    layout, tables = laid_out(pages)
    heads, dim = 2, 16
    blocks = draw(2, 32, BLOCK, heads, dim)
    q = draw(len(layout.owners), heads * dim)
    params = pages.histories.params
    counters = torch.zeros(len(layout.rows) * heads, dtype=torch.int32, device=device)
    sequences = DecodeSequences(layout.rows, params[:, LENGTH], tables, params[:, PROMPT])

    found = draft_attention_fused(
        *(q, blocks, sequences, layout),
        split=Split(splits, 16, 4, 2),
        split_counters=counters,
        window=window,
    )

    expected = draft_attention(q, blocks, sequences, layout, window=window)
    live = layout.owners >= 0
    torch.testing.assert_close(found[live], expected[live], atol=2e-5, rtol=2e-5)
    assert not counters.any()


Accept = Callable[[Tensor, TokenHistories, DraftTables, DraftRows], Tensor]


@pytest.mark.parametrize("accept", [accept_drafts, accept_drafts_fused], ids=["plain", "fused"])
def test_drafts_are_kept_up_to_the_first_wrong_one(device: torch.device, accept: Accept) -> None:
    """All right, none right, two right, none drafted, and an end in the middle."""
    pages = with_drafts(device, [8, 5, 9, 0, 6])
    pages.tables.state[:, SIZE] = 8
    pages.tables.state[1, FAILURES] = 2
    lengths = pages.histories.params[:, LENGTH].tolist()
    layout, _ = laid_out(pages, num_drafts=40)
    right = [8, 0, 2, 0, 6]
    sampled = torch.zeros(3, len(layout.owners), dtype=torch.int32, device=device)
    sampled[0] = 77
    for slot, count in enumerate(right):
        start = int(layout.starts[slot])
        indices = [slot, *range(start, start + count)]
        for index, following in zip(indices, indices[1:], strict=False):
            sampled[0, index] = layout.tokens[following]
    sampled[2, int(layout.starts[4]) + 1] = END_FLAG

    kept = accept(sampled, pages.histories, pages.tables, layout)

    assert kept.tolist() == [9, 1, 3, 1, 3, 0]
    assert pages.histories.params[:, LENGTH].tolist() == [
        length + count for length, count in zip(lengths, kept.tolist(), strict=False)
    ]
    ends = [length + count - 1 for length, count in zip(lengths, kept.tolist(), strict=False)]
    newest = [int(pages.histories.tokens[slot, end]) for slot, end in enumerate(ends)]
    assert newest == [77, 77, 77, 77, 552]
    assert pages.tables.state[:, SIZE].tolist() == [15, 4, 4, 8, 4]
    assert pages.tables.state[:, FAILURES].tolist() == [0, 3, 0, 0, 0]
    assert pages.tables.state[:, WAIT].tolist() == [0, 4, 0, 0, 0]


@pytest.mark.parametrize("sample", [sample_tokens, sample_tokens_fused], ids=["plain", "fused"])
def test_every_token_of_a_draft_is_sampled_by_its_own_history(
    device: torch.device, sample: Any
) -> None:
    """Row by row as if the tokens before it were the page's; nothing is appended."""
    pages = with_drafts(device, [6, 4])
    for slot, word in enumerate((11, 12)):
        pages.tables.drafts[slot] = torch.tensor([word, 13, 14] * 6, dtype=torch.int32)[:16]
        pages.histories.params[slot, 2] = 3  # the no-repeat rule, n = 3
    pages.histories.params[0, LIMIT] = int(pages.histories.params[0, LENGTH]) + 3
    layout, _ = laid_out(pages)
    logits = torch.zeros(len(layout.owners), 200, device=device)
    logits[:, 13], logits[:, 14] = 8, 9

    tokens, _, flags = sample(logits, pages.histories, layout.owners, layout.positions)

    start = int(layout.starts[0])
    # after 11, 13 | 14, 11, 13 | 14 is banned once "11 13 14" was written
    assert tokens[[0, *range(start, start + 6)]].tolist() == [14, 14, 14, 14, 14, 13, 14]
    assert flags[[0, *range(start, start + 6)]].tolist() == [0, 0, 8, 8, 8, 8, 8]
    assert pages.histories.params[0, LENGTH] == PROMPT_TOKENS + 3

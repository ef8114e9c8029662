"""The OpenAI API: `/v1/models`, `/v1/chat/completions` and `/v1/responses`."""

from __future__ import annotations

from fastapi import APIRouter

from dsocr.server.contracts.openai import chat, models, responses

router = APIRouter()
router.include_router(models.router)
router.include_router(chat.router)
router.include_router(responses.router)

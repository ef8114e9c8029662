"""The Mistral OCR API: `/v1/ocr` and `/v1/files`."""

from __future__ import annotations

from fastapi import APIRouter

from dsocr.server.contracts.mistral import files, ocr

router = APIRouter()
router.include_router(files.router)
router.include_router(ocr.router)

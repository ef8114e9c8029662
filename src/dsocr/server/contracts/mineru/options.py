"""The options of MinerU's service and its errors."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from dsocr.errors import InvalidField
from dsocr.server.contracts.documents import FormOptions
from dsocr.server.route_attributes import ErrorInfo, error_shape

DEFAULT_LANGUAGES = ("ch", "ch_server", "ch_lite", "latin", "auto")
"""Groups of languages that are the embedded engine's own: naming them changes nothing."""


class MineruErrorAnswer(BaseModel):
    error: str
    detail: str


class Chosen(BaseModel):
    """How the result is written. Part of a task's id."""

    backend: Annotated[str, Field(max_length=40)] = "pipeline"
    return_md: bool = True
    return_content_list: bool = False
    return_images: bool = False
    response_format_zip: bool = False


class MineruOptions(FormOptions):
    language_field = "lang_list"
    no_effect: ClassVar[frozenset[str]] = frozenset(
        ("backend", "effort", "parse_method", "formula_enable", "table_enable", "image_analysis")
        + ("server_url", "output_dir", "return_original_file")
    )
    lang_list: list[str] = []
    backend: Annotated[str, Field(max_length=40)] = "pipeline"
    effort: str = ""
    parse_method: Literal["auto", "txt", "ocr"] = "auto"
    formula_enable: bool = True
    table_enable: bool = True
    image_analysis: bool = True
    return_md: bool = True
    return_middle_json: bool = False
    return_model_output: bool = False
    return_content_list: bool = False
    return_images: bool = False
    return_original_file: bool = False
    response_format_zip: bool = False
    start_page_id: Annotated[int, Field(ge=0)] = 0
    end_page_id: Annotated[int, Field(ge=0)] = 99999

    def chosen(self) -> Chosen:
        """Raises `InvalidField` for outputs that cannot be given."""
        for name in ("return_middle_json", "return_model_output"):
            if getattr(self, name):
                raise InvalidField(f"{name}: this output of MinerU's models cannot be given")
        if self.end_page_id < self.start_page_id:
            raise InvalidField("end_page_id: it is before start_page_id")
        return Chosen(**{name: getattr(self, name) for name in Chosen.model_fields})

    def languages(self) -> list[str]:
        return [one for one in self.lang_list if one not in DEFAULT_LANGUAGES]


def mineru_error(error: ErrorInfo) -> dict[str, Any]:
    return {"error": error.message, "detail": error.message}


mineru_errors = error_shape(mineru_error)

"""Errors that reach users. `code` is stable; the first docstring line is the default message."""

from __future__ import annotations


class DsocrError(Exception):
    """Something went wrong."""

    code = "internal"
    retryable = False

    @property
    def message(self) -> str:
        return str(self) or (self.__doc__ or "").splitlines()[0]


class BadRequest(DsocrError):
    """The request cannot be understood."""

    code = "bad_request"


class InvalidPages(BadRequest):
    """The page ranges are malformed, or the document does not have these pages."""


class InvalidField(BadRequest):
    """A field of the request has an invalid value."""

    code = "invalid_field"


class BadImage(DsocrError):
    """The image is broken."""

    code = "bad_image"


class BadPdf(DsocrError):
    """The PDF is broken."""

    code = "bad_pdf"


class PasswordRequired(DsocrError):
    """The PDF is protected: a password is needed, or the one given is wrong."""

    code = "password_required"


class NoText(DsocrError):
    """No extractable text: the document has no text on any page."""

    code = "no_text"


class NotADocument(DsocrError):
    """The file is neither an image nor a PDF that can be read."""

    code = "not_a_document"


class TooLarge(DsocrError):
    """The file has too many bytes."""

    code = "too_large"


class TooManyPixels(DsocrError):
    """The image has too many pixels."""

    code = "too_many_pixels"


class TooManyPages(DsocrError):
    """The document has too many pages."""

    code = "too_many_pages"


class PageTimeout(DsocrError):
    """Reading the page took too long."""

    code = "timeout"


class UnsupportedTask(DsocrError):
    """The engine that is running cannot do this task."""

    code = "unsupported_task"


class UnsupportedMode(DsocrError):
    """There is no such resolution mode."""

    code = "unsupported_mode"


class ContextTooLong(DsocrError):
    """The page and the prompt do not fit into the model's context."""

    code = "context_too_long"


class QueueFull(DsocrError):
    """Too many requests are waiting; nothing was started."""

    code = "queue_full"
    retryable = True


class EngineUnavailable(DsocrError):
    """The engine is starting, restarting, or down."""

    code = "engine_unavailable"
    retryable = True


class EngineCrashed(DsocrError):
    """The engine crashed while it read this page."""

    code = "engine_crash"
    retryable = True


class RemoteFailed(DsocrError):
    """The servers of the model failed to read this page."""

    code = "remote_failed"
    retryable = True


class BadCheckpoint(DsocrError):
    """The weights folder is incomplete or not a DeepSeek-OCR checkpoint."""

    code = "bad_checkpoint"


class DiskFull(DsocrError):
    """There is no disk space left to store this."""

    code = "disk_full"
    retryable = True


class StoreUnavailable(DsocrError):
    """The database or the storage of jobs cannot be reached now."""

    code = "store_unavailable"
    retryable = True


class CannotListen(DsocrError):
    """The service cannot listen on that address."""

    code = "cannot_listen"

"""Responses of `/live`, `/ready`, `/health` and `/api/modes`."""

from __future__ import annotations

from pydantic import BaseModel, Field


class EngineWorker(BaseModel):
    """One worker process of the engine, which has one for each device."""

    device: str
    state: str = Field(
        description="starting (also while its process is replaced), ready, failed (it is started "
        "again) or stopped"
    )
    trouble: str = Field(description="Why it cannot read at present; empty when it can")
    pages: int = Field(description="Pages in flight: being read, or waiting for it")
    restarts: int = Field(description="Processes that were replaced")


class ProgressAnswer(BaseModel):
    """How far the start of the engine is."""

    stage: str = Field(description="What is being done, such as `loading weights`")
    done: int
    total: int = Field(description="0 where the stage is not counted")
    unit: str = Field(description="Of both numbers; empty for a count")


class EngineState(BaseModel):
    """The selected engine, and why it was selected."""

    name: str
    model: str | None
    device: str | None
    state: str = Field(description="starting, ready, failed, stopped or idle")
    reason: str
    advice: str = Field(description="How to get a better engine; empty if there is none")
    trouble: str = Field(description="Why it cannot read at present; empty when it can")
    progress: ProgressAnswer | None = Field(
        description="How far the start is; null when it is not starting, or does not say"
    )
    details: dict[str, str]
    workers: list[EngineWorker] = Field(
        description="One for each device; empty before the engine is started"
    )
    tasks: list[str] | None = Field(
        description="Supported tasks, `custom`: any prompt; null until it is ready"
    )


class ModelState(BaseModel):
    name: str
    state: str = Field(description="idle: its next page starts it")
    trouble: str


class QueueState(BaseModel):
    running: int
    waiting: int
    maxRequests: int
    jobs: int = Field(description="Running and queued jobs of all owners")


class LimitInEffect(BaseModel):
    value: int | float
    reason: str = Field(description="What determines it, such as `16 cores`; `set`: a setting")


class LimitsInEffect(BaseModel):
    """Limits that follow the machine and the engine, unless a setting fixes them."""

    decoders: LimitInEffect = Field(description="Decoding processes")
    requests: LimitInEffect = Field(description="Documents admitted at once to `/api/ocr`")
    queueMb: LimitInEffect = Field(description="MiB of admitted uploads")
    connections: LimitInEffect
    jobUploads: LimitInEffect = Field(description="Jobs uploaded at once")
    runningJobs: LimitInEffect = Field(
        description="Jobs of one key read at once; long jobs fill the engine with fewer"
    )
    unfinishedJobs: LimitInEffect
    jobsPerKey: LimitInEffect = Field(description="Unfinished jobs of one key, where keys are set")


class Health(BaseModel):
    """A quick status check; 200 while the service runs. docling-serve's clients read `status`,
    MinerU's the fields with underscores, PaddleOCR's `errorCode` and `errorMsg`."""

    status: str
    modelLoaded: bool
    modes: list[str]
    engine: EngineState = Field(description="Of the default model")
    models: list[ModelState] = Field(description="All models of the service")
    queue: QueueState
    limits: LimitsInEffect
    version: str
    protocol_version: int = Field(description="Of MinerU's task API")
    queued_tasks: int = Field(description="Jobs by their state, as are the next three")
    processing_tasks: int
    completed_tasks: int
    failed_tasks: int
    max_concurrent_requests: int
    processing_window_size: int = Field(description="Pages that are read at once")
    errorCode: int
    errorMsg: str


class ModeAnswer(BaseModel):
    label: str
    description: str
    base_size: int
    image_size: int
    crop_mode: bool
    test_compress: bool
    speed: str
    quality: str


class AutoMode(BaseModel):
    """What `mode` takes beside `modes`: the mode is chosen for each page."""

    key: str
    label: str
    description: str


class TaskAnswer(BaseModel):
    key: str
    label: str
    prompt: str


class FormatAnswer(BaseModel):
    key: str
    label: str
    extension: str
    mediaType: str
    needs: list[str] = Field(description="What a result must have: `boxes`, `tables` or `images`")


class EngineAnswer(BaseModel):
    key: str
    state: str
    device: str | None
    reason: str


class ModelChoice(BaseModel):
    """A model that the field `model` of a request may name."""

    name: str
    engine: str
    model: str | None = Field(description="What it runs; null while that is not known")
    device: str | None = Field(description="Null until it is ready")
    state: str = Field(description="idle (its next page starts it), or as the engine's state")
    reason: str = Field(description="Why it cannot read at present; empty when it can")
    modes: list[str]
    visionTokens: dict[str, list[int]]
    tasks: list[str]
    default: bool = Field(description="Whether requests that name none use it")


class Limits(BaseModel):
    maxImageMb: int | float
    maxPages: int
    maxImageMegapixels: int | float
    maxPromptBytes: int
    maxOutputTokens: int
    maxJobMb: int | float
    maxJobPages: int
    maxJobFiles: int
    retentionDays: int | float = Field(description="How long a finished job is kept")


class Modes(BaseModel):
    """What clients can choose from."""

    defaultPrompt: str
    modes: dict[str, ModeAnswer]
    visionTokens: dict[str, list[int]] = Field(
        description="Vision tokens of a page by mode: one number, or the fewest and the most"
    )
    autoMode: AutoMode
    maxImageMb: int | float
    tasks: list[TaskAnswer]
    formats: list[FormatAnswer]
    engines: list[EngineAnswer]
    models: list[ModelChoice] = Field(description="One, or those of `DEEPSEEK_OCR_MODELS`")
    limits: Limits


class Live(BaseModel):
    status: str

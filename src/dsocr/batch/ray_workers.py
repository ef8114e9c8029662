"""Workers of a batch on a Ray cluster: each is a task, which Ray starts again if it is lost.

The workspace is the only state. A worker that is started again claims what is left, as any worker
does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsocr.batch.workspace.budget import TooManyErrors
from dsocr.batch.workspace.stores.store import open_store
from dsocr.batch.workspace.worker import Counts, RunConfig, run_worker
from dsocr.engines.base import EngineInfo
from dsocr.engines.ray.cluster import connect, restore_sigterm, start_call, unusable_cluster
from dsocr.engines.ray.config import RayConfig
from dsocr.engines.selection import EngineSelection
from dsocr.errors import DsocrError, EngineUnavailable
from dsocr.host import HostConfig, started_host

MAX_LOSSES = 20
"""A worker that is lost more often is given up. A page that kills workers is failed before."""
CANCEL_SECONDS = 20.0
"""So long workers that are cancelled may take to give their claims back."""


@dataclass(frozen=True, slots=True)
class RayRun:
    """What the workers of one command read, and with what."""

    workspace: str
    """A URL, or the absolute path of a folder that all machines share."""
    host: HostConfig
    config: RunConfig
    """Without a scan."""
    ray: RayConfig
    """`max_replicas` is the number of workers."""

    @property
    def resources(self) -> dict[str, float]:
        """What Ray reserves for a worker: GPUs for engines that use them."""
        has_gpu = self.host.engine in ("native", "auto")
        gpus = self.ray.gpus_per_replica if has_gpu else 0
        return {"num_cpus": self.ray.cpus_per_replica, "num_gpus": gpus}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended: without a message, the batch is complete."""

    message: str = ""
    over_budget: bool = False


class Workers:
    """The tasks of one command."""

    def __init__(self, tasks: list[Any]) -> None:
        self._running = tasks

    def wait(self) -> None:
        """Until one worker has found the batch complete. Raises `TooManyErrors` as soon as a
        worker does, and `EngineUnavailable` if all workers failed."""
        failure = ""
        while self._running:
            ended = self._next()
            if ended.over_budget:
                raise TooManyErrors(ended.message)
            if not ended.message:
                return
            failure = ended.message
        raise EngineUnavailable(failure)

    def _next(self) -> Ended:
        import ray

        [task], self._running = ray.wait(self._running)
        try:
            ended: Ended = ray.get(task)
        except ray.exceptions.RayError as error:
            return Ended(f"A worker on the Ray cluster failed: {type(error).__name__}.")
        return ended

    def cancel(self) -> None:
        """Workers that still run give their claims back."""
        import ray

        for task in self._running:
            ray.cancel(task)
        if self._running:
            ray.wait(self._running, num_returns=len(self._running), timeout=CANCEL_SECONDS)


@contextlib.contextmanager
def placed_workers(run: RayRun) -> Iterator[Workers]:
    """Starts the workers, and cancels those that still run at the end.

    Raises `EngineUnavailable` without Ray or its cluster, and if no machine has the GPUs.
    """
    owns_cluster = _connect(run.ray.address)
    import ray

    try:
        _check_gpus(run.resources["num_gpus"])
        task = ray.remote(_work).options(
            **run.resources, max_retries=MAX_LOSSES, scheduling_strategy="SPREAD"
        )
        workers = Workers([task.remote(run) for _ in range(run.ray.max_replicas)])
        try:
            yield workers
        finally:
            workers.cancel()
    finally:
        if owns_cluster:
            ray.shutdown()


def _connect(address: str) -> bool:
    """An interrupt ends the wait, which a call of Ray in this thread would not notice."""
    try:
        is_new = start_call(partial(connect, address)).result()
    except Exception as error:
        advice = ": check DEEPSEEK_OCR_RAY__ADDRESS and `ray status`"
        raise unusable_cluster(error, advice) from error
    restore_sigterm()
    return is_new


def _check_gpus(wanted: float) -> None:
    """A task that asks for what no machine has would wait without end."""
    import ray

    if wanted > ray.cluster_resources().get("GPU", 0):
        raise EngineUnavailable(
            f"The Ray cluster has less than {wanted:g} GPU for a worker: choose --engine ppocr, "
            "or set DEEPSEEK_OCR_RAY__GPUS_PER_REPLICA."
        )


def _work(run: RayRun) -> Ended:
    """Runs on the cluster. An error that Ray passes on has addresses and paths in it."""
    try:
        asyncio.run(_run_worker(run))
    except TooManyErrors as error:
        return Ended(error.message, over_budget=True)
    except DsocrError as error:
        return Ended(error.message)
    return Ended()


async def _run_worker(run: RayRun) -> None:
    async with started_host(run.host) as host:
        await run_worker(open_store(run.workspace), host, run.config, _NoObserver())


class _NoObserver:
    """Failures are in the workspace, where `dsocr batch status` reads them."""

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None:
        pass

    def page_done(self, counts: Counts) -> None:
        pass

    def document_done(self, counts: Counts) -> None:
        pass

    def failed(self, message: str) -> None:
        pass

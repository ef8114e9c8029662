"""A Ray cluster of several nodes on this machine, as `docs/deploy.md` says, and nothing shared."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 300
STARTED = b"Ray runtime started"
"""What `ray start` prints."""
SMALL = ("--num-cpus", "1", "--object-store-memory", "100000000")


@dataclass
class RayCluster:
    """Nodes, the first of which is the head."""

    folder: Path
    port: int
    dashboard_port: int
    environment: dict[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.dashboard_port}"

    def run(self, *command: str, seconds: float = START_SECONDS) -> str:
        """What the command printed. It must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start_node(self, *options: str) -> None:
        command = ["ray", "start", "--block", *SMALL, *options]
        with (self.folder / f"node-{len(self.nodes)}").open("wb") as log:
            self.nodes.append(
                subprocess.Popen(
                    command, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )
            )

    def wait_for(self, num_nodes: int) -> None:
        """One node after the other: several that start at once are slow on few cores."""
        log = self.folder / f"node-{len(self.nodes) - 1}"
        wait_until(lambda: STARTED in log.read_bytes(), seconds=START_SECONDS)
        wait_until(lambda: self.num_nodes() >= num_nodes, seconds=START_SECONDS)

    def num_nodes(self) -> int:
        """That are alive; 0 while the head is not started."""
        with contextlib.suppress(subprocess.SubprocessError):
            state = ("ray", "status", "--address", self.address)
            done = subprocess.run(
                state, env=self.environment, timeout=60, stdout=subprocess.PIPE, text=True
            )
            return done.stdout.partition("Pending:")[0].count(" node_")
        return 0

    def kill_node(self, number: int) -> None:
        """Its raylet, as if the machine were lost: its workers die with it."""
        os.kill(self.raylet(number), signal.SIGKILL)

    def raylet(self, number: int) -> int:
        for child in _children(self.nodes[number].pid):
            if Path(f"/proc/{child}/comm").read_text().strip() == "raylet":
                return child
        raise AssertionError("the node has no raylet")

    def stop(self) -> None:
        for node in reversed(self.nodes):
            node.send_signal(signal.SIGTERM)
        for node in reversed(self.nodes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(node.pid, signal.SIGKILL)
            node.wait()


@contextlib.contextmanager
def ray_cluster(num_nodes: int, programs: Path, **environment: str) -> Iterator[RayCluster]:
    """A cluster with a token of its own. `programs`: the folder of `ray` and `dsocr`.
    `environment`: settings of all processes."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        ports = _free_ports(2)
        settings = {
            **os.environ,
            "HOME": name,  # where Ray keeps the token
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "300",
            **environment,
        }
        cluster = RayCluster(Path(name), *ports, settings)
        cluster.run("ray", "get-auth-token", "--generate")
        try:
            cluster.start_node(
                *("--head", "--port", str(cluster.port), "--temp-dir", name),
                *("--dashboard-port", str(cluster.dashboard_port)),
            )
            cluster.wait_for(1)
            for number in range(2, num_nodes + 1):
                cluster.start_node("--address", cluster.address)
                cluster.wait_for(number)
            yield cluster
        finally:
            cluster.stop()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]

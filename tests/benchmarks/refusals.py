"""How long a listing takes behind nginx, which limits requests and answers 429, with little more.

nginx allows 50 requests a second and a burst of 10. Beside ours runs a plain client of 16 workers,
each of which backs off by itself and, if `BENCHMARK_BEFORE` names a checkout of an earlier commit,
its client. The ideal is the time in which the limit lets that many requests pass.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from tests.benchmarks import _peers
from tests.benchmarks._plots import COLOURS, OTHER
from tests.benchmarks._processes import ROOT, Platforms, platforms
from tests.benchmarks._report import Report
from tests.benchmarks._server import Account

RATE, BURST = 50, 10
PAGE_LIMIT = 10
BEFORE = "the build before"

CASES = {"no Retry-After": None, "Retry-After: 1": "1", "Retry-After: 0": "0"}

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
    log_format times "$msec $status";
    access_log {folder}/access.log times;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $server_port zone=account:1m rate={rate}r/s;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            limit_req zone=account burst={burst} nodelay;
            error_page 429 @refused;
            proxy_pass http://{upstream};
        }}
        location @refused {{ {header} return 429; }}
    }}
}}
"""


@attrs.frozen
class Run:
    """What nginx has logged of one listing."""

    seconds: float
    asked: Sequence[tuple[float, int]]
    """When each request was answered, in seconds since the first, and its status."""

    @property
    def refused(self) -> int:
        return sum(status == 429 for _, status in self.asked)


def main(report: Report) -> None:
    """Print how many times the ideal each client took, and how often it was refused."""
    if shutil.which("nginx") is None:
        report.say("There is no nginx on this machine: not measured.")
        return
    pages = report.either(500, 30)
    ideal = (pages - BURST - 1) / RATE
    runs: dict[str, dict[str, Run]] = {}
    with platforms(Account(pages * PAGE_LIMIT)) as served:
        for case, header in CASES.items():
            runs[case] = {
                peer: _run(served, peer, ROOT, header)
                for peer in (_peers.ITERATED, _peers.BACKING_OFF)
            }
            if before := os.environ.get("BENCHMARK_BEFORE"):
                runs[case][BEFORE] = _run(served, _peers.ITERATED, Path(before), header)
    report.table(
        f"Listing {pages} pages through nginx: {RATE} requests a second, burst {BURST}; "
        f"ideal {ideal:.1f} s",
        ("client", "429 says", "seconds", "times the ideal", "refused (429)"),
        [
            (peer, case, f"{run.seconds:.1f}", f"{run.seconds / ideal:.2f}", run.refused)
            for case, measured in runs.items()
            for peer, run in measured.items()
        ],
    )
    for case, measured in runs.items():
        ours, plain = measured[_peers.ITERATED], measured[_peers.BACKING_OFF]
        most = 1.15 if CASES[case] is None else 1.2
        report.judge(f"time behind nginx, {case}", ours.seconds / ideal, at_most=most)
        if CASES[case] is None:
            report.judge("time of a plain client's", ours.seconds / plain.seconds, at_most=1)
            share = ours.refused / max(plain.refused, 1)
            report.judge("refusals of a plain client's", share, at_most=0.25)
    _draw(report, runs["no Retry-After"])


def _draw(report: Report, measured: dict[str, Run]) -> None:
    longest = 2 * max(measured[peer].seconds for peer in (_peers.ITERATED, _peers.BACKING_OFF))
    with report.plot("refusals", height=3.6) as axes:
        for peer, run in measured.items():
            colour = COLOURS.get(peer, OTHER)
            for wanted, style, what in ((200, "-", "passed"), (429, ":", "refused")):
                times = [at for at, status in run.asked if status == wanted and at <= longest]
                axes.step(
                    times,
                    range(1, len(times) + 1),
                    where="post",
                    color=colour,
                    linestyle=style,
                    label=f"{peer}: {what}",
                )
        axes.set_xlabel("seconds since the first request")
        axes.set_ylabel("requests")
        axes.grid(color="#e5e7eb")
        axes.legend(frameon=False, fontsize=8)


def _run(served: Platforms, peer: str, folder: Path, header: str | None) -> Run:
    upstream = served.urls[0].removeprefix("http://").partition("/")[0]
    path = served.urls[0].removeprefix(f"http://{upstream}")
    with _nginx(upstream, header) as (address, log):
        measured = served.measure(
            peer,
            page_limit=PAGE_LIMIT,
            base_url=f"http://{address}{path}",
            folder=folder,
        )
        if measured.failure is not None:
            raise RuntimeError(f"{peer} failed: {measured.failure}")
    lines = [line.split() for line in log.read_text().splitlines()]
    times = [(float(at), int(status)) for at, status in lines]
    log.unlink()
    return Run(measured.wall[0], [(at - times[0][0], status) for at, status in times])


@contextmanager
def _nginx(upstream: str, retry_after: str | None) -> Iterator[tuple[str, Path]]:
    """Run nginx in front of a platform; give its address and its log, whole after the block."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    header = "" if retry_after is None else f"add_header Retry-After {retry_after} always;"
    (folder / "nginx.conf").write_text(
        CONFIGURATION.format(
            folder=folder, port=port, upstream=upstream, header=header, rate=RATE, burst=BURST
        )
    )
    process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    )
    try:
        _await(port)
        log = Path(tempfile.mkstemp()[1])
        yield f"127.0.0.1:{port}", log
        process.terminate()
        process.wait()
        log.write_text((folder / "access.log").read_text())
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _await(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not start")

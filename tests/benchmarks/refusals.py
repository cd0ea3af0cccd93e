"""How long a listing takes behind nginx, which limits requests and answers 429, with little more.

nginx allows 50 requests a second and a burst of 10. Beside ours runs a plain client of 16 workers,
each of which backs off by itself and, if `BENCHMARK_BEFORE` names a checkout of an earlier commit,
its client. The ideal is the time in which the limit lets one request for each page pass. Ours
may need fewer, since between two stamps it reads larger pages; so the requests that passed, and the
ideal for as many, stand beside it.

Then several of our clients share the limit without knowing of each other, the limit changes while
listings run, and the embedded platform allows the documented 60 requests a minute.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
PER_MINUTE = 60
BEFORE = "the build before"
FOUR = "twelvetasks, four processes"

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
    """What nginx has logged of one listing, or of several at the same time."""

    seconds: float
    began: float
    """When the first request was answered, in epoch seconds."""
    asked: Sequence[tuple[float, int]]
    """When each request was answered, in seconds since the first, and its status."""

    @property
    def refused(self) -> int:
        return sum(status == 429 for _, status in self.asked)

    @property
    def passed(self) -> int:
        return sum(status == 200 for _, status in self.asked)

    @property
    def times(self) -> float:
        """How many times as long as the limit takes to let its own requests pass, one client's."""
        return self.seconds * RATE / max(self.passed - BURST - 1, 1)

    def passed_between(self, start: float, end: float) -> int:
        """Return how many requests passed between two times, in epoch seconds."""
        return sum(status == 200 and start <= self.began + at < end for at, status in self.asked)


def main(report: Report) -> None:
    """Print how many times the ideal each client took, and how often it was refused."""
    if shutil.which("nginx") is None:
        report.say("There is no nginx on this machine: not measured.")
        return
    pages, few, documented = report.either((500, 200, 150), (30, 20, 5))
    accounts = (
        Account(pages * PAGE_LIMIT),
        Account(few * PAGE_LIMIT),
        Account(documented * PAGE_LIMIT, per_minute=PER_MINUTE),
    )
    before = os.environ.get("BENCHMARK_BEFORE")
    # All of these wait most of the time, so the slow ones may run beside the others.
    with platforms(*accounts) as served, ThreadPoolExecutor() as beside:
        slow = {
            case: beside.submit(_run, served, _peers.ITERATED, header, folder=Path(before))
            for case, header in CASES.items()
            if before
        }
        minutes = beside.submit(served.measure, _peers.ITERATED, account=2, page_limit=PAGE_LIMIT)
        runs = {
            case: {
                peer: _run(served, peer, header) for peer in (_peers.ITERATED, _peers.BACKING_OFF)
            }
            for case, header in CASES.items()
        }
        shared = {
            (_peers.TWO_SESSIONS, "no Retry-After", 2, few): _run(
                served, _peers.TWO_SESSIONS, None, account=1
            ),
            (FOUR, "no Retry-After", 4, few): _run(
                served, _peers.ITERATED, None, account=1, processes=4
            ),
            (FOUR, "Retry-After: 1", 4, pages): _run(served, _peers.ITERATED, "1", processes=4),
        }
        if not report.quick:
            changed = {factor: _changed(served, factor) for factor in (0.5, 2.0)}
        else:
            changed = {}
        for case, run in slow.items():
            runs[case][BEFORE] = run.result()
        measured = minutes.result()
    _tell(report, runs, pages)
    _tell_shared(report, shared)
    for factor, share in changed.items():
        report.judge(
            f"share used 10 s after the limit became {factor:g} times", share, at_least=0.9
        )
    _tell_documented(report, documented, measured.wall[0], served.requests[2])
    _draw(report, runs["no Retry-After"])


def _tell(report: Report, runs: dict[str, dict[str, Run]], pages: int) -> None:
    ideal = (pages - BURST - 1) / RATE
    report.table(
        f"Listing {pages} pages through nginx: {RATE} requests a second, burst {BURST}; "
        f"ideal {ideal:.1f} s",
        (
            "client",
            "429 says",
            "seconds",
            "times the ideal",
            "passed (200)",
            "times the ideal of what passed",
            "refused (429)",
        ),
        [
            (
                peer,
                case,
                f"{run.seconds:.1f}",
                f"{run.seconds / ideal:.2f}",
                run.passed,
                f"{run.times:.2f}",
                run.refused,
            )
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


def _tell_shared(report: Report, shared: dict[tuple[str, str, int, int], Run]) -> None:
    rows = []
    for (clients, case, number, pages), run in shared.items():
        times = run.seconds * RATE / (number * pages - BURST - 1)
        rows.append((clients, case, pages, f"{run.seconds:.1f}", f"{times:.2f}", run.refused))
        report.judge(f"time of {clients.partition(', ')[2]}, {case}", times, at_most=1.4)
    report.table(
        "Sharing the limit without knowing of each other",
        (
            "clients",
            "429 says",
            "pages each",
            "seconds until all are done",
            "times the ideal",
            "refused (429)",
        ),
        rows,
    )


def _tell_documented(
    report: Report, pages: int, seconds: float, asked: Sequence[tuple[float, int | None]]
) -> None:
    """Judge a listing under the documented limit, of which 60 s after the first are a window."""
    ideal = (pages - 1) // PER_MINUTE * 60.0
    refused = sum(status == 429 for _, status in asked)
    report.say(
        f"Listing {pages} pages under {PER_MINUTE} a minute, which answers announce: "
        f"{seconds:.1f} s, ideal {ideal:.0f} s, {len(asked)} requests, {refused} refused."
    )
    if ideal:
        report.judge(f"time under {PER_MINUTE} a minute", seconds / ideal, at_most=1.05)
    report.judge(f"refusals under {PER_MINUTE} a minute", refused, at_most=1, unit="")


def _changed(served: Platforms, factor: float) -> float:
    """Change the limit while listings run; return the share that is used from 10 s to 15 s on."""
    with ThreadPoolExecutor() as beside, _nginx(served, None) as front:
        listing = beside.submit(
            served.measure,
            _peers.ITERATED,
            page_limit=PAGE_LIMIT,
            base_url=front.url,
            seconds=25.0,
        )
        time.sleep(6.0)
        front.set_rate(round(RATE * factor))
        at = time.time()
        listing.result()
    return front.run(25.0).passed_between(at + 10, at + 15) / (5 * RATE * factor)


def _draw(report: Report, measured: dict[str, Run]) -> None:
    longest = 2 * max(measured[peer].seconds for peer in (_peers.ITERATED, _peers.BACKING_OFF))
    with report.plot("refusals", height=3.6) as axes:
        for peer, run in reversed(measured.items()):  # ours on top
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


def _run(
    served: Platforms,
    peer: str,
    header: str | None,
    *,
    account: int = 0,
    processes: int = 1,
    folder: Path = ROOT,
) -> Run:
    with ThreadPoolExecutor() as beside, _nginx(served, header, account) as front:
        listings = [
            beside.submit(
                served.measure, peer, page_limit=PAGE_LIMIT, base_url=front.url, folder=folder
            )
            for _ in range(processes)
        ]
        for listing in listings:
            if failure := listing.result().failure:
                raise RuntimeError(f"{peer} failed: {failure}")
    # Processes do not start together: what counts is the time from the first to the last answer.
    run = front.run(listings[0].result().wall[0])
    return run if processes == 1 else attrs.evolve(run, seconds=run.asked[-1][0])


@attrs.define
class _Front:
    """An nginx in front of a platform."""

    folder: Path
    port: int
    upstream: str
    header: str
    process: subprocess.Popen[bytes] | None = None
    log: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.upstream[self.upstream.index('/') :]}"

    def set_rate(self, rate: int) -> None:
        """Write the configuration, and let a process that runs read it."""
        (self.folder / "nginx.conf").write_text(
            CONFIGURATION.format(
                folder=self.folder,
                port=self.port,
                upstream=self.upstream.partition("/")[0],
                header=self.header,
                rate=rate,
                burst=BURST,
            )
        )
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def run(self, seconds: float) -> Run:
        """Return what it has logged, once it has stopped."""
        lines = sorted(
            (float(at), int(status)) for at, status in map(str.split, self.log.splitlines())
        )
        began = lines[0][0]
        return Run(seconds, began, [(at - began, status) for at, status in lines])


@contextmanager
def _nginx(served: Platforms, retry_after: str | None, account: int = 0) -> Iterator[_Front]:
    """Run nginx in front of a platform; its log is whole after the block."""
    folder = Path(tempfile.mkdtemp(prefix="nginx-"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    header = "" if retry_after is None else f"add_header Retry-After {retry_after} always;"
    front = _Front(folder, port, served.urls[account].removeprefix("http://"), header)
    front.set_rate(RATE)
    front.process = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    )
    try:
        _await(port)
        yield front
        front.process.terminate()
        front.process.wait()
        front.log = (folder / "access.log").read_text()
    finally:
        front.process.kill()
        front.process.wait()
        shutil.rmtree(folder)


def _await(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not start")

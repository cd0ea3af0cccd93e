"""A real PostgreSQL in a folder of its own, with pgbench's clients as writers.

`psql` is the driver, through a pipe: it comes with the server, so nothing else is installed.
PostgreSQL refuses to run as root; then it runs as `nobody`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs

PRIMARY = 5432
REPLICA = 5433
"""Ports only name the sockets: no server listens on the network."""

_END = "no more rows"
_SETTINGS = "-c listen_addresses= -c fsync=off -c synchronous_commit=off -c max_connections=60"


def programs() -> Path | None:
    """Return the folder of initdb, pg_ctl, psql and pgbench; None if one of them is missing."""
    installed = shutil.which("initdb")
    folders = [] if installed is None else [Path(installed).resolve().parent]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    names = ("initdb", "pg_basebackup", "pg_ctl", "psql", "pgbench")
    return next((one for one in folders if all((one / name).exists() for name in names)), None)


@attrs.define(eq=False)
class Connection:
    """One session of the database."""

    _process: asyncio.subprocess.Process

    async def ask(self, statements: str) -> list[str]:
        """Run statements; return the rows of all, as psql prints them."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{statements}\n\\echo {_END}\n".encode())
        await process.stdin.drain()
        rows: list[str] = []
        while (line := await process.stdout.readline()) != f"{_END}\n".encode():
            assert line, f"psql ended: {rows}"
            rows.append(line.decode().rstrip("\n"))
        return rows


@attrs.define(eq=False)
class Cluster:
    """A running server."""

    folder: Path
    _programs: Path
    _user: str | None

    @asynccontextmanager
    async def connected(self, port: int = PRIMARY) -> AsyncIterator[Connection]:
        """Open a session of the database."""
        process = await asyncio.create_subprocess_exec(
            *self._command("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-p", str(port)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            limit=2**24,
            user=self._user,
        )
        try:
            yield Connection(process)
        finally:
            # All that it was asked has been answered.
            process.kill()
            await process.communicate()

    @asynccontextmanager
    async def written(
        self, scripts: Sequence[str], *, clients: int, rate: float
    ) -> AsyncIterator[None]:
        """Let clients of pgbench run these scripts, chosen at random, so many in each second."""
        if not scripts:
            yield
            return
        files: list[str] = []
        for number, script in enumerate(scripts):
            file = self.folder / f"writer-{number}.sql"
            file.write_text(script, "utf-8")
            files += ["-f", str(file)]
        process = await asyncio.create_subprocess_exec(
            *self._command("pgbench", "-n", "-T", "86400", "-R", str(rate), "-c", str(clients)),
            *files,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            user=self._user,
        )
        try:
            yield
            assert process.returncode is None, "pgbench has ended"
        finally:
            if process.returncode is None:
                process.kill()
            _, said = await process.communicate()
        assert b"ERROR" not in said, said.decode()

    def _command(self, program: str, *arguments: str) -> list[str]:
        where = ("-h", str(self.folder), "-U", "tests")
        database = ("-d", "postgres") if program == "psql" else ("postgres",)
        return [str(self._programs / program), *where, *arguments, *database]

    @contextmanager
    def replicated(self, lag: str) -> Iterator[None]:
        """Run a second server, at the port `REPLICA`, that shows each change so much later."""
        folder = self.folder / "replica"
        self._finish("pg_basebackup", "-h", self.folder, "-U", "tests", "-R", "-D", folder)
        settings = f"port={REPLICA}\nrecovery_min_apply_delay='{lag}'\n"
        with (folder / "postgresql.auto.conf").open("a") as file:
            file.write(settings)
        try:
            with self._started(folder):
                yield
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def _started(self, folder: Path) -> Iterator[None]:
        options = f"-k {self.folder} {_SETTINGS}"
        log = folder.with_suffix(".log")
        self._finish("pg_ctl", "start", "-w", "-D", folder, "-l", log, "-o", options)
        try:
            yield
        finally:
            self._finish("pg_ctl", "stop", "-m", "immediate", "-D", folder)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server with an empty database."""
        folder = self.folder / "data"
        options = ("--auth=trust", "--username=tests", "--no-sync", "--encoding=UTF8")
        self._finish("initdb", *options, "-D", folder)
        with self._started(folder):
            yield

    def _finish(self, program: str, *arguments: str | Path) -> None:
        """Run one of the server's own programs to its end."""
        with tempfile.TemporaryFile() as output:
            # The server keeps what it inherits: a pipe would never be seen to end.
            done = subprocess.run(
                [self._programs / program, *arguments],
                check=False,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                user=self._user,
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()


@contextmanager
def running(programs: Path) -> Iterator[Cluster]:
    """Run a server with an empty database."""
    user: str | None = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        cluster = Cluster(folder, programs, user)
        with cluster.running():
            yield cluster

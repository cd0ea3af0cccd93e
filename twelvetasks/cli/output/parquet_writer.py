"""Tasks as a Parquet file (extra `arrow`), in the schema of `twelvetasks.frames`.

Row groups are written as they fill, so that memory does not grow with the listing. The end of the
file is its index: a part of one cannot be read, nor added to.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 10_000
"""Tasks in a row group: what is held in memory at most."""


class ParquetWriter:
    """Row groups of items. Raises click.ClickException without the extra."""

    def __init__(self, file: IO[bytes], model: Any, columns: tuple[str, ...] | None = None) -> None:
        try:
            from pyarrow.parquet import ParquetWriter as ArrowWriter  # noqa: PLC0415 - an extra

            from twelvetasks import frames  # noqa: PLC0415 - the same
        except ImportError as missing:
            if (missing.name or "").partition(".")[0] != "pyarrow":
                raise
            raise click.ClickException(
                "--format parquet needs an extra: pip install 'twelvetasks[arrow]'"
            ) from None
        self._batch_of = functools.partial(frames.batch_of, model)
        self._columns = columns
        self._held: list[Any] = []
        schema = self._chosen(self._batch_of([])).schema
        self._stream = _Stream(file)
        with self._stream.open():
            file_like: Any = self._stream
            self._writer: Any = ArrowWriter(file_like, schema)

    def write(self, items: tuple[Any, ...]) -> None:
        """Hold them, and write a row group whenever there are enough for one."""
        self._held.extend(items)
        while len(self._held) >= ROW_GROUP:
            self._write_group(self._held[:ROW_GROUP])
            del self._held[:ROW_GROUP]

    def finish(self) -> None:
        """Write the last row group and the index."""
        if self._held:
            self._write_group(self._held)
        with self._stream.open():
            self._writer.close()

    def _write_group(self, items: list[Any]) -> None:
        with self._stream.open():
            self._writer.write_batch(self._chosen(self._batch_of(items)))

    def _chosen(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._columns is None:
            return batch
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import compute  # noqa: PLC0415 - the same

        arrays, fields = [], []
        for name in self._columns:
            outer, _, inner = name.partition(".")
            held, field = batch.column(outer), batch.schema.field(outer)
            if inner:
                held = compute.struct_field(held, inner)
                field = pa.field(name, held.type)
            arrays.append(held)
            fields.append(field)
        return pa.record_batch(arrays, schema=pa.schema(fields))


class _Stream(io.RawIOBase):
    """The file as pyarrow needs it: with a position, which a pipe does not have.

    It accepts data only while it is `open`: an abandoned writer still writes the index when it is
    garbage-collected, and then an incomplete file would look complete.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._place = 0
        self._taking = False

    @contextmanager
    def open(self) -> Iterator[None]:
        self._taking = True
        try:
            yield
            self._file.flush()
        finally:
            self._taking = False

    def write(self, data: Any, /) -> int:
        if self._taking:
            self._file.write(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def writable(self) -> bool:
        return True

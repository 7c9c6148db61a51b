"""When the lines of a log were printed: a file beside it, and how it is written and read. Leaf.

A head, and then a record for each piece that was written to the log: at which offset it begins, and the
wall clock in milliseconds. What was written within one millisecond shares a record. A record is written
before its piece: whoever is killed in between leaves one that the next record for the same offset takes
the place of. Whatever makes the times of a piece doubtful makes them unknown: they are never guessed.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, overload

from supervisor.errors import PortsupError
from supervisor.log_files import GAP_MAX, OLDEST, open_log_file
from supervisor.paths import line_times, rotated_log
from supervisor.private import open_log

HEAD = struct.Struct("<8sQ")
"""What kind of file this is, and the inode of its log: one whose log was replaced is about another."""
MAGIC = b"PSTIMES1"
RECORD = struct.Struct("<QQ")

LATEST = 253_402_300_799_000
"""Milliseconds: the end of the year 9999, where calendars end that we can write."""

AT_ONCE = 256
"""Records that are read at a time."""


class Record(NamedTuple):
    offset: int
    time: int
    """Milliseconds since 1970."""


class TimesWriter:
    """Beside one log file that is open for writing. What goes wrong makes times unknown and is no error."""

    def __init__(self, log: Path, inode: int) -> None:
        self._log = log
        self._inode = inode
        self._fd: int | None = None
        self._last = 0

    def add(self, offset: int, time: int) -> None:
        """What is written at `offset` from now on is of `time`, in milliseconds since 1970."""
        try:
            if self._fd is None:
                self._fd = self._open(offset)
            if offset < self._last:  # the log was truncated
                self._begin(self._fd)
            self._last = offset
            _write(self._fd, RECORD.pack(offset, time))
        except (OSError, PortsupError):
            self._forget()

    def _open(self, offset: int) -> int:
        """Goes on where an earlier writer stopped, if what it left is about this log."""
        path = line_times(self._log)
        fd = open_log(path)
        try:
            records = self._usable(path, offset)
            if records is None:
                self._begin(fd)
            else:
                os.ftruncate(fd, HEAD.size + len(records) * RECORD.size)  # without half a record
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _usable(self, path: Path, offset: int) -> Records | None:
        reader = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            records = Records(reader)
            fits = records.inode == self._inode and (not len(records) or records[-1].offset <= offset)
            return records if fits else None
        finally:
            os.close(reader)

    def _begin(self, fd: int) -> None:
        os.ftruncate(fd, 0)
        _write(fd, HEAD.pack(MAGIC, self._inode))

    def _forget(self) -> None:
        """A piece without a record would have the time of the one before: take away all of them."""
        with suppress(OSError):
            if self._fd is not None:
                os.ftruncate(self._fd, 0)
        self.close()
        with suppress(OSError):
            line_times(self._log).unlink()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _write(fd: int, data: bytes) -> None:
    """Raises OSError also if only a part fits."""
    if os.write(fd, data) != len(data):
        raise OSError("no room")


class Records(Sequence[Record]):
    """The whole records of an open file, read where they are looked at. `len` is that of its opening."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        head = os.pread(fd, HEAD.size, 0)
        known = len(head) == HEAD.size and head.startswith(MAGIC)
        self.inode = HEAD.unpack(head)[1] if known else None
        """Of the log; None if this isn't such a file."""
        size = os.fstat(fd).st_size if known else HEAD.size
        self._length = max(0, size - HEAD.size) // RECORD.size

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return self._read(start, max(stop - start, 0))
        (record,) = self._read(range(len(self))[index], 1)
        return record

    def _read(self, start: int, amount: int) -> list[Record]:
        data = os.pread(self._fd, amount * RECORD.size, HEAD.size + start * RECORD.size)
        whole = len(data) - len(data) % RECORD.size
        return [Record(*fields) for fields in RECORD.iter_unpack(data[:whole])]

    def between(self, start: int, end: int) -> Iterator[Record]:
        """The one that covers offset `start`, and those that begin before `end`."""
        at = max(bisect_right(self, start, key=_offset) - 1, 0)
        while records := self[at : at + AT_ONCE]:
            for record in records:
                if record.offset >= end:
                    return
                yield record
            at += len(records)


def _offset(record: Record) -> int:
    return record.offset


class LineTimes:
    """The times of one log file that is open for reading, and may be written to and rotated meanwhile."""

    def __init__(self, log: Path, fd: int, owner: int | None = None) -> None:
        """`log`: the name that it had before any rotation; `fd` is the file's, and not owned. With `owner`,
        times that aren't that user's are unknown."""
        self._log = log
        self._fd = fd
        self._owner = owner
        self._times: int | None = None

    def pieces(self, offset: int, length: int) -> Iterator[tuple[int | None, int]]:
        """What stands in the log from `offset` on, as times and lengths of consecutive pieces.

        To be asked when it was read from the log: only then its record is surely written. A time is in
        milliseconds since 1970, or None where it isn't known.
        """
        try:
            records = self._records()
            marks = [] if records is None else list(records.between(offset, offset + length))
        except (OSError, IndexError, ValueError):  # it is being truncated
            marks = []
        return _cut(marks if _plausible(marks) else [], offset, offset + length)

    def since(self, time: int) -> int | None:
        """At which offset begins what is known to be of `time` or later; None if no time is known.

        Found by halving: where the wall clock was set back, any of the places that fit.
        """
        try:
            records = self._records()
            if records is None or not len(records):
                return None
            at = bisect_left(records, time, key=lambda record: record.time)
            return records[at].offset if at < len(records) else os.fstat(self._fd).st_size
        except (OSError, IndexError, ValueError):
            return None

    @property
    def known_from(self) -> int | None:
        """The offset from which on times are known; None if none is."""
        try:
            records = self._records()
            return records[0].offset if records else None
        except (OSError, IndexError, ValueError):
            return None

    def _records(self) -> Records | None:
        """Those of now; None if there are none for this file."""
        if self._times is not None and not os.fstat(self._times).st_nlink:
            self.close()  # deleted: what came after that has its times elsewhere, or nowhere
        if self._times is None:
            self._times = self._find()
        if self._times is None:
            return None
        records = Records(self._times)
        inode = os.fstat(self._fd).st_ino
        if records.inode != inode:  # emptied: the next ones may have another file
            self.close()
            return None
        # The log is looked at last: it grows after its records do.
        stale = len(records) and records[-1].offset > os.fstat(self._fd).st_size
        return None if stale else records

    def _find(self) -> int | None:
        """A rotation takes it on to a higher number, perhaps sooner or later than its log."""
        inode = os.fstat(self._fd).st_ino
        age = missing = 0
        while missing <= GAP_MAX and age <= OLDEST:
            try:
                fd = open_log_file(line_times(rotated_log(self._log, age)), self._owner)
            except PortsupError:  # it can't be read, or it is a pipe
                fd = None
            if fd is None:
                missing += 1
            else:
                missing = 0
                if Records(fd).inode == inode:
                    return fd
                os.close(fd)
            age += 1
        return None

    def close(self) -> None:
        if self._times is not None:
            os.close(self._times)
            self._times = None


def _plausible(marks: Sequence[Record]) -> bool:
    """Whether they can have been written by a TimesWriter."""
    ordered = all(one.offset <= other.offset for one, other in pairwise(marks))
    return ordered and all(mark.time <= LATEST for mark in marks)


def _cut(marks: Sequence[Record], start: int, end: int) -> Iterator[tuple[int | None, int]]:
    time = None
    for mark in marks:
        if mark.offset > start:
            yield time, mark.offset - start
            start = mark.offset
        time = mark.time
    if end > start:
        yield time, end - start

"""One SQLite file, its one connection, its transactions, and what becomes of a file that cannot be used.

The law: what cannot be read is set aside under another name and kept; what a newer version or another program
wrote is left as it is. Nothing is opened before it is needed, and a fault of one call is not a fault of the next.
One thread alone may use a ``Database``; only ``state`` may be read from others.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from ..errors import StoreUnavailable
from .schema import APPLICATION_ID, MIGRATIONS, Migration

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

READ: Final = "BEGIN"
WRITE: Final = "BEGIN IMMEDIATE"

CHECKED_BYTES: Final = 32 * 2**20
"""Files up to this size are checked whole when opened (about 0.1 s); in larger ones damage is met on the way."""

# Python 3.10 has no ``sqlite_errorcode``: SQLite's own messages are matched.
_DAMAGE: Final = ("malformed", "not a database", "no such table", "no such column", "unsupported file format")
_PASSING: Final = ("locked", "full")
_SIDE_FILES: Final = ("-journal", "-wal", "-shm")


class State(NamedTuple):
    """How the file is: ``reset`` says that a damaged one was set aside, ``newer`` that a later version wrote it."""

    name: Literal["ok", "unavailable", "reset", "newer"]
    detail: str = ""


class Refused(Exception):
    """The file must not be used as it is; it was left untouched."""

    def __init__(self, state: State, hint: str = "") -> None:
        super().__init__(state.detail)
        self.state = state
        self.hint = hint


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str = WRITE) -> Iterator[None]:
    """All or nothing: committed at the end, rolled back when anything is raised."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the tables to the newest version; each version is one transaction, so a crash leaves the one before."""
    for version, statements in enumerate(migrations, start=1):
        if user_version(connection) < version:
            _migrate_to(connection, version, statements)


def _migrate_to(connection: sqlite3.Connection, version: int, statements: Migration) -> None:
    with transaction(connection):
        if user_version(connection) >= version:
            return  # another server was faster
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")


def user_version(connection: sqlite3.Connection) -> int:
    """The version of the tables; 0 in a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


class Database:
    """One file (``:memory:`` when ``path`` is None), opened at the first call and again after a fault.

    ``busy_timeout`` in seconds; ``max_bytes`` is the most the file may grow to, None for no limit.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
        clock: Callable[[], float],
        busy_timeout: float,
        max_bytes: int | None = None,
    ) -> None:
        self._path = path
        self._log = log
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._reset: State | None = None
        self._trouble: tuple[str, State] | None = None

    @property
    def state(self) -> State:
        """``unavailable`` and ``newer`` while calls fail; ``reset`` until the next start; else ``ok``."""
        if self._trouble is not None:
            return self._trouble[1]
        return self._reset or State("ok")

    def read(self, job: Job[T]) -> T:
        """What ``job`` returns, which sees one moment of the file; raises ``StoreUnavailable``."""
        return self._call(READ, job)

    def write(self, job: Job[T]) -> T:
        """What ``job`` returns, once what it wrote is on disk; raises ``StoreUnavailable`` with nothing written."""
        return self._call(WRITE, job)

    def close(self) -> None:
        """Close the file; a later call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ------------------------------------------------------------ a call, its second try, its failure

    def _call(self, begin: str, job: Job[T]) -> T:
        try:
            result = self._attempt_twice(begin, job)
        except Refused as exc:
            raise self._failed(begin, exc.state, exc.hint) from exc
        except (sqlite3.Error, OSError) as exc:
            raise self._failed(begin, State("unavailable", explain(exc))) from exc
        self._succeeded(begin)
        return result

    def _attempt_twice(self, begin: str, job: Job[T]) -> T:
        try:
            return self._attempt(begin, job)
        except sqlite3.Error as exc:
            if not self._mended(exc):
                raise
        return self._attempt(begin, job)

    def _attempt(self, begin: str, job: Job[T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            with transaction(self._connection, begin):
                return job(self._connection)
        except UnicodeDecodeError as exc:
            # sqlite3 could not even decode SQLite's message, which quotes the damaged schema.
            raise sqlite3.DatabaseError("database disk image is malformed") from exc

    def _mended(self, exc: sqlite3.Error) -> bool:
        """Whether a second try makes sense: the file was set aside, or is no longer the one that was opened."""
        if self._path is None:
            return False
        moved = self._identity is not None and _identity(self._path) != self._identity
        if moved or not _has(exc, _PASSING):
            self.close()
        if not moved and is_damage(exc):
            self._set_aside(self._path)
            return True
        return moved

    def _failed(self, begin: str, state: State, hint: str = "") -> StoreUnavailable:
        if self._trouble is None or self._trouble[1] != state:
            self._log.warning("conversations: %s", state.detail)
        self._trouble = (begin, state)
        return StoreUnavailable(state.detail, hint)

    def _succeeded(self, begin: str) -> None:
        """A read that works says nothing about writes: on a full disk reads go on working."""
        if self._trouble is not None and begin in (WRITE, self._trouble[0]):
            self._trouble = None
            self._log.info("conversations: available again")

    # ------------------------------------------------------------ opening

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            _prepare(self._path)
        connection = sqlite3.connect(self._path or ":memory:", timeout=self._busy_timeout, isolation_level=None)
        try:
            self._identity = _identity(self._path) if self._path is not None else None
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        connection.text_factory = _decode
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        _refuse_what_is_not_ours(connection)
        # Not WAL: home directories of hubs are often on NFS, where WAL does not work (SECURITY "Store").
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        if self._max_bytes is not None:
            _limit(connection, self._max_bytes)
        _check(connection)
        migrate(connection)

    def _set_aside(self, path: Path) -> None:
        """Keep the damaged file beside the new one, under a name that SQLite finds its journal by."""
        aside = _free_name(path, int(self._clock()))
        path.rename(aside)
        for suffix in _SIDE_FILES:
            with contextlib.suppress(FileNotFoundError):
                _beside(path, suffix).rename(_beside(aside, suffix))
        detail = f"The conversations file was damaged. It is kept as {aside.name}, and a new one was started."
        self._reset = State("reset", detail)
        self._log.error("conversations: %s", detail)


def is_damage(exc: sqlite3.Error) -> bool:
    """Whether the file itself is broken, as against locked, full or out of reach."""
    return _has(exc, _DAMAGE)


def explain(exc: Exception) -> str:
    """A sentence for the user, without a path."""
    if isinstance(exc, OSError):
        return f"The conversations file cannot be opened: {exc.strerror or type(exc).__name__}."
    if _has(exc, ("locked",)):
        return "The conversations file is locked by another program."
    if _has(exc, ("full",)):
        return "There is no space left for conversations."
    if _has(exc, ("readonly",)):
        return "The conversations file cannot be written."
    return f"The conversations file cannot be used: {exc}."


def _has(exc: Exception, words: Sequence[str]) -> bool:
    return any(word in str(exc) for word in words)


def _prepare(path: Path) -> None:
    """A private file in a directory that is private if we make it; a directory that is there stays as it is.

    The file is made through ``os.open``, as SQLite would give it the mode of the umask. Where it exists it is not
    opened here: closing it would drop the locks another connection of this process holds on it (POSIX).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise Refused(State("unavailable", f"{path.name} is in the place of the conversations file, but is no file."))
    if stat.S_IMODE(mode) & 0o077:
        with contextlib.suppress(PermissionError):
            path.chmod(0o600)


def _refuse_what_is_not_ours(connection: sqlite3.Connection) -> None:
    version = user_version(connection)
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if owner != APPLICATION_ID and (owner or version or tables):
        detail = "The conversations file belongs to another program."
        raise Refused(State("unavailable", detail), "Move it away, or set another place for the conversations.")
    if version > len(MIGRATIONS):
        detail = "The conversations file was written by a newer version of Jupyter Assistant."
        raise Refused(State("newer", detail), "Install that version to see them; the file was left as it is.")


def _limit(connection: sqlite3.Connection, max_bytes: int) -> None:
    page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_size)}")


def _check(connection: sqlite3.Connection) -> None:
    pages = int(connection.execute("PRAGMA page_count").fetchone()[0])
    page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    if pages * page_size > CHECKED_BYTES:
        return
    answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if answer != "ok":
        raise sqlite3.DatabaseError("database disk image is malformed")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _free_name(path: Path, epoch: int) -> Path:
    aside = _beside(path, f".corrupt-{epoch}")
    again = 1
    while aside.exists():
        aside = _beside(path, f".corrupt-{epoch}-{again}")
        again += 1
    return aside


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _decode(data: bytes) -> str:
    """A flipped bit must not make a whole conversation unreadable."""
    return data.decode("utf-8", "replace")

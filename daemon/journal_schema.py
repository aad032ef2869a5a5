"""The journal's file: its tables, its settings, who may read it, and how it is opened.

Rules: ``synchronous=FULL`` is what an acknowledgement stands on; the file is mode 0600 (SQLite
gives -wal and -shm the same); the audit table takes no UPDATE and no DELETE. ``payload``,
``report.study`` and ``draft`` hold patient data, for retention to remove; the chain holds none.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from daemon.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

SETTING = "journal.url"
SCHEMA_VERSION = 3
APPLICATION_ID = 0x70726C6D
"""ASCII ``prlm``: tells our file from another program's."""
BUSY_TIMEOUT_MS = 10_000
WAL_PAGES_MAX = 4_000
JOURNAL_BYTES_KEPT = 64 * 1024 * 1024

SCHEMA = (
    """CREATE TABLE message (
        arrival INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL CHECK (state IN ('RECEIVED', 'REJECTED')),
        is_mapped INTEGER NOT NULL DEFAULT 0,
        is_refused INTEGER NOT NULL,
        reason TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        standard TEXT NOT NULL,
        door TEXT NOT NULL,
        sender TEXT NOT NULL,
        message_control_id TEXT NOT NULL,
        message_type TEXT NOT NULL,
        received_at TEXT NOT NULL,
        digest TEXT NOT NULL
    )""",
    # Refused messages are known among themselves only: sent again after an upgrade, the same
    # content is accepted as a new message.
    """CREATE UNIQUE INDEX message_once
        ON message (sender, message_control_id, digest, is_refused)""",
    "CREATE INDEX message_state ON message (state, is_mapped, arrival)",
    # By arrival, not by the random id: 6 KiB rows are appended, never inserted in the middle.
    """CREATE TABLE payload (
        arrival INTEGER PRIMARY KEY REFERENCES message (arrival),
        bytes BLOB NOT NULL
    )""",
    """CREATE TABLE report (
        arrival INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        message_id TEXT NOT NULL REFERENCES message (id),
        report_key TEXT,
        state TEXT NOT NULL,
        reason TEXT,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before TEXT,
        rank INTEGER NOT NULL,
        reported_at TEXT,
        accession_number TEXT,
        study TEXT NOT NULL,
        reference TEXT
    )""",
    "CREATE INDEX report_message ON report (message_id, arrival)",
    "CREATE INDEX report_key ON report (report_key) WHERE report_key IS NOT NULL",
    "CREATE INDEX report_state ON report (state, arrival, not_before)",
    """CREATE INDEX report_accession ON report (accession_number)
        WHERE accession_number IS NOT NULL""",
    """CREATE TABLE draft (
        report_id TEXT PRIMARY KEY REFERENCES report (id),
        text TEXT NOT NULL,
        finish TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        engine TEXT NOT NULL,
        observation_id TEXT,
        identifier_system TEXT,
        identifier_value TEXT,
        observation BLOB,
        provenance_id TEXT,
        provenance BLOB
    )""",
    """CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        message_id TEXT,
        report_id TEXT,
        event TEXT NOT NULL,
        from_state TEXT,
        to_state TEXT,
        detail TEXT NOT NULL,
        previous_hash TEXT NOT NULL,
        entry_hash TEXT NOT NULL
    )""",
    "CREATE INDEX audit_message ON audit (message_id, sequence) WHERE message_id IS NOT NULL",
    "CREATE INDEX audit_report ON audit (report_id, sequence) WHERE report_id IS NOT NULL",
    # INSERT OR REPLACE would pass the trigger on DELETE.
    """CREATE TRIGGER audit_only_grows BEFORE INSERT ON audit
        WHEN NEW.sequence <= (SELECT max(sequence) FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END""",
    """CREATE TRIGGER audit_keeps_entries BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END""",
    """CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit chain is append-only'); END""",
    "CREATE TABLE flag (name TEXT PRIMARY KEY, is_set INTEGER NOT NULL) WITHOUT ROWID",
    "PRAGMA user_version = 1",
    f"PRAGMA application_id = {APPLICATION_ID}",
)
"""Version 1. Never changed: what came later stands in ``UPGRADES``, for new files too."""
UPGRADES = {
    2: (
        """CREATE TABLE delivery (
            arrival INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            message_id TEXT NOT NULL REFERENCES message (id),
            report_id TEXT REFERENCES report (id),
            kind TEXT NOT NULL,
            target TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('due', 'sent', 'failed', 'withdrawn')),
            attempts INTEGER NOT NULL DEFAULT 0,
            not_before TEXT,
            reason TEXT,
            control_id TEXT NOT NULL,
            payload BLOB NOT NULL
        )""",
        "CREATE INDEX delivery_message ON delivery (message_id, arrival)",
        """CREATE INDEX delivery_report ON delivery (report_id, state)
            WHERE report_id IS NOT NULL""",
        "CREATE INDEX delivery_queue ON delivery (kind, target, arrival) WHERE state = 'due'",
        "CREATE INDEX delivery_due ON delivery (kind, arrival) WHERE state = 'due'",
    ),
    3: (
        # delivery_queue answers every question that it was made for.
        "DROP INDEX delivery_due",
        """CREATE INDEX delivery_event ON delivery (target, arrival)
            WHERE kind = 'notification'""",
        "ALTER TABLE report ADD COLUMN retracted_for TEXT",
        "ALTER TABLE draft ADD COLUMN companions TEXT NOT NULL DEFAULT '[]'",
        # Where messages of a log came from, each place once; with the digest, because a topic that
        # was deleted and made again has other content at the same offsets.
        """CREATE TABLE origin (
            place TEXT NOT NULL,
            digest TEXT NOT NULL,
            message_id TEXT NOT NULL REFERENCES message (id),
            PRIMARY KEY (place, digest)
        ) WITHOUT ROWID""",
        "CREATE INDEX origin_message ON origin (message_id)",
        # What FHIR messages are known by: digests of identifiers, and of conditions on creating.
        """CREATE TABLE resource_identity (
            token TEXT NOT NULL,
            message_id TEXT NOT NULL REFERENCES message (id),
            PRIMARY KEY (token, message_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX resource_identity_message ON resource_identity (message_id)",
    ),
}
"""The statements that lead to each version from the one before it."""


def prepare_file(path: Path) -> None:
    """Make the journal's file and tables when they are not there, for their owner's eyes only.

    Raises:
        ConfigurationError: Another program's file, a newer prelim's, no right to write, or a file
            system without shared memory (WAL needs a local disk).
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            # Before the first page is written, so before WAL mode.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("BEGIN IMMEDIATE")
            if not _is_ours(connection):
                for statement in SCHEMA:
                    connection.execute(statement)
            _upgrade(connection)
            connection.execute("COMMIT")
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(_reason(error, "journal_not_writable"), SETTING) from None
    if mode != "wal":
        raise ConfigurationError("journal_needs_local_disk", SETTING)


def check_file(path: Path) -> None:
    """Look whether a journal that is there can be read.

    Raises:
        ConfigurationError: It is not there, not ours, or still an older prelim's: the first
            ``prelim serve`` brings it up to date.
    """
    if not path.is_file():
        raise ConfigurationError("journal_missing", SETTING)
    try:
        with closing(connect_reader(path)) as connection:
            is_ours = _is_ours(connection)
            version = _version(connection)
    except sqlite3.Error as error:
        raise ConfigurationError(_reason(error, "journal_not_readable"), SETTING) from None
    if not is_ours:
        raise ConfigurationError("journal_empty", SETTING)
    if version < SCHEMA_VERSION:
        raise ConfigurationError("journal_of_older_version", SETTING)


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Return False for a new, empty file.

    Raises:
        ConfigurationError: The file is another program's or a newer prelim's.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and tables == 0:
        return False
    if application != APPLICATION_ID:
        raise ConfigurationError("journal_of_another_program", SETTING)
    if _version(connection) > SCHEMA_VERSION:
        raise ConfigurationError("journal_of_newer_version", SETTING)
    return True


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _upgrade(connection: sqlite3.Connection) -> None:
    for version in range(_version(connection) + 1, SCHEMA_VERSION + 1):
        for statement in UPGRADES[version]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _reason(error: Exception, otherwise: str) -> str:
    is_foreign = getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB"
    return "journal_not_a_database" if is_foreign else otherwise


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the connection of the one who writes."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {WAL_PAGES_MAX}",
        f"journal_size_limit = {JOURNAL_BYTES_KEPT}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return connection

"""Where a node keeps its things: one directory, of this user's alone, and what each file in it is called.

identity.key    the member's key, unless node.toml says where one is mounted     (keys/identity.py)
node.toml       this node's own settings                                         (settings.py)
founding.json   who founds a consortium, and whom it invited                     (beginning/founding.py)
charter/        charters in force, proposed, signed and withdrawn                (charter_store.py)
tables.toml     published tables
policies/       who may do what with them, signed                                (policy_store.py)
models/         models, and who may score with them                              (model_assets.py)
known_nodes.toml  keys of nodes that this user's programs ask                    (known_nodes.py)
node.db         jobs
parts/          dealt shares and checkpoints, encrypted
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from parties.disk.private_files import make_private_directory, read_public
from parties.errors import FileExposed, FileMissing, FileUnusable
from parties.keys.identity import Identity, read_passphrase, stated_public_key
from parties.setup.settings import PORT, NodeSettings, read_settings

__all__ = ["VARIABLE", "Home"]

VARIABLE = "ACCORD_HOME"
"""The environment variable that says where it is."""


class Home:
    """The paths of one node. Making one touches no disk.

    Args:
        directory: default $ACCORD_HOME, or ~/.accord.
        environment: in place of this process's, for tests.

    Attributes:
        directory: absolute.
        identity, settings, founding, tables, jobs: files in it, which need not exist.
        charter, parts, models: directories in it, likewise.
    """

    def __init__(self, directory: str | Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        stated = directory or environment.get(VARIABLE) or Path("~/.accord")
        self.directory = Path(stated).expanduser().absolute()
        self.identity = self.directory / "identity.key"
        self.settings = self.directory / "node.toml"
        self.founding = self.directory / "founding.json"
        self.charter = self.directory / "charter"
        self.tables = self.directory / "tables.toml"
        self.jobs = self.directory / "node.db"
        self.parts = self.directory / "parts"
        self.models = self.directory / "models"

    def __repr__(self) -> str:
        return f"<Home {self.directory}>"

    def make(self) -> None:
        """Make the directory, for this user alone, and check it. Raises FileUnusable, FileExposed."""
        make_private_directory(self.directory)
        self.check()

    def check(self) -> None:
        """Nobody else may put files here.

        It belongs to this user, or to root, and neither its group nor others may write in it. One exception, as
        orchestrators mount volumes: one of root's may be writable by its group, if this process is not root.

        Raises FileMissing, FileUnusable, FileExposed.
        """
        try:
            status = self.directory.stat()
        except FileNotFoundError:
            raise FileMissing(
                f"there is no node at {self.directory}: `accord init`, `accord found` or `accord join` make one; "
                f"if it is elsewhere, say so in ${VARIABLE}"
            ) from None
        except OSError as error:
            raise FileUnusable(f"{self.directory} cannot be used: {error.strerror or error}") from None
        if not stat.S_ISDIR(status.st_mode):
            raise FileUnusable(f"{self.directory} is no directory: name another in ${VARIABLE}")
        me = os.geteuid()
        if status.st_uid not in (me, 0):
            raise FileExposed(f"{self.directory} belongs to user {status.st_uid}, not to this one: chown {me} it")
        mounted = status.st_uid == 0 and me != 0
        if status.st_mode & (0o002 if mounted else 0o022):
            raise FileExposed(
                f"others on this machine can exchange the files in {self.directory}: chmod go-w {self.directory}"
            )

    def read_settings(self, port: int = PORT) -> NodeSettings:
        """What node.toml says, or all defaults if there is none. ``port``: of this member's address in the charter.

        Raises SettingsInvalid, FileUnusable.
        """
        try:
            return read_settings(read_public(self.settings), port)
        except FileMissing:
            return read_settings(b"", port)

    def load_identity(self, settings: NodeSettings | None = None, passphrase: bytes | None = None) -> Identity:
        """This member's key: mounted where the settings say so, else identity.key.

        ``passphrase`` goes before the settings' file of one. Paths in the settings are relative to this directory.

        Raises as Identity.load and read_passphrase do.
        """
        settings = settings or self.read_settings()
        path = self.identity_file(settings)
        if passphrase is None and settings.passphrase_file is not None:
            passphrase = read_passphrase(self.directory / settings.passphrase_file)
        return Identity.load(path, passphrase)

    def identity_file(self, settings: NodeSettings) -> Path:
        """Where the key is, mounted or not."""
        return self.identity if settings.identity is None else self.directory / settings.identity

    def stated_key(self, settings: NodeSettings | None = None) -> bytes:
        """This member's public key, as its identity's file states it. Raises as identity.stated_public_key does."""
        return stated_public_key(self.identity_file(settings or self.read_settings()))

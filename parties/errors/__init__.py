"""What can go wrong at members' nodes, between them, and for who asks them.

Usage errors are this member's own to mend (its files, its charter); a PeerRefused is about somebody who called, or was
called. No message carries a secret, nor does a ``__cause__`` or ``__context__`` of one. One about a table carries no
value of it, no place and no number of rows: it may be shown to others.
"""

from __future__ import annotations

from parties.errors import charters, clients, files, jobs, peers, rules, tables
from parties.errors.charters import *
from parties.errors.clients import *
from parties.errors.files import *
from parties.errors.jobs import *
from parties.errors.peers import *
from parties.errors.rules import *
from parties.errors.tables import *

__all__: list[str] = []
__all__ += charters.__all__
__all__ += clients.__all__
__all__ += files.__all__
__all__ += jobs.__all__
__all__ += peers.__all__
__all__ += rules.__all__
__all__ += tables.__all__

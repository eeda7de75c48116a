"""How patient tests are: they prove that a fault is named and that nothing hangs, on a machine that may be busy.

`ACCORD_SLACK=1 make test` holds them to the seconds Accord promises, on a quiet machine.
"""

from __future__ import annotations

import os

SLACK = float(os.environ.get("ACCORD_SLACK", "4"))
"""What a promised number of seconds is multiplied with."""

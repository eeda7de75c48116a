"""How often a stranger may try: a few failures from one place, then nothing for a while. Pure: the clock is given."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable

__all__ = ["Attempts"]


class Attempts:
    """Failures by where they came from: an IPv4 address, or the /64 an IPv6 address is in.

    Args:
        most: failures within ``window`` seconds after which a place has to wait.
        places: how many of them are remembered; the ones longest without a failure are forgotten.
        monotonic: seconds.
    """

    def __init__(
        self, monotonic: Callable[[], float], most: int = 10, window: float = 60.0, places: int = 1024
    ) -> None:
        self._monotonic = monotonic
        self._most = most
        self._window = window
        self._places = places
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def allowed(self, address: str) -> bool:
        """Whether who calls from this address is listened to now."""
        times = self._failures.get(_place(address))
        return times is None or len(times) < self._most or times[0] <= self._monotonic() - self._window

    def failed(self, address: str) -> None:
        """Who called from there did not prove what it should have."""
        place = _place(address)
        times = self._failures.setdefault(place, deque(maxlen=self._most))
        times.append(self._monotonic())
        self._failures.move_to_end(place)
        if len(self._failures) > self._places:
            self._failures.popitem(last=False)


def _place(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return str(parsed)

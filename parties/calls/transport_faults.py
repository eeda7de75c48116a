"""What it means that a connection by httpcore, or by httpx, failed: told once, for all who dial nodes. Pure."""

from __future__ import annotations

import enum
import ssl

import httpcore
import httpx

__all__ = ["FAULTS", "Fault", "fault_of"]

FAULTS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpx.HTTPError)
"""What they raise for it."""

_UNCONNECTED = (
    httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout,
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout,
)  # fmt: skip
_LATE = (httpcore.TimeoutException, httpx.TimeoutException)


class Fault(enum.Enum):
    """Why there is no answer."""

    REFUSED = "the other end does not take our certificate"
    UNPROVEN = "the other end's certificate is not of the key that was expected, or is outside of its dates"
    NO_CONNECTION = "nobody took the connection"
    BROKEN = "the connection broke"
    LATE = "nothing came in time"


def fault_of(error: Exception) -> tuple[Fault, str]:
    """The fault, and what OpenSSL says of a certificate, if that was it; else ''."""
    tls = _tls_error(error)
    if tls is not None and "ALERT" in (tls.reason or ""):
        return Fault.REFUSED, ""
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Fault.UNPROVEN, tls.verify_message
    if isinstance(error, _UNCONNECTED):
        return Fault.NO_CONNECTION, ""
    return (Fault.LATE if isinstance(error, _LATE) else Fault.BROKEN), ""


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error that an error came from, if one did."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None

"""What it means that a connection by httpx failed: told once, for all who dial nodes. Pure."""

from __future__ import annotations

import enum
import ssl

import httpx

__all__ = ["Fault", "fault_of"]


class Fault(enum.Enum):
    """Why there is no answer."""

    REFUSED = "the other end does not take our certificate"
    UNPROVEN = "the other end's certificate is not of the key that was expected, or is outside of its dates"
    NO_CONNECTION = "nobody took the connection"
    BROKEN = "the connection broke"
    LATE = "nothing came in time"


def fault_of(error: httpx.HTTPError) -> tuple[Fault, str]:
    """The fault, and what OpenSSL says of a certificate, if that was it; else ''."""
    tls = _tls_error(error)
    if tls is not None and "ALERT" in (tls.reason or ""):
        return Fault.REFUSED, ""
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Fault.UNPROVEN, tls.verify_message
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return Fault.NO_CONNECTION, ""
    return (Fault.LATE if isinstance(error, httpx.TimeoutException) else Fault.BROKEN), ""


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS error that an error came from, if one did."""
    for _ in range(10):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None

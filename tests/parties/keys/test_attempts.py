"""A stranger's failures: a few, then nothing for a while; and many places cost no memory."""

from __future__ import annotations

from parties.keys.attempts import Attempts


def test_a_few_failures_then_a_pause() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0], most=3, window=60)
    for at in (0.0, 10.0, 20.0):
        now[0] = at
        assert attempts.allowed("192.0.2.1")
        attempts.failed("192.0.2.1")
    assert not attempts.allowed("192.0.2.1")
    assert attempts.allowed("192.0.2.2")
    now[0] = 59.9
    assert not attempts.allowed("192.0.2.1")
    now[0] = 60.0
    assert attempts.allowed("192.0.2.1")
    attempts.failed("192.0.2.1")
    assert not attempts.allowed("192.0.2.1")  # 10, 20, 60
    now[0] = 70.0
    assert attempts.allowed("192.0.2.1")


def test_one_place_has_many_addresses() -> None:
    attempts = Attempts(lambda: 0.0, most=1)
    attempts.failed("2001:db8::1")
    assert not attempts.allowed("2001:db8::ffff:1")
    assert attempts.allowed("2001:db8:0:1::1")
    attempts.failed("::ffff:192.0.2.1")
    assert not attempts.allowed("192.0.2.1")
    attempts.failed("fe80::1%eth0")
    assert not attempts.allowed("fe80::2%eth1")
    attempts.failed("no address")
    assert not attempts.allowed("no address")


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts(lambda: 0.0, most=1, places=100)
    attempts.failed("192.0.2.1")
    for i in range(100):
        assert not attempts.allowed("192.0.2.1")
        attempts.failed(f"10.0.0.{i}")
    assert attempts.allowed("192.0.2.1")
    assert not attempts.allowed("10.0.0.99")

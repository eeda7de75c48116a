"""Queries whose answers DuckDB knows: written by hand, and drawn from a small grammar by a seed."""

# ruff: noqa: E501

from __future__ import annotations

import random

__all__ = ["HAND", "drawn", "drawn_of_people"]

HAND = r"""
SELECT COUNT(*) FROM stays
SELECT COUNT(*), SUM(age), AVG(age), COUNT(age), SUM(cost), AVG(cost) FROM stays
SELECT ward, COUNT(*) AS n, SUM(cost) s, AVG(age) FROM stays GROUP BY ward
SELECT ward, died, COUNT(*) FROM stays WHERE age >= 30 GROUP BY ward, died ORDER BY 3 DESC, 1, 2
SELECT CASE WHEN age < 30 THEN 'young' WHEN age < 60 THEN 'mid' ELSE 'old' END AS g, SUM(CASE WHEN died THEN 1 ELSE 0 END) FROM alfa.stays GROUP BY 1 HAVING COUNT(*) > 5
SELECT VAR_SAMP(age), STDDEV_POP(cost), VARIANCE(score), SUM(age) FROM stays
SELECT MIN(age), MAX(age), QUANTILE_DISC(age, 0.25), MIN(seen), MAX(seen) FROM stays
SELECT ward, MIN(age), MAX(score) FROM stays GROUP BY ward
SELECT COUNT(DISTINCT person) FROM visits
SELECT reason, COUNT(DISTINCT person), COUNT(*) FROM visits GROUP BY reason
SELECT COUNT(*), SUM(n), MAX(m) FROM (SELECT person, COUNT(*) AS n, SUM(minutes) AS m FROM alfa.visits WHERE price > 1 GROUP BY person HAVING COUNT(*) > 1) t
SELECT level, COUNT(*), SUM(age), AVG(income) FROM alfa.stays JOIN bravo.people USING (person) GROUP BY level
SELECT SUM(s.age * p.income), COUNT(*) FROM alfa.stays s JOIN bravo.people p ON s.person = p.person WHERE s.age * 10 > p.income
SELECT COUNT(*), COUNT(income), SUM(income), SUM(COALESCE(income, 0) + age) FROM alfa.stays LEFT JOIN bravo.people USING (person)
SELECT level, buys, COUNT(*), SUM(spent * rate) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) JOIN charlie.sales USING (person) GROUP BY level, buys
SELECT SUM(age * 2 + 1), SUM(age - score), SUM(-age), SUM(age / 3) FROM stays
SELECT SUM(age // 7), SUM(age % 7) FROM stays
SELECT SUM(ABS(score)), SUM(ROUND(cost)), SUM(ROUND(cost, 1)), SUM(FLOOR(cost)), SUM(CEIL(cost)) FROM stays
SELECT COUNT(*) FROM stays WHERE seen BETWEEN '2020-01-01' AND DATE '2021-06-30'
SELECT COUNT(*) FROM stays WHERE EXTRACT(year FROM seen) = 2020 OR MONTH(seen) IN (1, 2, NULL)
SELECT SUM(YEAR(seen)), SUM(QUARTER(seen)), SUM(DAY(seen)), SUM(seen - DATE '2020-01-01') FROM stays
SELECT COUNT(*) FROM stays WHERE ward LIKE 'n%' OR ward ILIKE '%EAST'
SELECT COUNT(*) FROM stays WHERE ward NOT LIKE '%o_t%' AND NOT died
SELECT COUNT(*) FROM stays WHERE ward LIKE 'North! E%' ESCAPE '!'
SELECT COUNT(*) FROM stays WHERE ward IN ('north', 'west') AND age NOT IN (3, 5, 80)
SELECT COUNT(*) FROM stays WHERE ward NOT IN ('north', NULL)
SELECT COUNT(*) FROM stays WHERE (age > 30) IS TRUE AND (died IS NOT FALSE OR ward IS NULL)
SELECT COUNT(*) FROM stays WHERE ward IS DISTINCT FROM 'north'
SELECT COUNT(*) FROM stays WHERE died = TRUE OR ward <> 'north'
SELECT COUNT(*) FROM stays WHERE NOT (age > 30 OR died)
SELECT SUM(COALESCE(age, score, 0)), SUM(NULLIF(age, score)), SUM(GREATEST(age, score, 5)), SUM(LEAST(age, score)) FROM stays
SELECT COALESCE(ward, 'none') AS w, COUNT(*) FROM stays GROUP BY COALESCE(ward, 'none')
SELECT age > 40 AS older, COUNT(*), SUM(cost) FROM stays GROUP BY older ORDER BY older
SELECT CASE ward WHEN 'north' THEN 'n' WHEN 'south' THEN 's' END AS x, COUNT(*) FROM stays GROUP BY x ORDER BY 2 DESC, 1 NULLS FIRST LIMIT 2
SELECT COUNT(*) FILTER (WHERE died), SUM(age) FILTER (WHERE ward = 'north'), COUNT_IF(age > 20), AVG(cost) FILTER (WHERE age > 50) FROM stays
SELECT ward, SUM(cost) / COUNT(*) AS r, 100 * COUNT(*) - 3 AS p FROM stays GROUP BY ward HAVING SUM(score) > -100 AND COUNT(*) > 3 ORDER BY r
SELECT ROUND(AVG(age), 1), CASE WHEN COUNT(*) > 5 THEN 'many' ELSE 'few' END FROM stays
SELECT SUM(x), COUNT(*) FROM (SELECT age + score AS x, died FROM stays WHERE cost > 10) t WHERE died
SELECT w, COUNT(*) FROM (SELECT ward AS w, age FROM alfa.stays UNION ALL SELECT ward, age FROM charlie.stays WHERE age > 20) t GROUP BY w
SELECT SUM(x) FROM (SELECT age AS x FROM alfa.stays UNION ALL SELECT cost FROM bravo.stays) t
WITH a AS (SELECT * FROM alfa.stays WHERE age > 10) SELECT COUNT(*), AVG(age) FROM a
WITH a AS (SELECT age AS x FROM alfa.stays), b AS (SELECT x * 2 AS y FROM a WHERE x > 5) SELECT SUM(y) FROM b
SELECT AVG(s), MAX(n) FROM (SELECT person, SUM(minutes) AS s, COUNT(*) AS n FROM alfa.visits GROUP BY person UNION ALL SELECT person, SUM(minutes) AS s, COUNT(*) FROM bravo.visits GROUP BY person) t
SELECT CASE WHEN n >= 3 THEN 'often' ELSE 'seldom' END AS how, COUNT(*) FROM (SELECT person, COUNT(*) AS n FROM alfa.visits GROUP BY person) t GROUP BY how
SELECT SUM(a), SUM(b), SUM(c), COUNT(d) FROM (SELECT person, MIN(minutes) AS a, MAX(price) AS b, AVG(price) AS c, MAX(minutes) AS d FROM bravo.visits WHERE reason <> 'check' GROUP BY person HAVING MAX(minutes) > 30) t
SELECT p.level, AVG(t.s) FROM (SELECT person, SUM(price) AS s FROM alfa.visits GROUP BY person) t JOIN bravo.people p USING (person) GROUP BY p.level
SELECT COUNT(*), SUM(minutes * rate) FROM bravo.people p JOIN alfa.visits v ON p.person = v.person AND v.reason <> 'check' WHERE p.income > 100
SELECT COUNT(DISTINCT v.person), COUNT(*) FROM alfa.visits v JOIN bravo.people p USING (person)
SELECT v.reason, COUNT(DISTINCT v.person) FROM alfa.visits v JOIN bravo.people p USING (person) GROUP BY v.reason
SELECT CASE WHEN s.age > 40 AND p.income > 300 THEN 'a' WHEN p.income IS NULL THEN 'b' ELSE 'c' END AS g, COUNT(*) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) GROUP BY g
SELECT CASE WHEN s.age > 40 THEN s.ward ELSE p.level END AS g, COUNT(*) FROM alfa.stays s JOIN bravo.people p USING (person) GROUP BY g
SELECT s.died AND x.buys AS ab, COUNT(*) FROM alfa.stays s JOIN charlie.sales x USING (person) GROUP BY ab
SELECT COUNT(*) FROM alfa.stays s LEFT JOIN bravo.people p ON s.person = p.person AND p.income > 200 WHERE p.level IS NULL
SELECT COUNT(*) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) WHERE COALESCE(p.income, s.age) > 50
SELECT SUM(ABS(s.age * 10 - p.income)), SUM(GREATEST(s.age, p.income)), SUM(NULLIF(s.score, p.income)) FROM alfa.stays s JOIN bravo.people p USING (person)
SELECT SUM(LEAST(s.cost, x.spent, 20)), COUNT(COALESCE(s.cost, x.spent)) FROM alfa.stays s JOIN charlie.sales x USING (person)
SELECT SUM(CASE WHEN s.cost > x.spent THEN s.cost ELSE x.spent END) FROM alfa.stays s JOIN charlie.sales x USING (person)
SELECT COUNT(*) FROM alfa.stays s JOIN charlie.sales x USING (person) WHERE s.died OR NOT x.buys
SELECT COUNT(*) FROM alfa.stays s JOIN charlie.sales x USING (person) WHERE (s.died = x.buys) IS NOT TRUE
SELECT COUNT(*) FROM alfa.stays s JOIN bravo.people p USING (person) WHERE s.seen > p.born + 20000
SELECT MIN(s.age), MAX(p.income), QUANTILE_DISC(p.income, 0.4) FROM alfa.stays s JOIN bravo.people p USING (person)
SELECT SUM(1), COUNT(1), COUNT(person), COUNT(ward), COUNT(age + score) FROM stays
SELECT ward FROM stays GROUP BY ward
SELECT 1 + 1, COUNT(*) FROM stays WHERE age > 200 IS FALSE
SELECT COUNT(*) FROM stays WHERE seen + 30 < DATE '2020-06-01'
SELECT COUNT(*) FROM stays WHERE seen - INTERVAL 30 DAY < DATE '2020-06-01' AND DATE_DIFF('day', seen, DATE '2022-01-01') > 100
SELECT SUM(CAST(died AS INTEGER)), SUM(CAST(age AS DOUBLE)), AVG(CASE WHEN died THEN 1.5 ELSE age END) FROM stays
SELECT s.ward, COUNT(*) FROM alfa.stays AS s GROUP BY s.ward ORDER BY COUNT(*) DESC, s.ward LIMIT 3 OFFSET 1
SELECT "ward", COUNT(*) "n" FROM alfa.Stays GROUP BY "ward"
SELECT VAR_POP(minutes * price), STDDEV(price) FROM visits WHERE reason = 'fall'
SELECT level, MIN(a) FROM (SELECT person, age AS a FROM alfa.stays WHERE age > 5) s JOIN bravo.people USING (person) GROUP BY level
SELECT SUM(CASE WHEN ward = 'north' AND cost > 3 OR died THEN age * 2 WHEN age IS NULL THEN -1 END) FROM stays
SELECT COUNT(*) FROM stays WHERE age > 5 AND age < 5
SELECT ward, COUNT(*) FROM stays WHERE age > 88 GROUP BY ward
SELECT COUNT(*) FROM stays WHERE NULL
SELECT SUM(0.1 * age), SUM(cost * 0.5 - 1e1) FROM stays WHERE cost * 2.5 > 12.25
SELECT COUNT(*), SUM(age) FROM alfa.stays WHERE person IN (SELECT person FROM alfa.visits)
SELECT COUNT(*), SUM(age) FROM alfa.stays WHERE person NOT IN (SELECT person FROM alfa.visits WHERE minutes > 40)
SELECT ward, COUNT(*) FROM bravo.stays WHERE person IN (SELECT v.person FROM bravo.visits v WHERE v.reason = 'fall' OR v.minutes IS NULL) AND age > 10 GROUP BY ward
SELECT COUNT(*), AVG(minutes) FROM alfa.visits WHERE person IN (SELECT DISTINCT person FROM alfa.visits WHERE reason = 'fever')
SELECT COUNT(DISTINCT person), COUNT(*) FROM alfa.visits WHERE reason = 'fall' AND person IN (SELECT person FROM alfa.visits GROUP BY person HAVING COUNT(*) >= 3)
SELECT person IN (SELECT person FROM bravo.visits GROUP BY person HAVING SUM(minutes) > 100) AS busy, COUNT(*), SUM(score) FROM bravo.stays GROUP BY busy
SELECT SUM(CASE WHEN person IN (SELECT person FROM bravo.visits) THEN age ELSE score END), COUNT(*) FILTER (WHERE person NOT IN (SELECT person FROM bravo.people)) FROM bravo.stays
WITH falls AS (SELECT person FROM bravo.visits WHERE reason = 'fall') SELECT level, COUNT(*) FROM bravo.people WHERE person IN (SELECT person FROM falls) GROUP BY level
SELECT COUNT(*), SUM(s) FROM (SELECT person, SUM(price) AS s FROM alfa.visits GROUP BY person HAVING COUNT(*) > 1) t WHERE person IN (SELECT person FROM alfa.stays WHERE died)
SELECT COUNT(*), SUM(m) FROM (SELECT person, SUM(CASE WHEN person IN (SELECT person FROM bravo.stays) THEN minutes ELSE 1 END) AS m FROM bravo.visits WHERE person NOT IN (SELECT person FROM bravo.people) GROUP BY person) t
SELECT COUNT(*) FROM bravo.people WHERE person IN (SELECT person FROM bravo.visits WHERE person IN (SELECT person FROM bravo.stays WHERE age > 20) AND minutes > 5)
SELECT level, COUNT(*), SUM(age) FROM alfa.stays s JOIN bravo.people p USING (person) WHERE s.person IN (SELECT person FROM alfa.visits) AND p.person NOT IN (SELECT person FROM bravo.visits) GROUP BY level
SELECT COUNT(*) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) WHERE p.person IN (SELECT person FROM bravo.stays)
SELECT COUNT(*), SUM(age) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) WHERE (p.person IN (SELECT person FROM bravo.stays)) IS NOT TRUE
SELECT SUM(age * 2), COUNT(*) FROM alfa.stays s JOIN bravo.people p USING (person) WHERE s.person IN (SELECT person FROM alfa.visits) OR p.income > 300
SELECT COUNT(*) FROM alfa.stays s WHERE EXISTS (SELECT 1 FROM alfa.visits v WHERE v.person = s.person AND v.minutes > 30)
SELECT COUNT(*) FROM alfa.stays s WHERE NOT EXISTS (SELECT * FROM alfa.visits WHERE s.person = person) AND age > 5
SELECT SUM(n), COUNT(*) FROM (SELECT age AS n FROM alfa.stays WHERE person IN (SELECT person FROM alfa.visits) UNION ALL SELECT age FROM bravo.stays WHERE person IN (SELECT person FROM bravo.visits)) t
SELECT COUNT(*), SUM(f) FROM (SELECT age, CAST(person IN (SELECT person FROM alfa.visits) AS INTEGER) AS f FROM alfa.stays) t WHERE age > 3
SELECT COUNT(*) FROM (SELECT person, person IN (SELECT person FROM bravo.stays) AS here, COUNT(*) AS n FROM bravo.visits GROUP BY person) t WHERE here
SELECT COUNT(DISTINCT person), MAX(minutes) FROM bravo.visits WHERE (person) IN ((SELECT person FROM bravo.people WHERE level = 'low'))
SELECT YEAR(seen) AS y, COUNT(*), SUM(cost) FROM stays GROUP BY y HAVING YEAR(seen) > 2019 ORDER BY y DESC
SELECT age // 10 AS d, ward, COUNT(*), AVG(score) FROM stays WHERE age >= 0 GROUP BY d, ward ORDER BY d, ward
SELECT score, COUNT(*) FROM bravo.stays GROUP BY score
SELECT CAST(FLOOR(cost / 20) AS INTEGER) AS c, MAX(score), COUNT(DISTINCT person) FROM alfa.stays GROUP BY c
SELECT seen, COUNT(*) FROM alfa.stays WHERE seen < DATE '2019-09-01' GROUP BY seen ORDER BY seen
SELECT QUARTER(seen) * 10 + MONTH(seen) AS q, died, COUNT(*) FROM stays GROUP BY q, died
SELECT n, COUNT(*), SUM(m) FROM (SELECT person, COUNT(*) AS n, SUM(minutes) AS m FROM alfa.visits GROUP BY person) t GROUP BY n
SELECT YEAR(p.born) // 10 AS b, level, COUNT(*), SUM(age) FROM alfa.stays s JOIN bravo.people p USING (person) GROUP BY b, level
SELECT s.score + 20 AS k, COUNT(*), MIN(p.income) FROM alfa.stays s JOIN bravo.people p USING (person) GROUP BY k
SELECT s.score + YEAR(p.born) AS k, COUNT(*), COUNT(DISTINCT s.person) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) WHERE s.age > 20 GROUP BY k
SELECT CASE WHEN s.age > 40 THEN 50 ELSE p.income END AS k, COUNT(*) FROM alfa.stays s LEFT JOIN bravo.people p USING (person) GROUP BY k
""".strip().splitlines()
"""Sums, NULLs, dates, joins, unions, derived tables, HAVING, ORDER BY, LIMIT, people of other tables."""


def drawn(seed: int) -> str:
    """A query on one table, or on a union; figures whose order and conditions do not depend on rounding."""
    draw = _Drawing(random.Random(seed))
    return draw.query()


def drawn_of_people(seed: int) -> str:
    """A query on one member's table, whose conditions are on what else its people have there too."""
    rng = random.Random(seed)
    return _Drawing(rng, rng.choice(("alfa", "bravo"))).query()


class _Drawing:
    """``member``: whose table alone it is on, with conditions on people of its other tables; "": no such."""

    def __init__(self, rng: random.Random, member: str = "") -> None:
        self._rng = rng
        self._member = member

    def _one(self, *of: str) -> str:
        return self._rng.choice(of)

    def whole(self, depth: int) -> str:
        r = self._one
        if depth <= 0:
            return r("age", "score", str(self._rng.randint(1, 9)))
        a, b = self.whole(depth - 1), self.whole(depth - 2)
        return r(
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"-({a})", f"ABS({a})", f"COALESCE({a}, {b})",
            f"NULLIF({a}, {b})", f"GREATEST({a}, {b})", f"LEAST({a}, {b}, 50)", f"(ABS(score) // {self._rng.randint(1, 9)})",
            f"CASE WHEN {self.truth(depth - 1)} THEN {a} ELSE {b} END", f"CASE WHEN {self.truth(depth - 1)} THEN {a} END",
            f"IF({self.truth(depth - 1)}, {a}, {b})", "YEAR(seen)", "MONTH(seen)", "(seen - DATE '2020-05-05')",
            f"CAST({self.truth(depth - 1)} AS INTEGER)", "CAST(FLOOR(cost) AS INTEGER)",
        )  # fmt: skip

    def real(self, depth: int) -> str:
        r = self._one
        if depth <= 0:
            return r("cost", "0.5", "2.25")
        a = self.real(depth - 1)
        return r(
            f"({a} + {self.whole(depth - 1)})", f"({a} - {self.real(depth - 2)})", f"({a} * 0.25)", f"({a} / 4)",
            f"ABS({a})", f"COALESCE({a}, 1.5)", f"CASE WHEN {self.truth(depth - 1)} THEN {a} ELSE {self.whole(0)} END",
            f"LEAST({a}, 7.5)",
        )  # fmt: skip

    def people(self) -> str:
        """Whether somebody is among the people of some table of the member's."""
        member, rng = self._member, self._rng
        stays = f"SELECT person FROM {member}.stays WHERE {self.truth(1)}"
        visits = f"SELECT person FROM {member}.visits"
        minutes = f"minutes {self._one('<', '>')} {rng.randint(10, 110)}"
        found = self._one(
            visits, stays, f"{visits} WHERE {minutes}", f"SELECT DISTINCT v.person FROM {member}.visits v WHERE reason = 'fall'",
            f"{visits} GROUP BY person HAVING COUNT(*) > {rng.randint(1, 2)}",
            f"{visits} WHERE {minutes} GROUP BY person HAVING SUM(price) > {rng.randint(2, 12)}",
            f"{visits} WHERE {minutes} OR person IN ({stays})", f"SELECT t.person FROM ({stays}) t",
        )  # fmt: skip
        return self._one(f"(person IN ({found}))", f"(person IN ({found}))", f"(person NOT IN ({found}))")

    def truth(self, depth: int) -> str:
        r = self._one
        if self._member and self._rng.random() < 0.3:
            return self.people()
        if depth <= 0:
            return r(
                "died", "age > 40", "score < 0", "ward = 'north'", "ward <> 'west'", "cost >= 50", "ward IS NULL",
                "ward IN ('north', 'south')", "ward LIKE '%th%'", "seen < DATE '2021-01-01'", "age BETWEEN 20 AND 70",
                "died IS NOT TRUE", "ward NOT IN ('south')", "age IS NOT NULL", "seen >= '2020-02-29'", "died IS NULL",
            )  # fmt: skip
        a, b = self.truth(depth - 1), self.truth(depth - 2)
        return r(
            f"({a} AND {b})", f"({a} OR {b})", f"NOT ({a})", f"({self.whole(depth - 1)} {r('<', '<=', '=', '<>', '>')} "
            f"{self.whole(depth - 1)})", f"({self.real(depth - 1)} > {self.real(0)})", f"COALESCE({a}, {b})", f"({a}) IS TRUE",
            f"({self.whole(depth - 1)}) IN (1, 2, {self.whole(0)})", f"({self.whole(depth - 1)}) IS NULL",
        )  # fmt: skip

    def category(self) -> str:
        return self._one(
            "ward", "died", f"CASE WHEN {self.truth(1)} THEN 'yes' ELSE 'no' END", f"({self.truth(1)})",
            f"CASE WHEN {self.truth(1)} THEN ward WHEN {self.truth(0)} THEN 'other' END", "COALESCE(ward, 'none')",
            "MONTH(seen)", "score", f"ABS(score) // {self._rng.randint(2, 5)}", f"ABS(LEAST({self.whole(1)}, 5)) % 3 + 3",
        )  # fmt: skip

    def figure(self) -> str:
        return self._one(
            "COUNT(*)", f"COUNT({self.whole(1)})", f"SUM({self.whole(2)})", f"SUM({self.real(2)} + cost)", f"AVG({self.whole(2)} + age)",
            f"AVG({self.real(1)} + cost)", f"VAR_POP({self.whole(1)} + age)", f"STDDEV_SAMP({self.whole(0)} + age)", "MIN(age)",
            "MAX(score)", f"MAX({self.whole(1)} + age)", f"SUM({self.whole(1)}) FILTER (WHERE {self.truth(1)})",
            f"COUNT(*) FILTER (WHERE {self.truth(2)})", f"COALESCE(SUM(score), 0) + 2 * COUNT(*) - {self._rng.randint(0, 9)}",
            "COUNT(DISTINCT person)", "MIN(seen)", "ROUND(COALESCE(SUM(score), 0) / 3, 1) - COUNT(age)",
        )  # fmt: skip

    def source(self) -> str:
        if self._member:
            table = f"{self._member}.stays"
            return self._one(table, f"(SELECT * FROM {table} WHERE {self.truth(1)}) t")
        return self._one(
            "alfa.stays", "alfa.stays", "bravo.stays", "bravo.stays", "charlie.stays", "stays",
            f"(SELECT * FROM alfa.stays WHERE {self.truth(1)}) t",
            f"(SELECT person, age, score, cost, died, ward, seen FROM bravo.stays WHERE {self.truth(1)} UNION ALL "
            f"SELECT person, {self.whole(1)} + age, score, cost, NOT died, ward, seen FROM charlie.stays) t",
        )  # fmt: skip

    def query(self) -> str:
        rng = self._rng
        keys = [self.category() for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        items = [f"{key} AS k{j}" for j, key in enumerate(keys)]
        items += [f"{self.figure()} AS f{j}" for j in range(rng.randint(1, 3))]
        text = f"SELECT {', '.join(items)} FROM {self.source()}"
        if rng.random() < 0.6:
            text += f" WHERE {self.truth(2)}"
        if keys:
            text += f" GROUP BY {', '.join(f'k{j}' for j in range(len(keys)))}"
            if rng.random() < 0.3:
                text += f" HAVING COUNT(*) > {rng.randint(0, 4)}"
            if rng.random() < 0.4:
                text += f" ORDER BY COUNT(*) DESC, {', '.join(f'k{j}' for j in range(len(keys)))}"
                if rng.random() < 0.5:
                    text += f" LIMIT {rng.randint(0, 4)}"
        return text

"""Accord, what is computed: joins, aggregates, models, noise and the release of results."""

"""Accord, who computes with whom: identities, tables, policies, budgets, jobs."""

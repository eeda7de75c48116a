"""Timings of the engine's primitives: `python -m bench primitives`."""

"""Programs that use Accord; run one with `python -m examples.NAME`."""

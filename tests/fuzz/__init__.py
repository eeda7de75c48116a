"""All parsers under mutated inputs: whatever comes in, out comes a value or an error that the parser documents."""

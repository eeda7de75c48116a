"""Sort (placeholder)."""
def sort(x, axis): raise NotImplementedError
def argsort(x, axis): raise NotImplementedError

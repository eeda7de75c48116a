"""Files and tables on a disk that fails: private, sealed, locked, whole or not at all, chained."""

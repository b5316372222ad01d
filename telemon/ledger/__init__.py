"""The ledger: where finished calls and observations are kept, and read again."""

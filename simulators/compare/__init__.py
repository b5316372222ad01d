"""The judge: what a ledger holds, against what is known to have happened."""

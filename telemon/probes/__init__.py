"""Test calls to the permanence: when they are due, how they are placed, what became of them."""

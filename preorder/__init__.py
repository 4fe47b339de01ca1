"""Promises before stock: campaigns, ledger, final volume, batches, allocation and promise dates."""

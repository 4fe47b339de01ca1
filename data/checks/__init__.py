"""Checks of every table that is written: rules from the contracts, judged by Great Expectations, never on nothing."""

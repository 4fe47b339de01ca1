"""Checks of every table that is written: rules from the contracts, evaluated by Great Expectations, never on nothing."""

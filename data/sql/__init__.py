"""Staging and marts: SQL generated from the contracts. Raw rows in, what the run for D may know out."""

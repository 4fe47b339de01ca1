"""The ground floor: DuckDB, files, contracts, checks and publishing. It knows no business rule."""

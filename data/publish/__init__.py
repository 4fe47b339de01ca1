"""Publishing a run: tables and reports in an immutable folder with a manifest, and a link that moves in one step."""

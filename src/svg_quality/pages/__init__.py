"""Self-contained HTML pages: one look, one template engine, charts without a library."""

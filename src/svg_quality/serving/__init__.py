"""The service: REST API, web page, and the log of what was predicted for whom."""

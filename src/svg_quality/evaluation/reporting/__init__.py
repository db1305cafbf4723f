"""The page of an evaluation: its tables, charts, gallery and verdicts."""

"""Results of earlier runs, found in their logs, as rows of the conversions table."""

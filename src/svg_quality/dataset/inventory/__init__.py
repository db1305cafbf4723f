"""What a table of conversions holds, what it lacks, and what to convert next."""

"""From measured conversions to an immutable, released dataset."""

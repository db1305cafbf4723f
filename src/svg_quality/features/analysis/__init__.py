"""What features and descriptors say of quality: pure functions on arrays, and their page."""

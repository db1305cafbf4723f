"""The networks, their losses, their uncertainty, and their files."""

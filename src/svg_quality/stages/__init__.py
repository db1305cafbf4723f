"""A module per entry point of MLproject, in rooms named like those of their settings."""

"""A contact sheet for people, and the marks they make on it."""

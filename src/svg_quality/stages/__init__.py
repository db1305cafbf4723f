"""One function per MLproject entry point."""

"""From logos and logs to a release, checked, kept and sent on."""

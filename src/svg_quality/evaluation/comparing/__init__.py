"""One run beside another: the predictions that are kept, the verdicts, and their page."""

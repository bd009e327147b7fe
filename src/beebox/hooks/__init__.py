"""Hook points described: contexts, verdicts, event sources."""

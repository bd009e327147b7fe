"""beebox's own kernel: maps, admission, helpers, test runs and replay in the process."""

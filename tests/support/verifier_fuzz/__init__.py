"""Fuzzing the verifier: programs edited, compared with Linux, minimised, counted, executed."""

"""Findings and states in words: for people, as data, and in the notation of Linux's log."""

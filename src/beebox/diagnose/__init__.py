"""Rejections explained further, by what needs execution: tried changes, counterexamples, logs."""

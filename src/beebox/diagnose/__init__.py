"""Rejections explained further: counterexamples, fixes, kernel logs."""

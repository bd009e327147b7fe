"""Run verified programs: memory, interpreter, native code."""

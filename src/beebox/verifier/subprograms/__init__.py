"""The program's own functions: static ones in their callers' states, global ones by themselves."""

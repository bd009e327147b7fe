"""The program before any value is known: control flow, functions, stack depth, rights."""

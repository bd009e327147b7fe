"""Dynptrs: memory with a size that is known at run time, and the slots of stack that hold them."""

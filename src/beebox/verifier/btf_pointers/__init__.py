"""Pointers to what BTF describes: structs of the kernel, contexts made of such pointers."""

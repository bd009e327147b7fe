"""The kernel's own fields in map values and in objects that programs make."""

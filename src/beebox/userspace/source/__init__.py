"""Helper bodies in the native dialect: read as text by the compiler, never executed."""

"""Assembly text (``.s``) to objects and back, and what ``clang -S`` prints to objects."""

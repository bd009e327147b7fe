"""The one door to llvmlite: worker, cache, linking, native calls."""

"""Objects: ELF and assembly text to specs, specs to ELF, linking."""

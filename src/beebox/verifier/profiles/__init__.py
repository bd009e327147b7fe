"""What others than a privileged loader of the newest kernel are refused: rules by profile."""

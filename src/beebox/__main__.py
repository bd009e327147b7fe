"""``python -m beebox``: the command line."""

from beebox.cli.main import main

if __name__ == "__main__":
    main()

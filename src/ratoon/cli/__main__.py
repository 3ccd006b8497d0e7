"""`python -m ratoon.cli`, where the command `ratoon` is not on the path."""

from ratoon.cli.app import main

if __name__ == "__main__":
    main()

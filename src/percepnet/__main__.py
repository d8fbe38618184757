"""The command `percepnet`."""

import sys

from percepnet import __version__


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:] == ["--version"]:  # before the command-line library is loaded: it takes longer than the answer
        print(f"percepnet {__version__}")
        return
    from percepnet.cli import app

    app(prog_name="percepnet")


if __name__ == "__main__":
    main()

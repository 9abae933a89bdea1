"""Make ``python -m glidepath_ops`` the same as the ``glidepath`` command."""

from glidepath_ops.cli import main

if __name__ == "__main__":
    main()

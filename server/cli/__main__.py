"""`python -m server.cli`."""

from server.cli import minqing

if __name__ == "__main__":
    minqing()

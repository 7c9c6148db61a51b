"""`python -m supervisor` is `portsup`."""

from supervisor.cli.main import run

if __name__ == "__main__":
    run()

"""Command line."""


def main() -> None:
    raise SystemExit("no commands yet")

"""`ownkey simulate`: a provider for tests and demonstrations, that fails on demand."""

from __future__ import annotations

import typer

from ownkey.talk.errors import BadConfiguration


def simulate(
    host: str = typer.Option("127.0.0.1", help="Address to listen at."),
    port: int = typer.Option(3011, help="Port to listen at; 0 takes a free one."),
    fault: str = typer.Option("", help="What shall go wrong, for example `status=429;retry-after=2;times=3`."),
) -> None:
    """Run a provider that speaks every wire; docs/simulate.md says what can be made to go wrong."""
    from ownkey.simulate.server import Server, run

    def announce(server: Server) -> None:
        typer.echo(
            f"A simulated provider answers at {server.url}/v1 (OpenAI, Anthropic) and {server.url}/v1beta (Gemini)."
        )

    try:
        run(host, port, fault, announce)
    except OSError as error:
        raise BadConfiguration(
            f"Nothing can listen at {host}:{port}: {error.strerror}.", "Choose another with --port or --host."
        ) from None

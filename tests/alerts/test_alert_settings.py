"""Nothing starts with half of what alerts need, and no webhook goes unsigned."""

from __future__ import annotations

from pathlib import Path

import pytest

from canaries import canary
from house import COMMAND, environment, run
from ownkey.settings import load
from ownkey.talk.errors import BadConfiguration

HOOK = {"OWNKEY_ALERT_WEBHOOK_URL": "https://example.com/hook"}
SECRET = {"OWNKEY_ALERT_WEBHOOK_SECRET": canary("webhook settings", "")}
MAIL = {"OWNKEY_SMTP_URL": "smtps://me@mail.example.com", "OWNKEY_SMTP_PASSWORD": "hidden"}
TO = {"OWNKEY_ALERT_EMAIL_TO": "a@example.com, b@example.com"}


def refused(home: Path, environ: dict[str, str]) -> str:
    with pytest.raises(BadConfiguration) as error:
        load(environ, home=home)
    return str(error.value)


def test_what_goes_together_is_taken(tmp_path: Path) -> None:
    settings = load(HOOK | SECRET | MAIL | TO, home=tmp_path)
    assert settings.alert_email_to == ("a@example.com", "b@example.com")
    for hidden in ("hidden", SECRET["OWNKEY_ALERT_WEBHOOK_SECRET"], "mail.example.com", "/hook"):
        assert hidden not in repr(settings)


@pytest.mark.parametrize("secret", [{}, {"OWNKEY_ALERT_WEBHOOK_SECRET": ""}])
def test_B35_a_webhook_with_an_empty_or_missing_secret_does_not_start(tmp_path: Path, secret: dict[str, str]) -> None:
    assert "OWNKEY_ALERT_WEBHOOK_SECRET" in refused(tmp_path, HOOK | secret)
    done = run(environment(tmp_path / "home", **HOOK, **secret), "serve", "--port", "0")
    assert (done.returncode, done.stdout) == (6, ""), COMMAND
    assert "OWNKEY_ALERT_WEBHOOK_SECRET" in done.stderr


@pytest.mark.parametrize("secret", ["x", " " * 3, "0123456789abcde", "whsec_", "whsec_MDEyMzQ1Njc4OWFiY2Q=", "whsec_!"])
def test_B35_a_secret_that_can_be_guessed_does_not_start(tmp_path: Path, secret: str) -> None:
    said = refused(tmp_path, HOOK | {"OWNKEY_ALERT_WEBHOOK_SECRET": secret})
    assert "too short" in said
    assert secret == "x" or secret not in said


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        (SECRET | {"OWNKEY_ALERT_WEBHOOK_URL": "ftp://example.com"}, "OWNKEY_ALERT_WEBHOOK_URL"),
        (SECRET | {"OWNKEY_ALERT_WEBHOOK_URL": "https://u:p@example.com"}, "OWNKEY_ALERT_WEBHOOK_URL"),
        (SECRET | {"OWNKEY_ALERT_WEBHOOK_URL": "https://example.com/a?b c"}, "OWNKEY_ALERT_WEBHOOK_URL"),
        (SECRET | {"OWNKEY_ALERT_WEBHOOK_URL": "inside://demo"}, "OWNKEY_ALERT_WEBHOOK_URL"),
        (MAIL, "OWNKEY_ALERT_EMAIL_TO"),
        (TO, "OWNKEY_SMTP_URL"),
        (TO | {"OWNKEY_SMTP_URL": "smtps://me@mail.example.com"}, "OWNKEY_SMTP_PASSWORD"),
        (TO | MAIL | {"OWNKEY_SMTP_URL": "smtps://mail.example.com"}, "OWNKEY_SMTP_URL"),
        (TO | MAIL | {"OWNKEY_SMTP_URL": "smtps://me:pass-in-url@mail.example.com"}, "OWNKEY_SMTP_PASSWORD"),
        (TO | MAIL | {"OWNKEY_ALERT_EMAIL_FROM": "Ownkey <a@b.c>"}, "OWNKEY_ALERT_EMAIL_FROM"),
        (MAIL | {"OWNKEY_ALERT_EMAIL_TO": "a@b.c\nBcc: d@e.f"}, "OWNKEY_ALERT_EMAIL_TO"),
        (MAIL | {"OWNKEY_ALERT_EMAIL_TO": "nobody"}, "OWNKEY_ALERT_EMAIL_TO"),
    ],
)
def test_half_of_it_and_what_cannot_be_is_refused_by_name(tmp_path: Path, environ: dict[str, str], names: str) -> None:
    said = refused(tmp_path, environ)
    assert names in said
    assert "pass-in-url" not in said

"""Facts about settings: read once from the environment, told in words when they are wrong."""

import pytest
from pydantic import ValidationError

from service.api.settings import Settings, read_settings
from service.errors import PatsumError


def test_environment_is_read(monkeypatch):
    monkeypatch.setenv("PATSUM_PORT", "8123")
    monkeypatch.setenv("PATSUM_MAX_DOCUMENTS", "")
    settings = read_settings()
    assert settings.port == 8123
    assert settings.max_documents == 25


def test_given_settings_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("PATSUM_PORT", "8123")
    assert read_settings(port=8124).port == 8124


@pytest.mark.parametrize(
    ("name", "value"),
    [("PATSUM_PORT", "eighty"), ("PATSUM_WORKERS", "0"), ("PATSUM_LOG_LEVEL", "loud")],
)
def test_wrong_variable_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(PatsumError, match=f"{name}: .*'{value}'"):
        read_settings()


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().port = 1

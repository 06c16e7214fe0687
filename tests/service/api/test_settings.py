"""Facts about settings: read once from the environment, told in words when they are wrong."""

import re

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


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PATSUM_WORKER", "2", "did you mean PATSUM_WORKERS?"),
        ("PATSUM_COLOUR", "red", "see `patsum serve --help`"),
        ("PATSUM_API_KEY", "", "expected a key, got an empty one"),
        ("PATSUM_API_KEY", " , ", "at least one key"),
        ("PATSUM_MAX_QUEUE_S", "inf", "PATSUM_MAX_QUEUE_S"),
        ("PATSUM_DEADLINE_S", "0", "PATSUM_DEADLINE_S"),
        ("PATSUM_DRAIN_S", "inf", "PATSUM_DRAIN_S"),
        ("PATSUM_OTLP_ENDPOINT", "collector:4318", "PATSUM_OTLP_ENDPOINT"),
        ("PATSUM_OTLP_ENDPOINT", "ftp://collector", "PATSUM_OTLP_ENDPOINT"),
        ("PATSUM_OTLP_ENDPOINT", "http://collector:99999", "PATSUM_OTLP_ENDPOINT"),
    ],
)
def test_variable_that_would_open_a_door_or_mean_nothing_is_refused(
    monkeypatch, variable, value, told
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(PatsumError, match=re.escape(told)):
        read_settings()

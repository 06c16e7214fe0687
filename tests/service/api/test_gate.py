"""Facts about keys: what they open, what stands open without one."""

import pytest
from pydantic import SecretStr, ValidationError

from service.api.gate import split_keys
from service.api.settings import Settings

KEYS = "first-key, sécond, voilà"


@pytest.fixture(scope="module")
def guarded(tiny_bundle, start_client):
    settings = Settings(bundle=tiny_bundle, metrics_port=0, api_key=SecretStr(KEYS))
    with start_client(settings) as client:
        yield client


def ask(client, *, key=None, path="/v1/summarize"):
    headers = {} if key is None else {"Authorization": key.encode()}
    return client.post(path, json={"text": "A storm came."}, headers=headers)


@pytest.mark.parametrize(
    "key", ["Bearer first-key", "bearer  first-key ", "Bearer sécond", "Bearer voilà"]
)
def test_each_key_opens(guarded, key):
    assert ask(guarded, key=key).status_code == 200


@pytest.mark.parametrize(
    "key", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic first-key", f"Bearer {KEYS}"]
)
@pytest.mark.parametrize("path", ["/v1/summarize", "/v1/explain"])
def test_without_a_known_key_the_answer_is_401_with_a_challenge(guarded, key, path):
    response = ask(guarded, key=key, path=path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="patsum"'
    assert response.headers["content-type"] == "application/problem+json"
    assert "first-key" not in response.text


def test_info_is_guarded_and_probes_and_descriptions_are_not(guarded):
    assert guarded.get("/info").status_code == 401
    assert guarded.get("/info", headers={"Authorization": "Bearer first-key"}).status_code == 200
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_without_keys_nothing_is_guarded(client):
    assert ask(client).status_code == 200


def test_keys_do_not_show():
    settings = Settings(api_key=SecretStr(KEYS))
    assert "first-key" not in f"{settings!r} {settings.model_dump()}"


@pytest.mark.parametrize("setting", [" ", ",", " , ,"])
def test_setting_without_any_key_is_refused(setting):
    with pytest.raises(ValidationError, match="at least one key"):
        Settings(api_key=SecretStr(setting))


def test_keys_are_split_at_commas():
    assert split_keys(" a,b , ,c") == ["a", "b", "c"]

"""How one process runs: every `PATSUM_*` variable of the environment, read once and passed down."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import PatsumError

ENV_PREFIX = "PATSUM_"

LogLevel = Literal["debug", "info", "warning", "error"]


def count_usable_cpus() -> int:
    """Count the CPUs that this process may run on; blind to a container's CPU quota."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """Where the service listens, what it loads, and what it refuses.

    What the model reads is no setting: that is fixed by the bundle.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API; 0 takes a free one.")
    metrics_port: int = Field(
        9000, ge=0, le=65535, description="Port of the Prometheus metrics; 0 turns them off."
    )
    bundle: Path | None = Field(
        None, description="Bundle folder with the model; without it, the embedded one."
    )
    threads: int = Field(1, ge=1, le=256, description="Threads that work on one document.")
    workers: int = Field(
        default_factory=count_usable_cpus,
        ge=1,
        le=256,
        description="Documents worked on at one time; without it, one a usable CPU.",
    )
    max_body_bytes: int = Field(1_000_000, ge=1, description="Largest request body, in bytes.")
    max_documents: int = Field(25, ge=1, description="Most documents in one request.")
    max_characters: int = Field(
        125_000, ge=1, description="Most code points of text in one request."
    )
    max_occluded_sentences: int = Field(
        40, ge=1, description="Most sentences that occlusion removes, one run each."
    )
    occlusion_workers: int = Field(
        1, ge=1, le=256, description="Documents explained by occlusion at one time, beside those."
    )
    max_queue_s: float = Field(
        2.0, gt=0, le=3600, description="Seconds of work that may wait; more is refused with 429."
    )
    max_queue_tokens: int | None = Field(
        None,
        ge=1,
        description="Tokens that may wait; without it, max_queue_s at the speed that is seen.",
    )
    deadline_s: float = Field(
        10.0, gt=0, le=3600, description="Seconds after which a request is given up with 504."
    )
    upload_s: float = Field(
        10.0, gt=0, le=3600, description="Seconds for a request's body to come whole; then 408."
    )
    drain_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds that requests are still taken after SIGTERM, not ready.",
    )
    api_key: SecretStr | None = Field(
        None, description="Bearer keys, separated by commas; without any, requests need none."
    )
    otlp_endpoint: str | None = Field(
        None, description="URL of an OTLP/HTTP collector for traces; needs the extra `otel`."
    )
    keep_alive_s: int = Field(
        65, ge=1, description="Seconds after which an idle connection is closed."
    )
    graceful_shutdown_s: int = Field(
        30, ge=0, description="Seconds that open requests get to finish after the drain."
    )
    log_level: LogLevel = Field("info", description="Least severe level that is logged.")

    @field_validator("otlp_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        """Refuse what no collector can be reached at, before the first trace is lost."""
        if value is not None and (AnyHttpUrl(value).host or "") == "":
            raise ValueError("expected a URL such as http://collector:4318")
        return value

    @field_validator("api_key")
    @classmethod
    def _check_keys(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what looks like keys and holds none: it would leave the door open."""
        if value is not None and not value.get_secret_value().replace(",", "").strip():
            raise ValueError("expected at least one key, got only commas and white space")
        return value


def read_settings(**given: object) -> Settings:
    """Read the settings from the environment.

    Args:
        given: settings that win over the environment.

    Raises:
        PatsumError: a value is of the wrong kind or out of its range.
    """
    _check_names(os.environ)
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        variable = ENV_PREFIX + str(first["loc"][0]).upper()
        raise PatsumError(
            f"{variable}: {first['msg']}, got {first['input']!r}; mend the variable or the option"
        ) from error


def _check_names(environment: Mapping[str, str]) -> None:
    """Refuse a variable of ours that does not exist, and a key that is empty: both open a door.

    Raises:
        PatsumError: which one, and the nearest name that exists.
    """
    known = [name.upper() for name in Settings.model_fields]
    for variable in sorted(environment):
        name = variable.removeprefix(ENV_PREFIX)
        if variable.startswith(ENV_PREFIX) and name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {ENV_PREFIX}{near[0]}?" if near else "see `patsum serve --help`"
            raise PatsumError(f"expected a variable that exists, got {variable}; {hint}")
    if environment.get(ENV_PREFIX + "API_KEY") == "":
        raise PatsumError(
            f"{ENV_PREFIX}API_KEY: expected a key, got an empty one; "
            "give one, or remove the variable to serve without keys"
        )

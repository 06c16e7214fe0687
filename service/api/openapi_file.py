"""The committed OpenAPI file.

    python -m service.api.openapi_file > docs/openapi.json

A test compares the two.
"""

import json

import click

from service.api.app import create_app
from service.api.settings import Settings


def write_openapi() -> str:
    """Write the description of this service's API as it is committed: JSON that reads well."""
    described = create_app(Settings(metrics_port=0)).openapi()
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    click.echo(write_openapi(), nl=False)

"""Where servers listen that nobody told a port, and how they are told one. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple


class Server(NamedTuple):
    """A well-known server. One with neither `env` nor `option` reads PORT."""

    pattern: re.Pattern[str]
    """Finds it in a command line."""
    usual: int
    env: str | None = None
    """The variable in which it looks for its port."""
    option: str | None = None
    """What is put behind its command line; {} is the port."""


def _server(words: str, usual: int, *, env: str | None = None, option: str | None = None) -> Server:
    return Server(re.compile(rf"(?:^|[\s/'\"]){words}(?=$|[\s'\"])"), usual, env, option)


SERVERS = (
    _server(r"rails\s+(?:s|server)", 3000),
    _server(r"next\s+(?:dev|start)", 3000),
    _server(r"nuxt\s+(?:dev|start|preview)", 3000),
    _server(r"react-scripts\s+start", 3000),
    _server(r"gunicorn", 8000),
    _server(r"puma", 3000),
    _server(r"mix\s+phx\.server", 4000),
    _server(r"uvicorn", 8000, env="UVICORN_PORT"),
    _server(r"flask\s+run|flask(?:\s+--?\S+(?:[= ]\S+)?)+\s+run", 5000, env="FLASK_RUN_PORT"),
    _server(r"streamlit\s+run", 8501, env="STREAMLIT_SERVER_PORT"),
    _server(r"manage\.py\s+runserver", 8000, option="{}"),
    _server(r"-m\s+http\.server", 8000, option="{}"),
    _server(r"fastapi\s+(?:dev|run)", 8000, option="--port {}"),
    _server(r"vite\s+preview", 4173, option="--port {} --strictPort"),
    _server(r"vite(?!\s+(?:build|optimize))", 5173, option="--port {} --strictPort"),
    _server(r"astro\s+(?:dev|preview)", 4321, option="--port {}"),
    _server(r"ng\s+serve", 4200, option="--port {}"),
    _server(r"webpack(?:-dev-server|\s+(?:serve|dev-server))", 8080, option="--port {}"),
    _server(r"storybook\s+dev", 6006, option="-p {}"),
    _server(r"gatsby\s+develop", 8000, option="-p {}"),
    _server(r"http-server", 8080, option="-p {}"),
    _server(r"redis-server", 6379, option="--port {}"),
    _server(r"hugo\s+serve(?:r)?", 1313, option="--port {}"),
    _server(r"jekyll\s+s(?:erve)?", 4000, option="--port {}"),
    _server(r"mkdocs\s+serve", 8000, option="-a 127.0.0.1:{}"),
    _server(r"rackup", 9292, option="-p {}"),
    _server(r"artisan\s+serve", 8000, option="--port={}"),
)

IMAGE_PORTS = {
    "postgres": 5432,
    "postgresql": 5432,
    "postgis": 5432,
    "pgvector": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "valkey": 6379,
    "mongo": 27017,
    "memcached": 11211,
    "rabbitmq": 5672,
    "elasticsearch": 9200,
    "opensearch": 9200,
    "nginx": 80,
    "minio": 9000,
    "adminer": 8080,
    "mailhog": 1025,
    "mailpit": 1025,
}
"""On which port the server of a well-known image listens in its container."""


def server_in(line: str) -> Server | None:
    """The first one that the command line starts."""
    return next((server for server in SERVERS if server.pattern.search(line)), None)


def image_port(image: str) -> int | None:
    """Of an image such as docker.io/library/postgres:16."""
    return IMAGE_PORTS.get(image.rpartition("/")[2].partition(":")[0].partition("@")[0])

"""The servers, one module each (the two S3 servers share one)."""

from infra.local_servers.recipe import Recipe
from infra.local_servers.recipes.kafka import KAFKA
from infra.local_servers.recipes.milvus import MILVUS, MILVUS_LITE
from infra.local_servers.recipes.neo4j import NEO4J
from infra.local_servers.recipes.s3 import MINIO, VERSITYGW
from infra.local_servers.recipes.timescaledb import TIMESCALEDB

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (KAFKA, NEO4J, TIMESCALEDB, MILVUS_LITE, MILVUS, VERSITYGW, MINIO)
}
"""All that can be started. A stand-in comes before the real one, so that the real one's address is what counts."""
USUAL = ("kafka", "neo4j", "timescaledb", "milvus", "versitygw", "minio")
"""What is installed and started where no names are given."""
QUICK = tuple(name for name in USUAL if name != "minio")
"""The same without what takes minutes to build."""

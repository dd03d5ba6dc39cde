"""How large the catalogues are at full scale."""

BIG_UNITS = 50_000
"""1.2 million events, 1.15 million nodes, 2.3 million edges, 100,000 embeddings, 200,000 documents."""
SMALL_UNITS = BIG_UNITS // 10
"""The same, a tenth of it, to see what grows with the graph."""

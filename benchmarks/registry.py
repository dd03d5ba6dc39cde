"""Every figure there is, in the order they are measured."""

from __future__ import annotations

from benchmarks import (
    across,
    append,
    feed,
    finding,
    hearing_speed,
    imports,
    lineage,
    rebuild,
    server_append,
    server_command,
    server_feed,
    server_graph,
    server_relay,
    server_rows,
    server_vectors,
    server_workers,
    start,
)
from benchmarks.figures import Figure

FIGURES: tuple[Figure, ...] = (
    Figure(
        "append.batch1000", append.batch1000, "events/s", "higher", 0.6,
        "durable appends by the thousand: encoded, numbered, checksummed, indexed",
        "the bare apsw insert of the same rows, made beforehand, under the same indexes and pragmas", "ratio",
    ),
    Figure(
        "append.concurrent64", append.concurrent64, "events/s", "higher", append.GROUPED_AT_LEAST,
        "64 threads, each appending single events, each durable",
        "the same threads under a lock, a commit an event; where fsync does not dominate, the raw batched rate",
        "ratio",
    ),
    Figure(
        "append.vs_eventsourcing.1", append.versus_1, "events/s", "higher", 1.0,
        "one event at a time, from event object to durable commit",
        "the eventsourcing library's SQLite recorder, fed ready rows", "ratio",
    ),
    Figure(
        "append.vs_eventsourcing.100", append.versus_100, "events/s", "higher", 1.0,
        "by the hundred", "the same recorder, fed ready rows", "ratio",
    ),
    Figure(
        "append.vs_eventsourcing.1000", append.versus_1000, "events/s", "higher", 1.0,
        "by the thousand", "the same recorder, fed ready rows", "ratio",
    ),
    Figure(
        "append.vs_eventsourcing.mapped", append.versus_mapped, "events/s", "higher", None,
        "by the thousand", "the library's mapper and recorder, from its event objects", "ratio",
    ),
    Figure(
        "log.across_ms", across.across_ms, "ms", "lower", 100,
        "p95 from an append's commit until another process on the same folder is told of it",
        "p95 until it reads a line about it from a pipe",
    ),
    Figure(
        "rebuild.rate", rebuild.rate, "events/s", "higher", 20_000,
        "all views anew from the whole log, beside the live ones, then switched",
        "the same log read and decoded, nothing written",
    ),
    Figure(
        "rebuild.tail", rebuild.tail, "events/s", "higher", 0.9,
        "the last tenth of the rebuild", "its first tenth", "ratio",
    ),
    Figure(
        "rebuild.peak_mib", rebuild.peak, "MiB", "lower", 500, "the most memory the rebuilding process held",
    ),
    Figure(
        "lineage.depth5", lineage.depth5, "ms", "lower", 10,
        "p95 of a GraphQL query for five steps up: parsed, limited, walked, answered as JSON",
        "p95 of one recursive SQL query that fetches the same nodes with the same columns",
    ),
    Figure(
        "lineage.depth5_vs_sql", lineage.depth5, "ms", "lower", 2.0, "the same, held against the bare SQL",
        "as above", "ratio",
    ),
    Figure(
        "lineage.depth5_links", lineage.depth5_linked, "ms", "lower", None,
        "the same with the links between the nodes", "the bare SQL and a second one for the links",
    ),
    Figure(
        "lineage.ancestry2000", lineage.ancestry, "ms", "lower", 50,
        "p99 of 2,000 ancestors with the edges between them, at the port",
        "p99 of a recursive SQL query for the nodes alone",
    ),
    Figure(
        "lineage.as_of", lineage.as_of, "ms", "lower", 1.5,
        "median of the depth-5 query as of a position", "the same now", "ratio",
    ),
    Figure(
        "lineage.growth", lineage.growth, "ms", "lower", 1.3,
        "median of the depth-5 query, answers of a full page", "the same in a tenth of the graph", "ratio",
    ),
    Figure(
        "similar.100k", finding.similar, "ms", "lower", 50,
        "p95 of a GraphQL query for the ten nearest of 100,000 embeddings, exact",
        "p95 of NumPy's brute force over one matrix in memory",
    ),
    Figure(
        "search.100k", finding.search, "ms", "lower", 50,
        "p95 of a GraphQL full-text query: one word, common or rare, two words, the beginning of one",
        "p95 of the bare FTS5 query, best twenty by the same weights",
    ),
    Figure(
        "feed.p99_ms", feed.p99, "ms", "lower", 25,
        "p99 from commit to the text of the message for each of 100 subscribers, the runner working beside them",
        "p99 of a thread waking 100 tasks of an event loop",
    ),
    Figure(
        "feed.1000", feed.thousand, "messages/s", "higher", 0.9,
        "messages to 1,000 subscribers while one more has stopped reading; fails if one is lost or repeated",
        "the same without that one", "ratio",
    ),
    Figure(
        "import.realtime", imports.realtime, "× real time", "higher", 20,
        "seconds of audio imported and wholly analysed in a second of 100 files' import, from nothing",
        "the same functions in a plain loop in one process, times the number of workers",
    ),
    Figure(
        "import.overhead", imports.overhead, "%", "lower", 15,
        "the share of the workers' time in which none of their tasks ran",
    ),
    Figure(
        "hearing.realtime", hearing_speed.realtime, "× real time", "higher", 40,
        "seconds of a three-minute stereo file imported and heard in a second by two workers: all but transcription",
        "the same functions in one process, times two",
    ),
    Figure(
        "hearing.vs_librosa", hearing_speed.versus_librosa, "× real time", "higher", 3.0,
        "seconds of audio decoded and told in twelve features a frame in a second",
        "librosa called feature by feature on the same file, in turn", "ratio",
    ),
    Figure(
        "hearing.growth", hearing_speed.growth, "ms/s", "lower", 1.2,
        "time for each second of two hours, all analyses in one process", "of three minutes", "ratio",
    ),
    Figure(
        "hearing.peak_mib", hearing_speed.peak, "MiB", "lower", 1024,
        "the most memory that the worker held which heard two hours of stereo", "three minutes",
    ),
    Figure(
        "start.help_s", start.help_s, "s", "lower", 0.4, "`disco --help`, as a process", "a Python that does nothing",
    ),
    Figure(
        "start.ready_s", start.ready_s, "s", "lower", 2.0,
        "from starting `disco serve` on the big catalogue until /readyz answers",
        "a Python that imports the frameworks and does nothing",
    ),
    Figure(
        "demo.installed_s", start.demo_s, "s", "lower", 20,
        "`make demo` where all is installed and was run once: import, analyses, accompaniment, lineage and replay",
        "a Python that imports the frameworks and does nothing",
    ),
    Figure(
        "server.append", server_append.append, "events/s", "higher", 0.5,
        "appends by the thousand to acknowledgement: encoded, ids checked, numbered, into ledger and outbox",
        "a binary COPY of the same rows, made beforehand, into the same tables with their indexes, in turn", "ratio",
    ),
    Figure(
        "server.relay", server_relay.relay, "events/s", "higher", 0.5,
        "the outbox to Kafka: read, made into records, acknowledged, cleared",
        "a bare aiokafka producer with the same settings and the same records, made beforehand", "ratio",
    ),
    Figure(
        "server.command.ack_ms", server_command.ack_ms, "ms", "lower", 15,
        "p95 from a single command to its acknowledgement, by an API node that relays, with a worker beside it",
        "p95 of a bare transaction that inserts the same rows and commits, in turn",
    ),
    Figure(
        "server.command.graph_ms", server_command.graph_ms, "ms", "lower", 150,
        "p95 from a single command until every view has it and the graph shows it, folded by a worker process",
        "p95 of one row by bare drivers in one process: inserted, sent to Kafka, heard from it, merged into Neo4j",
    ),
    Figure(
        "server.feed.p99_ms", server_feed.p99, "ms", "lower", 100,
        "p99 from commit in one process to the text of the message for each of 100 subscribers of another",
        "p99 of a bare notice of PostgreSQL that wakes 100 tasks of an event loop there",
    ),
    Figure(
        "server.workers.two", server_workers.two, "×", "higher", 1.7,
        "sounds analysed in a second by two workers of one process each, as a multiple of what one of them does",
    ),
    Figure(
        "server.series.rebuild", server_rows.series, "points/s", "higher", 0.5,
        "measurements folded by the page into a fresh generation in TimescaleDB, indexes and all",
        "a binary COPY of the same rows, made beforehand, and the same indexes", "ratio",
    ),
    Figure(
        "server.documents.rebuild", server_rows.documents, "documents/s", "higher", None,
        "the catalogue folded by the page into a fresh generation in PostgreSQL: decoded, cut into words, indexed",
        "a COPY of the same rows, made beforehand, and the same indexes", "ratio",
    ),
    Figure(
        "server.graph.rebuild", server_graph.rebuild, "rows/s", "higher", 0.6,
        "nodes and edges folded by the page into a fresh generation in Neo4j, their events decoded",
        "UNWIND and MERGE of the same rows, made beforehand, by the bare driver, page by page in turn", "ratio",
    ),
    Figure(
        "server.lineage.depth5", server_graph.depth5, "ms", "lower", 1.5,
        "p95 of five steps up at the port: a hundred nodes with all columns, and the edges between them",
        "p95 of one Cypher statement by the bare driver for the nodes alone", "ratio",
    ),
    Figure(
        "server.lineage.graphql", server_graph.graphql, "ms", "lower", 1.5,
        "p95 of the same by GraphQL: parsed, limited, walked as of a position, answered as JSON with the links",
        "as above", "ratio",
    ),
    Figure(
        "server.vectors.rebuild", server_vectors.rebuild, "vectors/s", "higher", 0.6,
        "embeddings folded by the page into a fresh generation in Milvus and PostgreSQL, their events decoded",
        "the bare driver's insert of the same rows, made beforehand, page by page in turn", "ratio",
    ),
    Figure(
        "server.similar.100k", server_vectors.similar, "ms", "lower", 50,
        "p95 of the ten nearest of 100,000 embeddings, of all and of a project in turn, exact, at the port",
        "p95 of the bare driver's search of the same collection, which may not see the newest writes",
    ),
)  # fmt: skip

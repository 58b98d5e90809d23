-- A document has a row for each version, and the highest version that is COMPLETED or DELETED counts: until a new
-- one is complete, its predecessor is found. Chunks carry the version that they are of, so that one row makes all of
-- them appear or disappear at once.

CREATE TABLE IF NOT EXISTS knowledge_document_changes (
    id UUID,
    revision UInt64,
    tenant_id LowCardinality(String),
    dataset_id LowCardinality(String),
    version Int64,
    status LowCardinality(String),
    name String CODEC(ZSTD(1)),
    file_id Nullable(String) CODEC(ZSTD(1)),
    extension LowCardinality(String),
    mime_type LowCardinality(String),
    metadata String CODEC(ZSTD(1)),
    error Nullable(String) CODEC(ZSTD(1)),
    chunk_count UInt32,
    character_count UInt64,
    datasets_offset Int64,
    created_by LowCardinality(Nullable(String)),
    created_at DateTime64(6, 'UTC'),
    finished_at Nullable(DateTime64(6, 'UTC')),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (tenant_id, dataset_id, id, version);

CREATE OR REPLACE VIEW knowledge_documents AS
SELECT
    id, revision, tenant_id, dataset_id, version, status, name, file_id, extension, mime_type, metadata, error,
    chunk_count, character_count, datasets_offset, created_by, created_at, finished_at, recorded_at
FROM (
    SELECT * FROM knowledge_document_changes FINAL ORDER BY version DESC LIMIT 1 BY tenant_id, dataset_id, id
)
WHERE status != 'DELETED';

-- The words of a chunk are told apart before it comes here, so that queries and chunks agree on any version of
-- ClickHouse; the filter over them leaves out granules without a word of the query. Vectors have as many dimensions
-- as the model of their dataset, which an index on vectors could not have: they are compared one by one.
CREATE TABLE IF NOT EXISTS knowledge_chunk_changes (
    id UUID,
    tenant_id LowCardinality(String),
    dataset_id LowCardinality(String),
    document_id UUID,
    version Int64,
    position UInt32,
    content String CODEC(ZSTD(1)),
    hash String CODEC(ZSTD(1)),
    words Array(String) CODEC(ZSTD(1)),
    word_count UInt32 MATERIALIZED length(words),
    embedding_model LowCardinality(String),
    vector Array(Float32) CODEC(NONE),
    recorded_at DateTime64(6, 'UTC') DEFAULT now64(6),
    INDEX by_word words TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant_id, dataset_id, document_id, version, position)
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW knowledge_chunks AS
SELECT
    id, tenant_id, dataset_id, document_id, version, position, content, hash, words, embedding_model, vector, recorded_at
FROM knowledge_chunk_changes FINAL
WHERE (tenant_id, dataset_id, document_id, version) IN (
    SELECT tenant_id, dataset_id, id, version
    FROM (
        SELECT tenant_id, dataset_id, id, version, status
        FROM knowledge_document_changes
        WHERE status IN ('COMPLETED', 'DELETED')
        ORDER BY version DESC
        LIMIT 1 BY tenant_id, dataset_id, id
    )
    WHERE status = 'COMPLETED'
);

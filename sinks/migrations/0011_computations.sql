-- By which computation a row of `rollup_progress` came about, by its `as_of`. What another release has computed may be
-- computed otherwise by now, and is computed again. A table of its own, since releases before this one insert into that
-- one without naming its columns.
CREATE TABLE IF NOT EXISTS rollup_computations (
    as_of DateTime64(6, 'UTC'),
    computation UInt32
)
ENGINE = ReplacingMergeTree(as_of)
ORDER BY tuple()
SETTINGS max_suspicious_broken_parts = 1000000;

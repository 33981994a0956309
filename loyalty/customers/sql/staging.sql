-- The batch on its way into `customer`: one row per person, already resolved. Kept for the session, emptied by each commit.
-- `given` has one bit per column that the batch says something about, in the order of rows.COLUMNS.
CREATE TEMP TABLE IF NOT EXISTS customer_staging (
    customer_id bigint NOT NULL,
    is_new boolean NOT NULL,
    given integer NOT NULL,
    external_id text,
    email text,
    phone text,
    first_name text,
    last_name text,
    locale text,
    timezone text,
    country text,
    city text,
    postcode text,
    birth_date date,
    email_digest bytea,
    phone_digest bytea,
    attributes jsonb,
    removed text[],
    row_digest bytea
) ON COMMIT DELETE ROWS

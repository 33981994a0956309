"""How a JSON value is read as text, number or instant: NULL where it cannot be, never an error.

Each function is one SELECT, so that PostgreSQL inlines it into the statement. CASE keeps its order of evaluation, so a
cast is only reached by what its test let through.
"""

from django.db import migrations

TEXT = """
CREATE FUNCTION segment_text(item jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(item) IN ('string', 'number') THEN item #>> '{}' END
$$"""

# Decimal text is a number too (money is written so), and so is the amount of a money object. Numbers of 10^60 and more
# are nobody's data, but summing those that JSON allows would overflow numeric.
NUMBER = r"""
CREATE FUNCTION segment_number(item jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(item)
        WHEN 'number' THEN CASE WHEN abs(item::numeric) < 1e60 THEN item::numeric END
        WHEN 'string' THEN
            CASE WHEN item #>> '{}' ~ '^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$' THEN (item #>> '{}')::numeric END
        WHEN 'object' THEN
            CASE WHEN item ->> 'amount' ~ '^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$' THEN (item ->> 'amount')::numeric END
    END
$$"""

# Of an hour that comes twice PostgreSQL takes the second; everywhere else in this product it is the first.
INSTANT = """
CREATE FUNCTION segment_instant(wall timestamp, zone text) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN ((wall AT TIME ZONE zone) - interval '1 hour') AT TIME ZONE zone = wall
        THEN (wall AT TIME ZONE zone) - interval '1 hour' ELSE wall AT TIME ZONE zone END
$$"""

# STABLE like pg_input_is_valid; the session's own zone and date style have no say, for only ISO text is let through.
MOMENT = r"""
CREATE FUNCTION segment_moment(item jsonb, zone text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(item) = 'string' THEN CASE
        WHEN item #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'date') THEN (item #>> '{}')::date::timestamp AT TIME ZONE zone END
        WHEN item #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$' THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'timestamp') THEN segment_instant((item #>> '{}')::timestamp, zone) END
        WHEN item #>> '{}' ~
            '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$' THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'timestamptz') THEN (item #>> '{}')::timestamptz END
    END END
$$"""

# Adding years to February 29 gives February 28 where there is none.
ANNIVERSARY = """
CREATE FUNCTION segment_anniversary(day date, today date) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN NOT isfinite(day) THEN NULL
        WHEN (day + make_interval(years => (extract(year FROM today) - extract(year FROM day))::int))::date >= today
        THEN (day + make_interval(years => (extract(year FROM today) - extract(year FROM day))::int))::date
        ELSE (day + make_interval(years => (extract(year FROM today) - extract(year FROM day))::int + 1))::date
    END
$$"""


class Migration(migrations.Migration):
    dependencies = [("segments", "0001_initial")]

    operations = [
        migrations.RunSQL(TEXT, "DROP FUNCTION segment_text(jsonb)"),
        migrations.RunSQL(NUMBER, "DROP FUNCTION segment_number(jsonb)"),
        migrations.RunSQL(INSTANT, "DROP FUNCTION segment_instant(timestamp, text)"),
        migrations.RunSQL(MOMENT, "DROP FUNCTION segment_moment(jsonb, text)"),
        migrations.RunSQL(ANNIVERSARY, "DROP FUNCTION segment_anniversary(date, date)"),
    ]

"""Lists that people keep by hand or by file, wall times inside a gap of the clocks, and distances.

`segment_instant` and `segment_moment` read wall times and days: one inside a gap means the first whole minute after it,
one that comes twice its first occurrence, like everywhere in this product. (PostgreSQL by itself moves the former by
the length of the gap and takes the second of the latter.)
"""

from django.db import migrations, models
from django.db.models.functions import Now

# The search through a gap is a function of its own, called for walls inside one only: with it in its body
# `segment_instant` would not be inlined (32 us a row instead of 5, on a busy machine). A whole day was skipped once, so
# it looks at up to 1440 minutes.
GAP_END = """
CREATE FUNCTION segment_gap_end(wall timestamp, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT min(at) FROM generate_series(
        date_trunc('minute', wall AT TIME ZONE zone - ((wall AT TIME ZONE zone) AT TIME ZONE zone - wall)),
        wall AT TIME ZONE zone + interval '1 minute', interval '1 minute'
    ) at WHERE at AT TIME ZONE zone > wall
$$"""

# Clocks are turned back by one hour nearly everywhere, by half an hour on Lord Howe.
INSTANT = """
CREATE OR REPLACE FUNCTION segment_instant(wall timestamp, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN (wall AT TIME ZONE zone) AT TIME ZONE zone <> wall THEN segment_gap_end(wall, zone)
        WHEN ((wall AT TIME ZONE zone) - interval '1 hour') AT TIME ZONE zone = wall
            THEN (wall AT TIME ZONE zone) - interval '1 hour'
        WHEN zone = 'Australia/Lord_Howe'
            AND ((wall AT TIME ZONE zone) - interval '30 minutes') AT TIME ZONE zone = wall
            THEN (wall AT TIME ZONE zone) - interval '30 minutes'
        ELSE wall AT TIME ZONE zone END
$$"""

# A day begins when the one before is over: where its first hour comes twice this is the first one, and it costs one
# conversion instead of five.
MOMENT = r"""
CREATE OR REPLACE FUNCTION segment_moment(item jsonb, zone text) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN jsonb_typeof(item) = 'string' THEN CASE
        WHEN item #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'date')
                THEN ((item #>> '{}')::date - interval '1 microsecond') AT TIME ZONE zone + interval '1 microsecond' END
        WHEN item #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?$' THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'timestamp')
                THEN segment_instant((item #>> '{}')::timestamp, zone) END
        WHEN item #>> '{}' ~
            '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$'
        THEN
            CASE WHEN pg_input_is_valid(item #>> '{}', 'timestamptz') THEN (item #>> '{}')::timestamptz END
    END END
$$"""

# A place is written {"lat": 50.94, "lon": 6.96} or [50.94, 6.96]; what is not on earth is no place. Plain numbers, as
# every intake stores them, are read first: 0.5 us against 4. Rounded (to 0.1 um), for float8 refuses 1e-400.
COORDINATE = """
CREATE FUNCTION segment_coordinate(item jsonb, name text, place int, bound int) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(item -> name) = 'number'
            THEN CASE WHEN abs((item -> name)::numeric) <= bound THEN round((item -> name)::numeric, 12)::float8 END
        ELSE segment_odd_coordinate(item, name, place, bound) END
$$"""

ODD_COORDINATE = """
CREATE FUNCTION segment_odd_coordinate(item jsonb, name text, place int, bound int) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN abs(n) <= bound THEN round(n, 12)::float8 END FROM (SELECT segment_number(
        CASE jsonb_typeof(item)
            WHEN 'object' THEN item -> name
            WHEN 'array' THEN CASE WHEN jsonb_array_length(item) = 2 THEN item -> place END END)) AS found (n)
$$"""

# `least` passes over NULL, so its bound is NULL too where a coordinate is missing.
# Kilometers over a sphere of the earth's mean radius (haversine); at most 0.5 % off.
DISTANCE = """
CREATE FUNCTION segment_distance(lat float8, lon float8, to_lat float8, to_lon float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 2 * 6371.0088 * asin(least(1.0::float8 + 0 * (lat + lon), sqrt(
        sin(radians(to_lat - lat) / 2) * sin(radians(to_lat - lat) / 2)
        + cos(radians(lat)) * cos(radians(to_lat)) * sin(radians(to_lon - lon) / 2) * sin(radians(to_lon - lon) / 2))))
$$"""


class Migration(migrations.Migration):
    dependencies = [("segments", "0002_value_functions")]

    operations = [
        migrations.CreateModel(
            name="CustomerList",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("key", models.TextField(unique=True, verbose_name="key")),
                ("name", models.JSONField(db_default={}, default=dict, verbose_name="name")),
                ("description", models.TextField(blank=True, null=True, verbose_name="description")),
                ("created_at", models.DateTimeField(db_default=Now(), verbose_name="created at")),
                ("updated_at", models.DateTimeField(db_default=Now(), verbose_name="updated at")),
            ],
            options={"verbose_name": "list", "verbose_name_plural": "lists", "db_table": "customer_list"},
        ),
        migrations.CreateModel(
            name="CustomerListMember",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "list_id", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("list_id", models.IntegerField()),
                ("customer_id", models.BigIntegerField()),
                ("added_at", models.DateTimeField(verbose_name="added at")),
                ("source", models.TextField(verbose_name="source")),
            ],
            options={
                "verbose_name": "person on a list",
                "verbose_name_plural": "people on lists",
                "db_table": "customer_list_member",
                "indexes": [models.Index(fields=["customer_id"], name="customer_list_member_customer")],
            },
        ),
        migrations.RunSQL(GAP_END, "DROP FUNCTION segment_gap_end(timestamp, text)"),
        migrations.RunSQL(INSTANT, migrations.RunSQL.noop),
        migrations.RunSQL(MOMENT, migrations.RunSQL.noop),
        migrations.RunSQL(ODD_COORDINATE, "DROP FUNCTION segment_odd_coordinate(jsonb, text, int, int)"),
        migrations.RunSQL(COORDINATE, "DROP FUNCTION segment_coordinate(jsonb, text, int, int)"),
        migrations.RunSQL(DISTANCE, "DROP FUNCTION segment_distance(float8, float8, float8, float8)"),
    ]

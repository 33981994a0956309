from django.db import migrations

FORWARD = """
CREATE FUNCTION consent_entry_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('loyalty.consent_rewrite', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'consent entries are never changed; record a new one'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER consent_entry_only_grows BEFORE UPDATE OR DELETE ON consent_entry
    FOR EACH STATEMENT EXECUTE FUNCTION consent_entry_only_grows();
"""
BACKWARD = """
DROP TRIGGER consent_entry_only_grows ON consent_entry;
DROP FUNCTION consent_entry_only_grows();
"""


class Migration(migrations.Migration):
    """Consent entries only grow: the database itself refuses UPDATE and DELETE, but for erasing and merging people."""

    dependencies = [("consent", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

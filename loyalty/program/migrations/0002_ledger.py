from django.db import migrations

FORWARD = """
CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('loyalty.ledger_rewrite', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the ledger is never changed; make another booking'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER booking_only_grows BEFORE UPDATE OR DELETE ON booking
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
CREATE TRIGGER entry_only_grows BEFORE UPDATE OR DELETE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows();
ALTER TABLE lot SET (fillfactor = 80);
ALTER TABLE member_balance SET (fillfactor = 60);
"""
BACKWARD = """
DROP TRIGGER booking_only_grows ON booking;
DROP TRIGGER entry_only_grows ON entry;
DROP FUNCTION ledger_only_grows();
ALTER TABLE lot RESET (fillfactor);
ALTER TABLE member_balance RESET (fillfactor);
"""


class Migration(migrations.Migration):
    """The ledger only grows: the database refuses UPDATE and DELETE, but for forgetting and merging people. Lots and
    balances change in place, on pages with room for it."""

    dependencies = [("program", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
